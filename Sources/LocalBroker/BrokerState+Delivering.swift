import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics
import Records

// What is delivered, acknowledged, and delivered again.
extension BrokerState {
  func isReliable(_ subscription: SlotID) -> Bool {
    topics[subscriptions[subscription].topic].strategy == .reliable
  }

  /// The offset of the next record to deliver, nil when there is none for now.
  mutating func nextToDeliver(_ subscription: SlotID) -> UInt64? {
    let topic = subscriptions[subscription].topic
    var missed = 0
    let limit = isReliable(subscription) ? configuration.maximumUnacknowledged : .max >> 4
    let offset = subscriptions[subscription].window.nextToDeliver(
      first: firstOffset(of: topic), end: visibleEnd(of: topic), limit: limit, missed: &missed)
    gaveUp(missed, by: subscription)
    return offset
  }

  /// The offset of the next record that was never looked at, nil when there is none for now.
  mutating func nextNew(_ subscription: SlotID) -> UInt64? {
    let topic = subscriptions[subscription].topic
    var missed = 0
    let offset = subscriptions[subscription].window.nextNew(
      first: firstOffset(of: topic), end: visibleEnd(of: topic),
      limit: configuration.maximumUnacknowledged, missed: &missed)
    gaveUp(missed, by: subscription)
    return offset
  }

  /// What is to be delivered by keys and was dropped meanwhile is missed.
  mutating func giveUpDropped(_ subscription: SlotID) {
    let first = firstOffset(of: subscriptions[subscription].topic)
    gaveUp(subscriptions[subscription].window.giveUpReady(before: first), by: subscription)
  }

  private mutating func gaveUp(_ count: Int, by subscription: SlotID) {
    guard count > 0 else { return }
    missed(count, by: subscription)
    keepDelivered(0..<firstOffset(of: subscriptions[subscription].topic), of: subscription)
  }

  /// Records were dropped before a subscription had them. Consumers of a non-reliable topic have to
  /// expect that; those of a reliable one lag for longer than the memory lasts.
  private mutating func missed(_ count: Int, by subscription: SlotID) {
    metrics.recordsMissed.add(UInt64(count))
    guard isReliable(subscription) else { return }
    let topic = topics[subscriptions[subscription].topic].name
    note(
      LocalBrokerNotice(
        .recordsMissed, topic: topic, subscription: subscriptions[subscription].name,
        recordCount: count))
  }

  /// Records on the disk are damaged that a subscription had not got.
  mutating func damaged(_ count: UInt64, missedBy subscription: SlotID) {
    guard count > 0 else { return }
    metrics.recordsMissed.add(count)
    note(
      LocalBrokerNotice(
        .recordsDamaged, topic: topics[subscriptions[subscription].topic].name,
        subscription: subscriptions[subscription].name, recordCount: Int(clamping: count)))
  }

  /// A record goes to a consumer.
  mutating func delivered(
    _ offset: UInt64, of subscription: SlotID, to consumer: SlotID, key: UInt64 = 0,
    at now: Instant
  ) {
    metrics.recordsDelivered.add()
    guard isReliable(subscription) else {
      subscriptions[subscription].window = DeliveryWindow(startingAt: offset + 1)
      return
    }
    let due = now.advanced(milliseconds: configuration.ackTimeoutMilliseconds)
    let deliveries = subscriptions[subscription].window.delivered(
      offset, to: consumer, due: due, key: key)
    if deliveries > 1 { metrics.recordsRedelivered.add() }
    nextDue = min(nextDue, due)
  }

  /// Nobody takes the records of a subscription now: of a non-reliable topic they are dropped, all
  /// of them without a consumer, else what goes beyond a backlog.
  mutating func blocked(_ subscription: SlotID, hasConsumer: Bool) {
    guard !isReliable(subscription) else { return }
    let topic = subscriptions[subscription].topic
    let end = topics[topic].endOffset
    let backlog = hasConsumer ? UInt64(limits.nonReliableBacklog) : 0
    let oldest = max(topics[topic].firstOffset, end - min(end, backlog))
    let cursor = subscriptions[subscription].window.cursor
    guard cursor < oldest else { return }
    metrics.recordsMissed.add(oldest - cursor)
    subscriptions[subscription].window = DeliveryWindow(startingAt: oldest)
  }

  /// Nobody takes a record of a non-reliable topic: it is dropped.
  mutating func drop(_ offset: UInt64, of subscription: SlotID) {
    metrics.recordsMissed.add(1)
    subscriptions[subscription].window = DeliveryWindow(startingAt: offset + 1)
  }

  /// Looks at a record, with the fields that are to follow it when it is delivered: `msg_id`, which
  /// protobuf merges into the stored one, and `subscription_name`, the last one winning.
  func withRecord(
    _ offset: UInt64, of subscription: SlotID, tail: inout GrowableBytes,
    _ body: (_ bytes: RawSpan, _ tail: RawSpan) -> Void
  ) {
    let topic = subscriptions[subscription].topic
    guard offset >= topics[topic].firstOffset else {
      withSpooledRecord(offset, of: subscription, tail: &tail, body)
      return
    }
    let location = topics[topic].locations[Int(offset - topics[topic].firstOffset)]
    if isReliable(subscription) {
      log.withRecord(at: location) { bytes, isLocal in
        writeTail(offset, of: subscription, isLocal: isLocal, to: &tail)
        if isLocal { correct(clockCorrection.publishTimes, of: bytes, to: &tail) }
        body(bytes, tail.bytes)
      }
    } else {
      nonReliableLog.withRecord(at: location) { bytes, isLocal in
        writeTail(offset, of: subscription, isLocal: isLocal, to: &tail)
        body(bytes, tail.bytes)
      }
    }
  }

  /// Records of the gateway itself that came before the clock was set have the right publish time
  /// behind the stored one; what clients sent is theirs.
  func correct(_ times: PublishTimes?, of bytes: RawSpan, to tail: inout GrowableBytes) {
    guard let time = times?.corrected(in: bytes) else { return }
    PublishTimes.field(time, into: &tail)
  }

  func writeTail(
    _ offset: UInt64, of subscription: SlotID, isLocal: Bool, to tail: inout GrowableBytes
  ) {
    tail.removeAll()
    let topic = subscriptions[subscription].topic
    let producerID =
      isLocal ? topics[topic].localProducer.map { sessionID($0) } ?? 0 : 0
    let size =
      Protobuf.fieldSize(1, varint: producerID)
      + Protobuf.fieldSize(3, bytes: advertisedURL) + Protobuf.tagSize(5)
      + Protobuf.varintSize(offset)
    tail.appendLength(2, size)
    tail.appendField(1, varint: producerID)
    tail.appendField(3, bytes: advertisedURL)
    tail.appendPresentField(5, varint: offset)
    tail.appendLengthDelimited(6, subscriptions[subscription].name)
  }

  /// Takes an ack and tells the request id to echo.
  mutating func acknowledge(_ message: RawSpan) throws(Refusal) -> UInt64 {
    let (request, subscription) = try target(of: message)
    if subscriptions[subscription].window.acknowledge(request.offset) {
      keepDelivered(request.offset..<request.offset + 1, of: subscription)
      metrics.recordsAcknowledged.add()
      queue(subscription)
    }
    return request.requestID
  }

  /// Takes a nack: the record comes again after a delay that doubles with each delivery, or after
  /// the one asked for when that is longer. Tells the request id to echo.
  mutating func refuse(_ message: RawSpan, at now: Instant) throws(Refusal) -> UInt64 {
    let (request, subscription) = try target(of: message)
    let maximum = configuration.redeliveryMaximumMilliseconds
    let minimum = configuration.redeliveryMinimumMilliseconds
    let asked = Int(min(request.delayMilliseconds ?? 0, UInt64(maximum)))
    let isPostponed = subscriptions[subscription].window.postpone(request.offset) { deliveries in
      let doubled = minimum << min(deliveries - 1, 20)
      return now.advanced(milliseconds: min(max(doubled, asked), maximum))
    }
    if isPostponed {
      metrics.recordsNacked.add()
      nextDue = min(nextDue, subscriptions[subscription].window.nextDue)
      queue(subscription)
    }
    return request.requestID
  }

  private func target(
    of message: RawSpan
  ) throws(Refusal) -> (
    request: (requestID: UInt64, offset: UInt64, delayMilliseconds: UInt64?), subscription: SlotID
  ) {
    let view: AckRequestView
    do throws(DanubeProtocolError) {
      view = try AckRequestView(decoding: message)
    } catch {
      throw .malformed
    }
    guard view.hasMessageID else { throw .missingMessageID }
    guard let topic = topic(named: view.topicName) else {
      throw Refusal(.internalError, "Topic not found on this broker")
    }
    guard let subscription = subscription(named: view.subscriptionName, topic: topic) else {
      throw Refusal(.internalError, "Subscription not found")
    }
    return ((view.requestID, view.topicOffset, view.delayMilliseconds), subscription)
  }

  /// Lets time pass: acks that did not come, delays that are over, subscriptions to forget.
  /// O(subscriptions) when something may be due.
  mutating func advance(to now: Instant) {
    guard nextDue <= now else { return }
    var earliest = Instant.distantFuture
    for index in 0..<subscriptions.upperBound {
      guard let slot = subscriptions.tenant(at: index) else { continue }
      if let since = subscriptions[slot].idleSince, !isReliable(slot) {
        let end = since.advanced(milliseconds: limits.nonReliableIdleMilliseconds)
        if end <= now {
          remove(subscription: slot)
          continue
        }
        earliest = min(earliest, end)
      }
      let timeouts = subscriptions[slot].window.advance(to: now)
      if timeouts > 0 { metrics.ackTimeouts.add(UInt64(timeouts)) }
      if subscriptions[slot].window.hasReady { queue(slot) }
      if subscriptions[slot].readFailures > 0, subscriptions[slot].read == nil {
        if subscriptions[slot].readAgainAt <= now {
          queue(slot)
        } else {
          earliest = min(earliest, subscriptions[slot].readAgainAt)
        }
      }
      earliest = min(earliest, subscriptions[slot].window.nextDue)
    }
    nextDue = earliest
  }
}
