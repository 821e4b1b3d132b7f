import Bytes
import DanubeProtocol
public import IOPort
public import Records

// Records of the gateway itself, which need no connection.
extension LocalBroker {
  /// Adds the next lane, whose `LaneID` is the number of lanes so far; no more than the limits say.
  /// Its topic is made unless it is there. When a client made it with the other dispatch strategy,
  /// or partitions of it, the lane's records are refused, and a notice says so.
  public mutating func addLane(_ lane: LaneDescription) { state.addLane(lane) }

  /// Takes a sealed batch, to append every record to the topic of its lane. What became of it is
  /// told by ``nextSettledBatch()``: at once, or with a spool when all its records are durable.
  /// Until then its memory is needed. While the spool has no room, or does not know yet what it
  /// holds, batches wait here in their order.
  public mutating func append(_ batch: BatchID, from store: BatchStore, at now: Instant) {
    state.now = now
    self.store = store
    guard state.isOpen else { return waitingBatches.append(batch) }
    let topic = state.topic(of: store.lane(of: batch))
    if let topic, state.isSpooled(topic), !waitingBatches.isEmpty || !state.hasSpoolRoom {
      waitingBatches.append(batch)
    } else {
      append(batch, from: store, topic: topic)
    }
  }

  /// Appends a batch for whose records there is room; without a topic it is refused.
  private mutating func append(_ batch: BatchID, from store: BatchStore, topic: Int?) {
    guard let topic else {
      return settled.append(SettledBatch(batch: batch, refusal: .invalidRequest))
    }
    if state.isSpooled(topic), store.recordCount(of: batch) > 0 {
      let ticket = spool(batch, from: store, topic: topic)
      state.awaited.append(Awaited(ticket: ticket, topic: topic, waiter: .batch(batch)))
      return
    }
    for index in 0..<store.recordCount(of: batch) {
      let record = RecordRef(batch: batch, index: UInt32(index))
      unsafe store.messageBody(of: record).withBytes { body in
        state.append(topic: topic, isLocal: true, body: body)
      }
    }
    state.queueSubscriptions(of: topic)
    settled.append(SettledBatch(batch: batch))
  }

  /// Appends records to the spool and tells the ticket of the last one.
  private mutating func spool(_ batch: BatchID, from store: BatchStore, topic: Int) -> UInt64 {
    var ticket: UInt64 = 0
    for index in 0..<store.recordCount(of: batch) {
      let record = RecordRef(batch: batch, index: UInt32(index))
      let bodyBytes = store.messageBody(of: record).count
      store.withElement(of: record) { element in
        ticket = state.spoolRecord(
          topic: topic, isLocal: true, element: element,
          body: element.extracting(droppingFirst: element.byteCount - bodyBytes))
      }
    }
    return ticket
  }

  /// Appends what waited for room, or for the spool to be ready.
  mutating func appendWaitingBatches() {
    guard state.isOpen, let store else { return }
    while state.hasSpoolRoom, let batch = waitingBatches.popFirst() {
      append(batch, from: store, topic: state.topic(of: store.lane(of: batch)))
    }
  }

  /// Appends messages that waited for room, of clients that still wait for the answer.
  mutating func appendHeldMessages() {
    while let held = state.nextHeldMessage() {
      guard isAwaited(held.call) else { continue }
      state.appendMessage(
        held.bytes.rawBytes, topic: held.topic, requestID: held.requestID, from: held.call)
    }
  }

  private func isAwaited(_ call: ConsumerStream) -> Bool {
    connections.contains(call.connection) && !connections[call.connection].isClosing
  }

  /// Refuses everything that waits for the disk, which takes nothing: batches and messages of
  /// clients. What was given to the disk already may become durable later all the same, so that a
  /// sender that tries again is heard twice.
  public mutating func refuseWaiting() {
    for held in heldBatches { endReplication(held.call, .noSpace) }
    while let batch = waitingBatches.popFirst() {
      settled.append(SettledBatch(batch: batch, refusal: .noSpace))
    }
    while let held = state.heldMessages.popFirst() { refuseForSpace(held.call) }
    for index in 0..<state.awaited.count {
      let awaited = state.awaited[index]
      switch awaited.waiter {
      case .nobody: continue
      case .batch(let batch): settled.append(SettledBatch(batch: batch, refusal: .noSpace))
      case .call(let call, _): refuseForSpace(call)
      case .replicated(let call, _):
        // The number of the batch is kept all the same, should its records become durable.
        endReplication(call, .noSpace)
        continue
      }
      state.awaited[index] = Awaited(ticket: awaited.ticket, topic: awaited.topic, waiter: .nobody)
    }
  }

  private mutating func refuseForSpace(_ call: ConsumerStream) {
    guard isAwaited(call) else { return }
    refuse(call.stream, on: call.connection, .noSpace)
    touch(call.connection)
  }

  /// The next batch of which it is known what became of it; nil when there is none.
  public mutating func nextSettledBatch() -> SettledBatch? { settled.popFirst() }

  /// Appends one record, a `StreamMessage` with its topic, to the topic of a lane; false when it is
  /// refused, or when the spool has no room. With a spool consumers get it when it is durable.
  @discardableResult
  public mutating func append(lane: LaneID, body: RawSpan) -> Bool {
    guard state.isOpen, let topic = state.topic(of: lane) else { return false }
    guard state.isSpooled(topic) else {
      state.append(topic: topic, isLocal: true, body: body)
      state.queueSubscriptions(of: topic)
      return true
    }
    guard state.hasSpoolRoom, waitingBatches.isEmpty else { return false }
    var element = GrowableBytes()
    element.appendLengthDelimited(2, body)
    let ticket = state.spoolRecord(
      topic: topic, isLocal: true, element: element.bytes, body: body)
    state.awaited.append(Awaited(ticket: ticket, topic: topic, waiter: .nobody))
    return true
  }

  /// Something for the log; nil when there is nothing.
  public mutating func nextNotice() -> LocalBrokerNotice? { state.nextNotice() }
}
