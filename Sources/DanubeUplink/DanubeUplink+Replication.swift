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
  /// Batches on a stream that others wait for, before it is their turn.
  private static var batchesPerTurn: Int { 32 }
  /// No more batches are given to a stream while it has so many bytes to send, or those of two
  /// batches.
  private static var unsentBytes: Int { 1 << 20 }
  /// What a batch may take on the way that is sent for the first time, and more with each failure:
  /// 64 kbit/s.
  private static var bytesPerMillisecond: Int { 8 }

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

  /// How large a batch should be that is cut now, and how many more of a lane can be used soon:
  /// what is planned stays as it is, so that on a narrow link there should not be much of it.
  public func replicationDemand(
    of lane: LaneID
  ) -> (batchBytes: Int, batches: Int) {
    let lane = place(of: lane)
    let pace = lanes[lane].replication.pace
    let window = min(pace.window, limits.replicationWindow)
    return (batchBytes(of: lane), 2 * window - lanes[lane].replication.batches.count)
  }

  private func batchBytes(of lane: Int) -> Int {
    let bytes = lanes[lane].replication.pace.batchBytes
    guard case .ready(let broker) = lanes[lane].phase, let id = brokers[broker].current else {
      return bytes
    }
    return min(bytes, connections[id].link.limitBytes)
  }

  /// Gives the batches of a lane back, whatever became of them: `replicationLost` follows, and
  /// their release.
  public mutating func stopReplicating(_ lane: LaneID, hasPlans: Bool = false) {
    let lane = place(of: lane)
    // What was sent before the start may arrive again as well.
    if hasPlans, lanes[lane].replication.isIdle { metrics.replicationGivenUp.add() }
    abandonReplication(lane)
  }

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
        patience: streamPatience(of: lane), startedAt: now))
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
    noteStreamProgress(lane)
    lanes[lane].replication.sentCount = 0
    metrics.replicationStreams.add()
    return true
  }

  /// Streams that failed again may have ended while their batch was still on its way: the next one
  /// has more time, as much as such a batch may need.
  private func streamPatience(of lane: Int) -> Int {
    guard let first = lanes[lane].replication.batches.first else { return 0 }
    let needed = store.byteCount(of: first.id) / Self.bytesPerMillisecond
    let failures = max(0, lanes[lane].replication.failures - 2)
    let most = min(failures, CallTable.maximumPatience)
    var patience = 0
    while patience < most, deadlineMilliseconds(patience: patience) < needed { patience += 1 }
    return patience
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

  mutating func noLongerWantsStream(_ lane: Int) {
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
    let window = min(lanes[lane].replication.pace.window, limits.replicationWindow)
    let unsentBytes = min(Self.unsentBytes, 2 * batchBytes(of: lane))
    while lanes[lane].replication.sentCount < lanes[lane].replication.batches.count,
      lanes[lane].replication.sentCount < window,
      connections[id].session.unsentBytes(tag: stream.tag) < unsentBytes, !isTurnOver(lane)
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
      lanes[lane].replication.batches[place].sentAt = now
      lanes[lane].replication.sentCount += 1
      lanes[lane].replication.streamBatches += 1
      noteStreamProgress(lane)
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
  mutating func closeStream(of lane: Int) {
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
  mutating func takeStream(of lane: Int) -> (tag: UInt64, connection: SlotID)? {
    guard let stream = lanes[lane].replication.stream else { return nil }
    lanes[lane].replication.stream = nil
    if connections.contains(stream.connection) {
      connections[stream.connection].replicationStreams -= 1
    }
    return stream
  }
}
