import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics
import Spool

// Subscriptions and their consumers.
extension BrokerState {
  /// Subscribes a consumer; a stream that the same name had open is to be ended. Without a response
  /// the call is answered when the subscription is on the disk.
  mutating func subscribe(
    _ request: ConsumerRequest, call: ConsumerStream, at now: Instant
  ) throws(Refusal) -> (response: ConsumerResponse?, ended: ConsumerStream?) {
    try checkName(request.consumerName, what: "consumer_name")
    try checkName(request.subscription, what: "subscription")
    guard request.subscriptionType != .unrecognized else {
      throw Refusal(.invalidArgument, "subscription_type is not known")
    }
    try checkFilters(request.keyFilters)
    guard let topic = topic(named: request.topicName) else {
      throw Refusal(.notFound, "topic \(shown(request.topicName)) not found")
    }
    let subscription: SlotID
    if let known = existing(request.subscription, topic: topic) {
      subscription = known
      fixType(of: known, request.subscriptionType)
    } else {
      subscription = try makeSubscription(
        request.subscription, topic: topic, type: request.subscriptionType, at: now)
    }
    let (consumer, ended) = try attach(request.consumerName, to: subscription)
    consumers[consumer].connection = call.connection
    consumers[consumer].keyFilters = request.keyFilters
    subscriptions[subscription].window.forgetChoices()
    subscriptions[subscription].idleSince = nil
    let response = ConsumerResponse(
      requestID: request.requestID, consumerID: sessionID(consumer),
      consumerName: request.consumerName)
    let change = subscriptions[subscription].change
    if isSaved(change) { return (response, ended) }
    spool?.hurry(at: now)
    heldSubscribes.append(HeldSubscribe(change: change, call: call, response: response))
    return (nil, ended)
  }

  /// The first Subscribe after a start says what a subscription from the disk is, unless that is
  /// Exclusive, which is known; later ones are not asked, as with Danube.
  private mutating func fixType(of subscription: SlotID, _ type: SubscriptionType) {
    guard subscriptions[subscription].isTypeOpen else { return }
    subscriptions[subscription].isTypeOpen = false
    if type != .exclusive { subscriptions[subscription].type = type }
  }

  private func checkFilters(_ filters: [[UInt8]]) throws(Refusal) {
    guard filters.count <= limits.keyFilters, filters.allSatisfy({ $0.count <= limits.nameBytes })
    else {
      throw Refusal(
        .invalidArgument,
        "key_filters must be at most \(limits.keyFilters), of \(limits.nameBytes) bytes each")
    }
  }

  func existing(_ name: [UInt8], topic: Int) -> SlotID? {
    topics[topic].subscriptions.first { subscriptions[$0].name == name }
  }

  func subscription(named name: RawSpan, topic: Int) -> SlotID? {
    topics[topic].subscriptions.first { name.isEqual(to: subscriptions[$0].name) }
  }

  private mutating func makeSubscription(
    _ name: [UInt8], topic: Int, type: SubscriptionType, at now: Instant
  ) throws(Refusal) -> SlotID {
    if subscriptions.isFull { makeRoomForSubscription(at: now) }
    guard !subscriptions.isFull else {
      throw Refusal(.resourceExhausted, "no more than \(limits.subscriptions) subscriptions")
    }
    let wantsLatest = configuration.newSubscription == .latest && !isCursorLost(of: topic)
    let isLatest = wantsLatest || topics[topic].strategy != .reliable
    let start = isLatest ? visibleEnd(of: topic) : firstOffset(of: topic)
    let slot = subscriptions.insert(
      Subscription(
        name: name, topic: topic, type: type,
        window: DeliveryWindow(startingAt: start)))
    topics[topic].subscriptions.append(slot)
    connectCursor(of: slot, startingAt: start)
    metrics.subscriptions.set(subscriptions.count)
    return slot
  }

  /// Finds the consumer of a name or makes one; what an earlier session of it held goes out again.
  private mutating func attach(
    _ name: [UInt8], to subscription: SlotID
  ) throws(Refusal) -> (consumer: SlotID, ended: ConsumerStream?) {
    let known = subscriptions[subscription].consumers
    if let consumer = known.first(where: { consumers[$0].name == name }) {
      return (consumer, endStream(of: consumer))
    }
    if subscriptions[subscription].isExclusive {
      guard !known.contains(where: { consumers[$0].isActive }) else {
        throw Refusal(
          .permissionDenied,
          "subscription \(shown(subscriptions[subscription].name)) is exclusive and can't be shared"
        )
      }
      // Danube would refuse for ever; here one that is gone gives way.
      for consumer in known { remove(consumer) }
    }
    if consumers.isFull { makeRoomForConsumer() }
    guard !consumers.isFull else {
      throw Refusal(.resourceExhausted, "no more than \(limits.consumers) consumers")
    }
    let consumer = consumers.insert(Consumer(name: name, subscription: subscription))
    subscriptions[subscription].consumers.append(consumer)
    keepConsumers(of: subscription)
    return (consumer, nil)
  }

  /// Lets a consumer receive on a stream; one that it had open is to be ended.
  mutating func open(
    _ request: ReceiveRequest, stream: ConsumerStream
  ) throws(Refusal) -> ConsumerStream? {
    guard let consumer = consumer(request.consumerID) else {
      throw Refusal(.notFound, "consumer \(request.consumerID) not found")
    }
    let ended = endStream(of: consumer)
    consumers[consumer].stream = stream
    consumers[consumer].connection = stream.connection
    let subscription = consumers[consumer].subscription
    topics[subscriptions[subscription].topic].streamCount += 1
    subscriptions[subscription].window.forgetChoices()
    subscriptions[subscription].idleSince = nil
    queue(subscription)
    return ended
  }

  /// Forgets the stream of a consumer, and lets what it held go out again.
  mutating func endStream(of consumer: SlotID) -> ConsumerStream? {
    guard let stream = consumers[consumer].stream else { return nil }
    consumers[consumer].stream = nil
    let subscription = consumers[consumer].subscription
    topics[subscriptions[subscription].topic].streamCount -= 1
    subscriptions[subscription].window.release(consumer)
    subscriptions[subscription].window.forgetChoices()
    queue(subscription)
    return stream
  }

  /// A client ended its stream: the consumer is there no more, until it subscribes or receives.
  mutating func streamClosed(_ stream: ConsumerStream, at now: Instant) {
    forEachConsumer(of: stream.connection) { state, consumer in
      guard state.consumers[consumer].stream == stream else { return }
      state.detach(consumer, at: now)
    }
  }

  /// A connection ended: none of its consumers is there any more.
  mutating func connectionClosed(_ connection: SlotID, at now: Instant) {
    forEachConsumer(of: connection) { state, consumer in state.detach(consumer, at: now) }
  }

  private mutating func forEachConsumer(
    of connection: SlotID, _ body: (inout BrokerState, SlotID) -> Void
  ) {
    for index in 0..<consumers.upperBound {
      guard let consumer = consumers.tenant(at: index) else { continue }
      if consumers[consumer].connection == connection { body(&self, consumer) }
    }
  }

  /// Lets the subscriptions that a connection receives for look for something to deliver.
  mutating func queueSubscriptions(ofConnection connection: SlotID) {
    for index in 0..<consumers.upperBound {
      guard let consumer = consumers.tenant(at: index) else { continue }
      if consumers[consumer].stream?.connection == connection {
        queue(consumers[consumer].subscription)
      }
    }
  }

  private mutating func detach(_ consumer: SlotID, at now: Instant) {
    _ = endStream(of: consumer)
    consumers[consumer].connection = nil
    let subscription = consumers[consumer].subscription
    let isUsed = subscriptions[subscription].consumers.contains { consumers[$0].isActive }
    guard !isUsed else { return }
    subscriptions[subscription].idleSince = now
    if topics[subscriptions[subscription].topic].strategy != .reliable {
      nextDue = min(nextDue, now.advanced(milliseconds: limits.nonReliableIdleMilliseconds))
    }
  }

  // MARK: Making room

  private mutating func remove(_ consumer: SlotID) {
    assert(consumers[consumer].stream == nil, "a consumer that receives is there")
    let subscription = consumers[consumer].subscription
    subscriptions[subscription].consumers.removeAll { $0 == consumer }
    subscriptions[subscription].turn = 0
    _ = consumers.remove(consumer)
  }

  private mutating func makeRoomForConsumer() {
    for index in 0..<consumers.upperBound {
      guard let consumer = consumers.tenant(at: index), !consumers[consumer].isActive else {
        continue
      }
      let subscription = consumers[consumer].subscription
      remove(consumer)
      keepConsumers(of: subscription)
      return
    }
  }

  private mutating func makeRoomForSubscription(at now: Instant) {
    var oldest: (since: Instant, slot: SlotID)?
    for index in 0..<subscriptions.upperBound {
      guard let slot = subscriptions.tenant(at: index),
        let since = subscriptions[slot].idleSince,
        now.milliseconds(since: since) >= limits.idleSubscriptionMilliseconds
      else { continue }
      if oldest.map({ since < $0.since }) ?? true { oldest = (since, slot) }
    }
    if let oldest { remove(subscription: oldest.slot) }
  }

  mutating func remove(subscription: SlotID) {
    for consumer in subscriptions[subscription].consumers { remove(consumer) }
    removeCursor(of: subscription)
    let topic = subscriptions[subscription].topic
    topics[topic].subscriptions.removeAll { $0 == subscription }
    _ = subscriptions.remove(subscription)
    metrics.subscriptions.set(subscriptions.count)
  }
}
