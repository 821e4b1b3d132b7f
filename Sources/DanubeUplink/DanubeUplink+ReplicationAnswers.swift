import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics
import Records

// What becomes of the batches on a stream.
extension DanubeUplink {
  /// Streams of a lane that end in a row, without an acknowledgement, before it may be given up.
  private static var streamAttempts: Int { 5 }
  /// How often a stream is given more time while others use its connection.
  private static var mostRenewals: Int { 16 }

  /// The broker acknowledged a batch.
  mutating func replicateAcknowledged(_ tag: UInt64, _ call: Call, _ ack: ReplicateAck?) {
    let lane = call.lane
    guard lanes[lane].replication.stream?.tag == tag else { return }
    guard let ack, lanes[lane].replication.sentCount > 0,
      let first = lanes[lane].replication.batches.first, ack.ackedOffset == first.number
    else {
      // Acknowledgements come in order, one a batch.
      closeStream(of: lane)
      let text = "not the acknowledgement of the batch that was sent first"
      return streamFailed(lane, UplinkError(.replicate, text))
    }
    lanes[lane].replication.batches.popFirst()
    lanes[lane].replication.sentCount -= 1
    lanes[lane].replication.failures = 0
    lanes[lane].replication.acknowledged = first.number
    lanes[lane].replication.unconfirmed += 1
    lanes[lane].replication.pace.acknowledged(
      store.byteCount(of: first.id), sentAt: first.sentAt, at: now,
      mostWindow: limits.replicationWindow)
    noteStreamProgress(lane)
    lanes[lane].failures = 0
    lanes[lane].backoff.reset()
    calls.renew(tag, at: now, isQueued: false)
    let count = store.recordCount(of: first.id)
    metrics.replicatedRecords.add(UInt64(count))
    giveUp(first.id)
    resumeReplication(lane)
  }

  /// The uplink has done with a batch: it is released when no send names its memory.
  private mutating func giveUp(_ batch: BatchID) {
    recordsUnderWay -= store.recordCount(of: batch)
    store.settleAll(of: batch)
    if pins[Int(batch.rawValue)].count == 0 { releaseIfDone(batch) }
  }

  /// The stream of a lane ended, or its connection did.
  mutating func streamEnded(
    _ tag: UInt64, _ call: Call, _ status: StatusCode, _ text: [UInt8]
  ) {
    guard lanes[call.lane].replication.stream?.tag == tag else { return }
    _ = takeStream(of: call.lane)
    if status == .ok {
      // That is no failure of a stream that rests.
      guard lanes[call.lane].replication.sentCount > 0 else { return resumeReplication(call.lane) }
      let text = "the broker ended the stream with batches that it did not acknowledge"
      return streamFailed(call.lane, UplinkError(.replicate, text))
    }
    streamFailed(call.lane, UplinkError(.replicate, status: status, text: text))
  }

  private mutating func streamFailed(_ lane: Int, _ error: UplinkError) {
    lanes[lane].replication.note = error
    lastError = error
    if lanes[lane].replication.failures == 0 { lanes[lane].replication.failingSince = now }
    lanes[lane].replication.failures += 1
    let patience = limits.replicationPatienceMilliseconds
    let isLasting =
      lanes[lane].replication.failures >= Self.streamAttempts
      && now >= lanes[lane].replication.failingSince.advanced(milliseconds: patience)
    if error.status == .unimplemented || isLasting {
      // Records go the other way, until the cluster is asked again.
      lanes[lane].replication.permission = .denied
      lanes[lane].replication.isDeclared = false
      edge.isOutdated = true
      edge.nextAt = now.advanced(milliseconds: limits.edgeRetryMilliseconds)
      return abandonReplication(lane)
    }
    lanes[lane].replication.retryAt = now.advanced(milliseconds: lanes[lane].backoff.next())
    // The owner may be another one by now.
    lanes[lane].replication.isOwnerKnown = false
    resumeReplication(lane)
  }

  /// A stream had no acknowledgement in time. One that has nothing to wait for is closed.
  mutating func streamExpired(_ tag: UInt64, _ call: Call) {
    let lane = call.lane
    guard lanes[lane].replication.stream?.tag == tag else { return calls.remove(tag) }
    guard lanes[lane].replication.sentCount > 0 else { return finishStream(of: lane) }
    if isStreamLeaving(tag, call) { return calls.renew(tag, at: now, isQueued: false) }
    closeStream(of: lane)
    lanes[lane].replication.pace.expired()
    connections[call.connection].keepalive.doubt()
    let text = Array("no acknowledgement in time".utf8)
    streamFailed(lane, UplinkError(.replicate, status: .deadlineExceeded, text: text))
  }

  /// Whether the network still takes bytes of a stream, or of others before them.
  private mutating func isStreamLeaving(_ tag: UInt64, _ call: Call) -> Bool {
    let lane = call.lane
    let unsent = connections[call.connection].session.unsentBytes(tag: tag)
    if unsent > 0, unsent < lanes[lane].replication.unsentBytes {
      lanes[lane].replication.unsentBytes = unsent
      lanes[lane].replication.renewals = 0
      return true
    }
    let link = connections[call.connection].link
    if unsent == 0, lanes[lane].replication.linkMark == .max {
      lanes[lane].replication.linkMark = connections[call.connection].linkMark
    }
    let isBehind =
      unsent > 0 ? link.isFull : link.departedBytes < lanes[lane].replication.linkMark
    guard isBehind, link.progressAt > call.waitsSince,
      lanes[lane].replication.renewals < Self.mostRenewals
    else { return false }
    lanes[lane].replication.renewals += 1
    return true
  }

  /// Nothing is known of what a stream has still to send.
  mutating func noteStreamProgress(_ lane: Int) {
    lanes[lane].replication.unsentBytes = .max
    lanes[lane].replication.linkMark = .max
    lanes[lane].replication.renewals = 0
  }

  /// Gives the batches of a lane back.
  mutating func abandonReplication(_ lane: Int) {
    guard !lanes[lane].replication.isIdle else { return }
    metrics.replicationGivenUp.add()
    takeBackBatches(lane)
    progress.append(.replicationLost(lanes[lane].id))
  }

  mutating func takeBackBatches(_ lane: Int) {
    endCheckTrouble(lane)
    closeStream(of: lane)
    noLongerWantsStream(lane)
    while let batch = lanes[lane].replication.batches.popFirst() { giveUp(batch.id) }
    lanes[lane].replication.sentCount = 0
    lanes[lane].replication.acknowledged = nil
    lanes[lane].replication.acknowledgedBeforeCheck = nil
    lanes[lane].replication.unconfirmed = 0
  }
}
