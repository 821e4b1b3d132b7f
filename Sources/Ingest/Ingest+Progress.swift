public import IOPort
import MQTT
import Metrics
public import Records
import Settings

// What delivery tells, and the answers that may go for it.
extension Ingest {
  /// Takes what delivery tells about a batch.
  public mutating func progress(
    _ progress: Progress, at now: Instant, operations: inout OperationQueue
  ) {
    let batch = progress.batch
    switch progress.kind {
    case .safe:
      let first = UInt32(progress.word) * 64
      settle(batch, first: first, bits: progress.bits, at: now, operations: &operations)
      batcher.store.noteNews(of: batch)
    case .refused:
      refuse(
        RecordRef(batch: batch, index: UInt32(progress.word)),
        RefusalReason(rawValue: UInt8(truncatingIfNeeded: progress.bits)) ?? .invalidRequest,
        at: now, operations: &operations)
      batcher.store.noteNews(of: batch)
    case .complete:
      let count = UInt32(batcher.store.recordCount(of: batch))
      var first: UInt32 = 0
      while first < count {
        let group = min(64, count - first)
        let bits = group == 64 ? UInt64.max : (1 << UInt64(group)) - 1
        settle(batch, first: first, bits: bits, at: now, operations: &operations)
        first += 64
      }
      batcher.release(batch)
      memoryCameBack(at: now, operations: &operations)
    case .compacted:
      batcher.endCompaction(of: batch)
      memoryCameBack(at: now, operations: &operations)
    }
  }

  private mutating func memoryCameBack(at now: Instant, operations: inout OperationQueue) {
    exhaustedSince = nil
    wakeWaiting(at: now, operations: &operations)
  }

  /// Marks records safe, then sends the answers that thereby became the oldest.
  private mutating func settle(
    _ batch: BatchID, first: UInt32, bits: UInt64, at now: Instant,
    operations: inout OperationQueue
  ) {
    var rest = bits
    var latencies = DurationRun(into: metrics.deviceToSafe, endingAt: now.nanoseconds)
    while rest != 0 {
      let index = first + UInt32(rest.trailingZeroBitCount)
      rest &= rest &- 1
      let record = RecordRef(batch: batch, index: index)
      // The batch's completion tells of records again that were told of before.
      guard let received = batcher.store.takeReceivedNanoseconds(of: record) else { continue }
      latencies.add(startingAt: received)
      let source = batcher.store.source(of: record)
      guard source.index != .max else {
        if source == .answered { answeredEarly -= 1 }
        continue
      }
      let id = SlotID(index: source.index, generation: source.generation)
      guard connections.contains(id) else { continue }
      connections[id].answers.markReady(sequence: source.sequence, reason: 0)
    }
    latencies.finish()
    metrics.safe.add(latencies.count)
    rest = bits
    while rest != 0 {
      let index = first + UInt32(rest.trailingZeroBitCount)
      rest &= rest &- 1
      let source = batcher.store.source(of: RecordRef(batch: batch, index: index))
      guard source.index != .max else { continue }
      let id = SlotID(index: source.index, generation: source.generation)
      sendAnswers(id, at: now, operations: &operations)
      leaveIfEnded(id, at: now, operations: &operations)
    }
  }

  private mutating func refuse(
    _ record: RecordRef, _ reason: RefusalReason, at now: Instant,
    operations: inout OperationQueue
  ) {
    // It does not count as safe when its batch is complete.
    _ = batcher.store.takeReceivedNanoseconds(of: record)
    let source = batcher.store.source(of: record)
    let isDropped = count(reason, of: source)
    let id = SlotID(index: source.index, generation: source.generation)
    let isConnected = source.index != .max && connections.contains(id)
    if reason != .noSpace {
      note(
        .recordRefused, reason.text, peer: isConnected ? connections[id].peer : nil,
        subject: isConnected ? clientText(id) : "")
    }
    guard isConnected else { return }
    let code =
      switch connections[id].kind {
      case .mqtt: isDropped ? ReasonCode.success.rawValue : reason.code.rawValue
      case .webhook: (isDropped ? .accepted : WebhookOutcome(reason)).rawValue
      }
    connections[id].answers.markReady(sequence: source.sequence, reason: code)
    sendAnswers(id, at: now, operations: &operations)
    leaveIfEnded(id, at: now, operations: &operations)
  }

  /// Counts a record that is refused. True when its sender is told that all is well: it is dropped.
  private mutating func count(_ reason: RefusalReason, of source: RecordSource) -> Bool {
    let isAnswered = source == .answered
    if isAnswered { answeredEarly -= 1 }
    guard reason == .noSpace else {
      metrics.refused(reason.refusal).add(1)
      if isAnswered { metrics.dropped(.refused).add(1) }
      return false
    }
    if dropsNewest || isAnswered {
      metrics.dropped(.noSpace).add(1)
    } else {
      metrics.refused(.noSpace).add(1)
    }
    return dropsNewest
  }

  /// Sends the answers at the head of the queue that are ready, in one go.
  mutating func sendAnswers(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    guard connections.contains(id), connections[id].phase == .open else { return }
    if connections[id].kind == .webhook {
      sendWebhookAnswers(id, at: now, operations: &operations)
      return
    }
    var sentAny = false
    while let answer = connections[id].answers.popReady() {
      let reason = ReasonCode(rawValue: answer.reason)
      if reason.isError, connections[id].session.version == .v3_1_1 {
        // MQTT 3.1.1 has no way to refuse one message; an ended connection is the only no.
        disconnect(id, reason: reason, at: now, operations: &operations)
        return
      }
      connections[id].write { session, output in
        session.writePuback(answer.packetID, reason, into: &output)
      }
      sentAny = true
      if !reason.isError { metrics.acknowledged.add(1) }
    }
    guard sentAny else { return }
    markDirty(id)
    if isShuttingDown {
      leaveIfAnswered(id, at: now, operations: &operations)
      return
    }
    if connections[id].pausedSince != nil, !connections[id].isWaiting {
      resume(id, at: now, operations: &operations)
    }
  }

  /// Lets connections that wait for memory try again, the longest waiting first.
  private mutating func wakeWaiting(at now: Instant, operations: inout OperationQueue) {
    guard wakeWaitingWills(at: now) else { return }
    for _ in 0..<waiting.count {
      guard let id = waiting.popFirst() else { return }
      guard connections.contains(id) else { continue }
      connections[id].waitsForMemory = false
      resume(id, at: now, operations: &operations)
      // Still none: the others would fare no better.
      if connections.contains(id), connections[id].waitsForMemory { return }
    }
  }
}

extension RefusalReason {
  /// What it counts as.
  var refusal: IngestMetrics.Refusal {
    switch self {
    case .tooLarge: .brokerTooLarge
    case .invalidPayload: .brokerInvalidPayload
    case .invalidRequest: .brokerInvalidRequest
    case .noSpace: .noSpace
    }
  }

  /// What an MQTT device is told.
  var code: ReasonCode {
    switch self {
    // [MQTT-3.4.2-1] A PUBACK has no reason for "too large".
    case .tooLarge: .implementationSpecificError
    case .invalidPayload: .payloadFormatInvalid
    case .invalidRequest: .implementationSpecificError
    case .noSpace: .quotaExceeded
    }
  }

  var text: StaticString {
    switch self {
    case .tooLarge: "Danube refuses the record: too large"
    case .invalidPayload: "Danube refuses the record: its schema does not allow the payload"
    case .invalidRequest: "Danube refuses the record: invalid request"
    case .noSpace: "no space for the record: the broker takes none and the disk is full or fails"
    }
  }
}
