import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics
public import Records

// Batches that a lane replicates: over a stream to the owner of its topic, in order, several at a
// time. A broker writes a batch only if its number is above the last one's, so that whatever is in
// doubt is sent again as it was.
extension DanubeUplink {
  /// Streams of a lane that end in a row, without an acknowledgement, before it may be given up.
  private static var streamAttempts: Int { 5 }
  /// Batches on a stream that others wait for, before it is their turn.
  private static var batchesPerTurn: Int { 32 }
  /// No more batches are given to a stream while it has so many bytes to send.
  private static var unsentBytes: Int { 1 << 20 }

  /// Takes a batch to replicate, after those of its lane that came before. Its records are one
  /// element of `ReplicateBatch.messages` after the other, `number` is above that of every batch
  /// that the topic ever got.
  ///
  /// The batch is `released` once the broker has acknowledged it, or has not and never will:
  /// `replicationLost` tells that it was so.
  public mutating func replicate(_ batch: BatchID, number: UInt64) {
    let lane = place(of: store.lane(of: batch))
    let place = Int(batch.rawValue)
    if place >= pins.count {
      pins.append(contentsOf: repeatElement(Pins(), count: place + 1 - pins.count))
    }
    pins[place].takenBackCount = 0
    recordsUnderWay += store.recordCount(of: batch)
    lanes[lane].replication.batches.append(LaneReplication.Batch(id: batch, number: number))
    resumeReplication(lane)
  }

  /// Gives the batches of a lane back, whatever became of them: `replicationLost` follows, and
  /// their release.
  public mutating func stopReplicating(_ lane: LaneID) { abandonReplication(place(of: lane)) }

  /// Gives the batches of a lane back, which come again as they were: their release follows.
  public mutating func recallReplication(_ lane: LaneID) { takeBackBatches(place(of: lane)) }

  /// Lets batches of a lane go to an owner that `replicationOwner` told of.
  public mutating func allowReplication(_ lane: LaneID, to owner: UInt64) {
    let lane = place(of: lane)
    lanes[lane].replication.allowedOwner = owner
    resumeReplication(lane)
  }

  // MARK: Streams

  /// Lets a lane be looked at in this turn.
  mutating func resumeReplication(_ lane: Int) {
    guard !lanes[lane].isReplicationQueued else { return }
    lanes[lane].isReplicationQueued = true
    replicating.append(lane)
  }

  /// Lets every lane go on that has something to replicate or to confirm.
  mutating func driveReplication() {
    for _ in 0..<replicating.count {
      guard let lane = replicating.popFirst() else { return }
      lanes[lane].isReplicationQueued = false
      driveReplication(lane)
    }
  }

  private mutating func driveReplication(_ lane: Int) {
    if lanes[lane].replication.isIdle { return restStream(of: lane) }
    guard case .ready(let broker) = lanes[lane].phase, let id = brokers[broker].current,
      connections[id].isOpen
    else { return }
    checkOwner(lane, id)
    guard lanes[lane].replication.isOwnerKnown,
      lanes[lane].replication.permission == .granted, isOwnerAllowed(lane)
    else { return }
    if let stream = lanes[lane].replication.stream,
      stream.connection != id || isTurnOver(lane)
    {
      // The next connection or lane takes over when what is under way has ended.
      guard lanes[lane].replication.sentCount == 0 else { return }
      finishStream(of: lane)
    }
    guard openStream(lane, id) else { return }
    sendBatches(lane, id)
  }

  private mutating func openStream(_ lane: Int, _ id: SlotID) -> Bool {
    if lanes[lane].replication.stream != nil { return true }
    guard !lanes[lane].replication.batches.isEmpty else { return false }
    guard now >= lanes[lane].replication.retryAt else {
      waitForReplication(lane, until: lanes[lane].replication.retryAt)
      return false
    }
    let record = RecordRef(batch: BatchID(rawValue: 0), index: 0)
    let tag = calls.insert(
      Call(
        .replicate, lane: lane, epoch: lanes[lane].epoch, record: record, connection: id,
        startedAt: now))
    // A part of the calls is left to records that are published.
    let calls = connections[id].session.freeCallCount + connections[id].session.callsInFlight
    let isFree = connections[id].replicationStreams < max(1, calls / 4 * 3)
    guard isFree, connections[id].startStream(.replicateData, tag: tag, at: now) else {
      self.calls.remove(tag)
      wantStream(lane)
      waitForReplication(lane, until: now.advanced(milliseconds: 50))
      return false
    }
    noLongerWantsStream(lane)
    connections[id].replicationStreams += 1
    lanes[lane].replication.stream = (tag, id)
    lanes[lane].replication.streamBatches = 0
    lanes[lane].replication.unsentBytes = .max
    lanes[lane].replication.sentCount = 0
    metrics.replicationStreams.add()
    return true
  }

  private mutating func wantStream(_ lane: Int) {
    guard !lanes[lane].replication.isStreamWanted else { return }
    lanes[lane].replication.isStreamWanted = true
    wantedStreams += 1
    for other in lanes.indices
    where lanes[other].replication.stream != nil && lanes[other].replication.isIdle {
      resumeReplication(other)
    }
  }

  private mutating func noLongerWantsStream(_ lane: Int) {
    guard lanes[lane].replication.isStreamWanted else { return }
    lanes[lane].replication.isStreamWanted = false
    wantedStreams -= 1
  }

  /// Whether a lane has had its stream for long enough while others wait for one.
  private func isTurnOver(_ lane: Int) -> Bool {
    wantedStreams > 0 && lanes[lane].replication.streamBatches >= Self.batchesPerTurn
  }

  private mutating func sendBatches(_ lane: Int, _ id: SlotID) {
    guard let stream = lanes[lane].replication.stream else { return }
    while lanes[lane].replication.sentCount < lanes[lane].replication.batches.count,
      lanes[lane].replication.sentCount < limits.replicationWindow,
      connections[id].session.unsentBytes(tag: stream.tag) < Self.unsentBytes, !isTurnOver(lane)
    {
      let place = lanes[lane].replication.sentCount
      let batch = lanes[lane].replication.batches[place]
      if place == 0 { calls.renew(stream.tag, at: now, isQueued: false) }
      scratch.removeAll()
      ReplicateBatchHead(topicName: lanes[lane].lane.topic).encode(into: &scratch)
      tail.removeAll()
      ReplicateBatchTail(lastOffset: batch.number).encode(into: &tail)
      let messages = store.encodedRecords(of: batch.id)
      let isReferenced = messages.count >= ClientSession.referenceThresholdBytes
      connections[id].send(
        tag: stream.tag, head: scratch, body: messages,
        bodyTag: isReferenced ? batch.id.rawValue : nil, tail: tail)
      if isReferenced { pins[Int(batch.id.rawValue)].count += 1 }
      lanes[lane].replication.sentCount += 1
      lanes[lane].replication.streamBatches += 1
      metrics.replicatedBatches.add()
    }
  }

  /// Lets a lane be looked at again later.
  mutating func waitForReplication(_ lane: Int, until instant: Instant) {
    guard !lanes[lane].replication.isWaiting else { return }
    lanes[lane].replication.isWaiting = true
    laneTimers.schedule(Token(rawValue: UInt64(lane) | Self.replicationTimer), at: instant)
  }

  /// What tells timers for replication from those of lanes on their way to a producer.
  static var replicationTimer: UInt64 { 1 << 62 }

  mutating func replicationTimerFired(_ lane: Int) {
    lanes[lane].replication.isWaiting = false
    resumeReplication(lane)
  }

  /// Ends the stream of a lane; batches that are not acknowledged are sent again.
  private mutating func closeStream(of lane: Int) {
    guard let stream = takeStream(of: lane) else { return }
    calls.remove(stream.tag)
    if connections.contains(stream.connection), connections[stream.connection].isOpen {
      connections[stream.connection].session.cancelCall(tag: stream.tag)
    }
  }

  /// Keeps the stream of a lane that has nothing to send for the next batch, until its call
  /// expires: where records trickle every batch would have one of its own. Others must not want
  /// it, and most calls of the connection have to be left for them.
  private mutating func restStream(of lane: Int) {
    guard let stream = lanes[lane].replication.stream else { return }
    if wantedStreams == 0, !isShuttingDown, case .ready(let broker) = lanes[lane].phase,
      brokers[broker].current == stream.connection, connections[stream.connection].isOpen
    {
      let session = (
        isDraining: connections[stream.connection].session.isDraining,
        calls: connections[stream.connection].session.freeCallCount
          + connections[stream.connection].session.callsInFlight
      )
      let isOneOfFew = connections[stream.connection].replicationStreams <= session.calls / 4
      if !session.isDraining, isOneOfFew { return }
    }
    finishStream(of: lane)
  }

  /// A connection is to end: streams on it are not kept for what may come.
  mutating func endRests(on id: SlotID) {
    for lane in lanes.indices where lanes[lane].replication.stream?.connection == id {
      resumeReplication(lane)
    }
  }

  /// Ends the stream of a lane that has nothing to send on it.
  mutating func finishStream(of lane: Int) {
    guard let stream = takeStream(of: lane) else { return }
    calls.remove(stream.tag)
    connections[stream.connection].session.finishRequest(tag: stream.tag)
  }

  /// A lane has its stream no more.
  private mutating func takeStream(of lane: Int) -> (tag: UInt64, connection: SlotID)? {
    guard let stream = lanes[lane].replication.stream else { return nil }
    lanes[lane].replication.stream = nil
    if connections.contains(stream.connection) {
      connections[stream.connection].replicationStreams -= 1
    }
    return stream
  }

  // MARK: Answers

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
    lanes[lane].replication.unsentBytes = .max
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
    let isAwaited = lanes[lane].replication.sentCount > 0
    let unsent = connections[call.connection].session.unsentBytes(tag: tag)
    if isAwaited, unsent < lanes[lane].replication.unsentBytes {
      // The network still takes bytes of it.
      lanes[lane].replication.unsentBytes = unsent
      return calls.renew(tag, at: now, isQueued: false)
    }
    guard isAwaited else { return finishStream(of: lane) }
    closeStream(of: lane)
    connections[call.connection].keepalive.doubt()
    let text = Array("no acknowledgement in time".utf8)
    streamFailed(lane, UplinkError(.replicate, status: .deadlineExceeded, text: text))
  }

  /// Gives the batches of a lane back.
  mutating func abandonReplication(_ lane: Int) {
    guard !lanes[lane].replication.isIdle else { return }
    metrics.replicationGivenUp.add()
    takeBackBatches(lane)
    progress.append(.replicationLost(lanes[lane].id))
  }

  private mutating func takeBackBatches(_ lane: Int) {
    closeStream(of: lane)
    noLongerWantsStream(lane)
    while let batch = lanes[lane].replication.batches.popFirst() { giveUp(batch.id) }
    lanes[lane].replication.sentCount = 0
    lanes[lane].replication.acknowledged = nil
    lanes[lane].replication.acknowledgedBeforeCheck = nil
    lanes[lane].replication.unconfirmed = 0
  }
}
