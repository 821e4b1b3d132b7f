import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics

// Messages on their way to the caller, and what the caller decides on them.
extension DanubeConsumer {
  /// The next message; its bytes are ``currentMessage`` until the next call. nil when none has
  /// arrived, and while the caller holds as many messages unsettled as the limits allow.
  ///
  /// Settle each by ``acknowledge(_:)`` or ``reject(_:delayMilliseconds:)``: a broker delivers only
  /// so many messages ahead, and stops at one that is never settled.
  public mutating func nextMessage() -> ConsumedMessage? {
    guard !isShuttingDown, messages.takenCount < limits.maximumUnacknowledged,
      let (id, message) = messages.take()
    else { return nil }
    return ConsumedMessage(
      topicOffset: message.topicOffset, publishTimeMilliseconds: message.publishTimeMilliseconds,
      partition: message.partition, place: id)
  }

  /// Whether ``nextMessage()`` has one now.
  public var hasMessage: Bool {
    !isShuttingDown && messages.takenCount < limits.maximumUnacknowledged
      && messages.queuedCount > 0
  }

  /// The encoded `StreamMessage` that ``nextMessage()`` gave last; it can be read by
  /// `StreamMessageView`.
  public var currentMessage: RawSpan {
    @_lifetime(borrow self)
    get { messages.current }
  }

  /// Tells the broker that a message is done with. Settling a message twice does nothing.
  public mutating func acknowledge(_ message: ConsumedMessage) {
    settle(message.place, as: .acknowledging)
  }

  /// Tells the broker to deliver a message again, not before `delayMilliseconds` (the broker has
  /// limits of its own for that).
  public mutating func reject(_ message: ConsumedMessage, delayMilliseconds: Int = 0) {
    settle(message.place, as: .rejecting(delayMilliseconds: max(delayMilliseconds, 0)))
  }

  private mutating func settle(_ id: PlaceID, as state: HeldMessage.State) {
    guard messages.settle(id, as: state) else { return }
    guard messages.settlingCount > limits.maximumSettlements else { return }
    // One of this session would be missed: a broker that delivers no more than it has
    // acknowledgements to wait for would stop until their time is over.
    abandon(messages.settlements.first { isStale($0) } ?? id)
  }

  /// Whether a settlement waits whose session is over.
  private func isStale(_ id: PlaceID) -> Bool {
    guard let message = messages[id] else { return false }
    return partitions[message.partition].session != message.session
  }

  private mutating func abandon(_ id: PlaceID) {
    messages.release(id)
    metrics.abandoned.add()
  }

  // MARK: Arrival

  /// A message of a partition's stream came over `id`.
  mutating func messageArrived(_ partition: Int, session: UInt32, _ id: SlotID) {
    metrics.received.add()
    let mayRepeat = partitions[partition].mayRepeat
    let arrival = connections[id].deliver(
      to: &messages, partition: partition, session: session, mayRepeat: mayRepeat)
    switch arrival {
    case .queued: break
    case .repeated:
      metrics.repeated.add()
      partitions[partition].mayRepeat = messages.expectsRepeats(of: partition)
    case .malformed:
      metrics.malformed.add()
      notices.append(.problem("\(partitions[partition].name): a message could not be read"))
    }
  }

  /// Whether no more messages should come for now.
  var isFull: Bool {
    messages.queuedCount >= limits.maximumUnacknowledged
      || messages.queuedBytes >= limits.maximumQueuedBytes
  }

  /// Receiving goes on when half of what was allowed is taken.
  mutating func resumeReceiving(operations: inout OperationQueue) {
    guard messages.queuedCount <= limits.maximumUnacknowledged / 2,
      messages.queuedBytes <= limits.maximumQueuedBytes / 2
    else { return }
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index), let descriptor = connections[id].descriptor,
        case .paused = connections[id].receiving
      else { continue }
      connections[id].receiving = .active
      connections[id].keepalive.heard(at: now)
      operations.append(.receive(descriptor), token: token(.receive, id))
      extendCalls(on: id)
    }
  }

  // MARK: Settlements

  /// Whether a settlement waits whose session still is.
  var hasSendableSettlements: Bool {
    messages.settlements.contains { id in
      guard let message = messages[id] else { return false }
      let partition = partitions[message.partition]
      return partition.isConsuming && partition.session == message.session
    }
  }

  /// When the next settlement that failed is sent again.
  var settlementDeadline: Instant {
    var deadline = Instant.distantFuture
    for id in messages.settlements {
      guard let message = messages[id], message.retryAt > now else { continue }
      deadline = min(deadline, message.retryAt)
    }
    return deadline
  }

  /// Starts the calls that can be started.
  mutating func sendSettlements() {
    guard !messages.settlements.isEmpty else { return }
    var waiting: [PlaceID] = []
    for id in messages.takeSettlements() {
      // With thousands that wait most of them have to until others are answered.
      if messages.underWayCount >= limits.maximumSettlementCalls || !sendSettlement(id) {
        waiting.append(id)
      }
    }
    messages.putBack(waiting)
  }

  /// Whether a settlement needs no waiting any more: a call was started, or it is given up.
  private mutating func sendSettlement(_ id: PlaceID) -> Bool {
    guard let message = messages[id] else { return true }
    let partition = partitions[message.partition]
    guard partition.session == message.session else {
      if case .rejecting = message.state {
        // Its session is over: the message comes again anyhow.
        messages.release(id)
        return true
      }
      if partition.mayRepeat { return false }
      abandon(id)
      return true
    }
    guard case .consuming(let broker, _) = partition.phase, now >= message.retryAt,
      messages.underWayCount < limits.maximumSettlementCalls,
      let connection = brokers[broker].connection, connections[connection].isOpen
    else { return false }
    encode(message)
    let method: DanubeMethod = if case .acknowledging = message.state { .ack } else { .nack }
    guard startCall(.settle(id), method, session: message.session, on: connection) != nil else {
      return false
    }
    messages.settlementStarted(id)
    return true
  }

  private mutating func encode(_ message: HeldMessage) {
    let messageID = MessageID(
      producerID: message.producerID, topicName: messages.names[message.topicName],
      brokerAddress: messages.names[message.brokerAddress], topicOffset: message.topicOffset)
    scratch.removeAll()
    if case .rejecting(let delay) = message.state {
      let request = NackRequest(
        requestID: takeRequestID(), messageID: messageID, subscriptionName: subscription,
        delayMilliseconds: delay == 0 ? nil : UInt64(delay))
      request.encode(into: &scratch)
    } else {
      let request = AckRequest(
        requestID: takeRequestID(), messageID: messageID, subscriptionName: subscription)
      request.encode(into: &scratch)
    }
  }

  /// A call that settles a message ended.
  mutating func settlementEnded(_ id: PlaceID, _ outcome: CallEnd.Outcome) {
    guard let message = messages[id] else { return }
    let isAcknowledgement = if case .acknowledging = message.state { true } else { false }
    switch outcome {
    case .success:
      (isAcknowledgement ? metrics.acknowledged : metrics.rejected).add()
      messages.release(id)
    case .notFound(let text), .failure(let text):
      guard message.failedAttempts + 1 < limits.settlementAttempts else {
        abandon(id)
        let what = isAcknowledgement ? "acknowledging" : "rejecting"
        notices.append(
          .problem("\(what) a message of \(partitions[message.partition].name): \(text)"))
        return
      }
      let pause = limits.backoffMinimumMilliseconds << min(message.failedAttempts, 10)
      messages.settlementFailed(
        id, counts: true, retryAt: now.advanced(milliseconds: pause))
    }
  }
}
