import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics
import Records
import Spool

// Reliable topics as lanes of the spool. A record's offset is its sequence in the lane.
extension BrokerState {
  /// Whether records of a topic go to the spool.
  func isSpooled(_ topic: Int) -> Bool { topics[topic].lane != nil }

  /// The oldest offset of a topic that may be delivered.
  func firstOffset(of topic: Int) -> UInt64 {
    guard let lane = topics[topic].lane else { return topics[topic].firstOffset }
    switch spool {
    case .some(let spool): return spool.firstSequence(of: lane)
    case .none: return topics[topic].firstOffset
    }
  }

  /// The offset before which records of a topic may be delivered: what is not durable yet may be
  /// gone after a crash, and its offset would then be another record's.
  func visibleEnd(of topic: Int) -> UInt64 {
    guard let lane = topics[topic].lane else { return topics[topic].endOffset }
    switch spool {
    case .some(let spool): return spool.durableEnd(of: lane)
    case .none: return topics[topic].endOffset
    }
  }

  /// Whether the spool takes records now. What a disk that fails is given could not be refused
  /// properly any more.
  var hasSpoolRoom: Bool {
    switch spool {
    case .some(let spool): return spool.isReady && spool.hasRoom && !spool.isStuck
    case .none: return true
    }
  }

  // MARK: The start

  /// The spool knows what it holds: its lanes are topics again, its cursors subscriptions.
  mutating func spoolIsReady() {
    isOpen = true
    spool?.serve(.subscriptions, now: now)
    let count = spool?.laneCount ?? 0
    for number in 0..<count { learnTopic(SpoolLaneID(rawValue: UInt32(number))) }
    let lanes = pendingLanes
    pendingLanes = []
    for lane in lanes { addLane(lane) }
  }

  private mutating func learnTopic(_ lane: SpoolLaneID) {
    let name = spool?.topic(of: lane) ?? []
    // Whoever wrote the spool may have used other names; clients can't ask for those.
    guard topic(named: name) == nil, TopicName.isValid(name) else { return }
    namespaces.insert(Array(TopicName.namespace(of: name)))
    let isReliable = spool?.isReliable(lane) ?? true
    let topic = makeTopic(name, strategy: isReliable ? .reliable : .nonReliable)
    topics[topic].isFromDisk = true
    topics[topic].wasOnDisk = true
    guard isReliable else { return }
    topics[topic].receivedThrough = spool?.receivedThrough(of: lane) ?? nil
    topics[topic].savedThrough = topics[topic].receivedThrough
    for (name, isExclusive) in spool?.cursors(of: lane) ?? [] {
      // The cursor without a name is that of the way to a broker elsewhere.
      if name.isEmpty || subscriptions.isFull { continue }
      let slot = subscriptions.insert(
        Subscription(
          name: name, topic: topic, type: isExclusive ? .exclusive : .shared,
          isTypeOpen: !isExclusive, window: DeliveryWindow(startingAt: 0)))
      subscriptions[slot].idleSince = now
      topics[topic].subscriptions.append(slot)
      connectCursor(of: slot)
      learnConsumers(of: slot, lane)
    }
    metrics.subscriptions.set(subscriptions.count)
  }

  /// The consumers that a subscription had are known again; none of them is there.
  private mutating func learnConsumers(of subscription: SlotID, _ lane: SpoolLaneID) {
    let cursor = subscriptions[subscription].cursor
    for name in spool?.consumers(ofCursor: cursor, of: lane) ?? [] where !consumers.isFull {
      let consumer = consumers.insert(Consumer(name: name, subscription: subscription))
      subscriptions[subscription].consumers.append(consumer)
    }
  }

  /// The disk is to know the consumers of a subscription, which came or went.
  mutating func keepConsumers(of subscription: SlotID) {
    guard let lane = topics[subscriptions[subscription].topic].lane else { return }
    let names = subscriptions[subscription].consumers.map { consumers[$0].name }
    spool?.setConsumers(names, ofCursor: subscriptions[subscription].cursor, of: lane, now: now)
    spool?.hurry(at: now)
  }

  /// Gives a new reliable topic its lane.
  mutating func makeLane(of topic: Int) {
    guard isOpen else { return }
    let isReliable = topics[topic].strategy == .reliable
    guard let lane = spool?.lane(topic: topics[topic].name, isReliable: isReliable) else { return }
    // A topic is to be there after a crash even if it has no record.
    spool?.lanesChanged(at: now)
    guard isReliable else { return }
    topics[topic].lane = lane
    topics[topic].firstOffset = spool?.nextSequence(of: lane) ?? 0
    topics[topic].droppedBefore = firstOffset(of: topic)
  }

  /// A topic that nobody relied on is to be reliable from now on: the configuration changed.
  mutating func makeReliable(_ topic: Int) {
    topics[topic].strategy = .reliable
    makeLane(of: topic)
    if let lane = topics[topic].lane { spool?.makeReliable(lane, at: now) }
  }

  // MARK: Cursors

  /// Finds or makes the cursor of a subscription, and begins where it is.
  mutating func connectCursor(of subscription: SlotID, startingAt start: UInt64 = 0) {
    let topic = subscriptions[subscription].topic
    guard let lane = topics[topic].lane else { return }
    let name = subscriptions[subscription].name
    let isExclusive = subscriptions[subscription].isExclusive
    let known = spool?.cursor(named: name, of: lane)
    let isNew = known == nil
    let cursor =
      known
      ?? spool?.addCursor(named: name, isExclusive: isExclusive, of: lane, at: start, now: now)
      ?? 0
    subscriptions[subscription].cursor = cursor
    if isNew { subscriptions[subscription].change = spool?.changeCount ?? 0 }
    if let delivered = spool?.delivered(cursor, of: lane) {
      subscriptions[subscription].window = DeliveryWindow(
        delivered, first: firstOffset(of: topic))
    }
  }

  /// Whether what the spool's change counter stood at once is on the disk.
  func isSaved(_ change: UInt64) -> Bool {
    switch spool {
    case .some(let spool): return change <= spool.savedChangeCount
    case .none: return true
    }
  }

  /// Whether a subscription that seems to be new may have been there before: the disk has lost what
  /// it knew of those. It then begins with the oldest record: more than once is better than never.
  func isCursorLost(of topic: Int) -> Bool {
    guard topics[topic].wasOnDisk else { return false }
    switch spool {
    case .some(let spool): return spool.areCursorsLost
    case .none: return false
    }
  }

  /// Forgets the cursor of a subscription; those behind it move up.
  mutating func removeCursor(of subscription: SlotID) {
    let topic = subscriptions[subscription].topic
    guard let lane = topics[topic].lane else { return }
    releaseRead(of: subscription)
    spool?.removeCursor(named: subscriptions[subscription].name, of: lane, now: now)
    for other in topics[topic].subscriptions where other != subscription {
      guard let cursor = spool?.cursor(named: subscriptions[other].name, of: lane) else { continue }
      subscriptions[other].cursor = cursor
    }
  }

  /// A subscription needs these records no more.
  mutating func keepDelivered(_ offsets: Range<UInt64>, of subscription: SlotID) {
    guard let lane = topics[subscriptions[subscription].topic].lane, !offsets.isEmpty else {
      return
    }
    spool?.deliver(offsets, to: subscriptions[subscription].cursor, of: lane, now: now)
  }

  /// Sets the cursor of a subscription back, and delivers from there.
  mutating func replay(
    _ name: [UInt8], subscription: [UInt8], from sequence: UInt64
  ) throws(SpoolChangeError) -> SpoolChange {
    let told = try spool?.replay(name, reader: subscription, from: sequence, now: now)
    guard let change = told else { throw .unknownLane }
    guard let topic = topic(named: name), let slot = existing(subscription, topic: topic),
      let lane = topics[topic].lane,
      let delivered = spool?.delivered(subscriptions[slot].cursor, of: lane)
    else { return change }
    releaseRead(of: slot)
    subscriptions[slot].readFailures = 0
    subscriptions[slot].window = DeliveryWindow(delivered, first: firstOffset(of: topic))
    queue(slot)
    return change
  }

  /// Gives up the records of a topic below `end`, or all. What a limit dropped before is noticed
  /// first: it counts, what a person gives up does not.
  mutating func drop(
    _ name: [UInt8], before end: UInt64?, isTrial: Bool
  ) throws(SpoolChangeError) -> SpoolChange {
    noticeDrops()
    let told = try spool?.drop(name, before: end, isTrial: isTrial, now: now)
    guard let change = told else { throw .unknownLane }
    guard !isTrial, let topic = topic(named: name), isSpooled(topic) else { return change }
    let first = firstOffset(of: topic)
    for subscription in topics[topic].subscriptions {
      if subscriptions[subscription].window.nextOffset < topics[topic].droppedBefore {
        _ = nextToDeliver(subscription)
      }
      subscriptions[subscription].window.giveUp(before: first)
      queue(subscription)
    }
    topics[topic].droppedBefore = max(topics[topic].droppedBefore, first)
    return change
  }

  // MARK: Records

  /// Appends a record, as an element of a batch, to a topic's lane; there must be room. It stays in
  /// memory too while there is space: most consumers want it at once. What is not durable yet may
  /// leave that memory as well, since the spool keeps it until it is.
  mutating func spoolRecord(
    topic: Int, isLocal: Bool, element: RawSpan, body: RawSpan
  ) -> UInt64 {
    guard let lane = topics[topic].lane,
      let receipt = spool?.append(element, to: lane, at: now)
    else { preconditionFailure("the topic has no lane") }
    assert(receipt.sequence == topics[topic].endOffset, "a sequence that nobody knows of")
    makeRoomInLog(for: body.byteCount)
    topics[topic].locations.append(log.append(topic: topic, isLocal: isLocal, body: body))
    countAppended()
    return receipt.ticket
  }

  private mutating func makeRoomInLog(for byteCount: Int) {
    while !log.hasRoom(byteCount), let oldest = log.removeOldest() { topics[oldest].forgetOldest() }
  }

  /// Takes the message of a client, which is answered when it is durable. It waits for room that
  /// comes by itself, as where files are about to go.
  mutating func spoolMessage(
    _ message: RawSpan, topic: Int, requestID: UInt64, from call: ConsumerStream
  ) throws(Refusal) {
    guard heldMessages.isEmpty, hasSpoolRoom, !isBatchWaiting else {
      let bytes = heldMessages.byteCount + message.byteCount
      guard !isSpoolStuck, bytes <= limits.heldBatchBytes else { throw .noSpace }
      heldMessages.append(
        HeldMessage(
          call: call, requestID: requestID, topic: topic, bytes: Array(copying: message)))
      return
    }
    appendMessage(message, topic: topic, requestID: requestID, from: call)
  }

  /// Whether the disk takes nothing.
  private var isSpoolStuck: Bool {
    switch spool {
    case .some(let spool): return !spool.isReady || spool.isStuck
    case .none: return false
    }
  }

  /// The next message that waited for room, if there is some.
  mutating func nextHeldMessage() -> HeldMessage? {
    guard hasSpoolRoom, !isBatchWaiting else { return nil }
    return heldMessages.popFirst()
  }

  /// Appends the message of a client. There must be room.
  mutating func appendMessage(
    _ message: RawSpan, topic: Int, requestID: UInt64, from call: ConsumerStream
  ) {
    element.removeAll(keepingCapacityUpTo: 64 << 10)
    element.appendLengthDelimited(2, message)
    var scratch = GrowableBytes()
    swap(&scratch, &element)
    let ticket = spoolRecord(topic: topic, isLocal: false, element: scratch.bytes, body: message)
    swap(&scratch, &element)
    awaited.append(
      Awaited(ticket: ticket, topic: topic, waiter: .call(call, requestID: requestID)))
  }

  /// How many offsets of a topic there are in a range, less those that the start left out.
  private func numbers(in range: Range<UInt64>, of topic: Int) -> UInt64 {
    var left = 0..<UInt64(0)
    switch spool {
    case .some(let spool):
      if let lane = topics[topic].lane { left = spool.numbersLeftOut(of: lane).clamped(to: range) }
    case .none: break
    }
    return range.upperBound - range.lowerBound - (left.upperBound - left.lowerBound)
  }

  /// Notices what a limit on the disk dropped: subscriptions that had not got it are to say so even
  /// if nothing else happens to them. O(topics) when something was dropped.
  mutating func noticeDrops() {
    let count = spool?.dropCount ?? 0
    guard count != knownDropCount else { return }
    knownDropCount = count
    for topic in topics.indices where isSpooled(topic) {
      let first = firstOffset(of: topic)
      guard first > topics[topic].droppedBefore else { continue }
      metrics.recordsExpired.add(numbers(in: topics[topic].droppedBefore..<first, of: topic))
      topics[topic].droppedBefore = first
      queueSubscriptions(of: topic)
    }
  }
}
