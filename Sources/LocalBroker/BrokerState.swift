import Bytes
import DanubeProtocol
import IOPort
import Metrics
import Records
import Spool

/// Topics, producers, subscriptions and consumers of the broker, without connections: it takes
/// requests that were read, and answers or refuses.
struct BrokerState: ~Copyable {
  let configuration: LocalBrokerConfiguration
  let limits: LocalBrokerLimits
  let metrics: LocalBrokerMetrics
  /// The broker's own URL, told in look-ups and in the ids of messages.
  var advertisedURL: [UInt8] = []
  /// Records of reliable topics, kept for their subscriptions.
  /// With a spool these are the newest, of which it has all.
  var log: RecordLog
  /// Where records of reliable topics, the topics themselves and the cursors of subscriptions
  /// survive a crash; nil when everything is in memory.
  var spool: Spool?
  /// Whether the spool, if there is one, has told what it holds.
  var isOpen: Bool
  /// Lanes of the gateway that came before that.
  var pendingLanes: [LaneDescription] = []
  /// What is to be durable, in the order of the tickets.
  var awaited = RingQueue<Awaited>()
  /// Subscribe calls that wait until the disk knows of their subscriptions.
  var heldSubscribes = [HeldSubscribe]()
  /// Batches of edges that wait until the disk knows of their numbers.
  var heldAcks = RingQueue<HeldAck>()
  /// The edges that registered, and the versions of what they were told.
  var edges: [[UInt8]: UInt64] = [:]
  /// Messages of clients that wait for room, in the order in which they came.
  var heldMessages = HeldMessages()
  /// Whether batches of the gateway wait for room: they come before the calls of clients.
  var isBatchWaiting = false
  /// The subscription of each request to the spool.
  var readers: [SpoolRead: SlotID] = [:]
  /// The spool's count of drops when it was looked at last.
  var knownDropCount: UInt64 = 0
  /// A message of a client as an element of a batch.
  var element = GrowableBytes()
  /// When this turn began.
  var now = Instant(nanoseconds: 0)
  /// Whether the clock of the machine was set since the start.
  var clockCorrection = ClockCorrection()
  /// The time of day.
  var time = TimeOfDay()
  /// Records of non-reliable topics, on their way to consumers that are there. They have memory of
  /// their own, so that they push out nothing that somebody relies on.
  var nonReliableLog: RecordLog
  var topics: [Topic] = []
  var topicNames = NameIndex()
  /// The topics that are partitions, by their base.
  var partitionTopics: [[UInt8]: [Int]] = [:]
  /// The topic of each lane; nil when the lane is refused.
  var laneTopics: [Int?] = []
  /// Topics that exist for a lane, and producers that stand for the gateway.
  var laneTopicCount = 0
  var laneProducerCount = 0
  var producers: SlotTable<Producer>
  var producerNames = NameIndex()
  var subscriptions: SlotTable<Subscription>
  var consumers: SlotTable<Consumer>
  /// Subscriptions that may have something to deliver.
  var queued: [SlotID] = []
  /// Nothing that time alone brings about is due before this.
  var nextDue = Instant.distantFuture
  var namespaces: Set<[UInt8]>
  private(set) var notices: [LocalBrokerNotice] = []
  private let sessionBase: UInt64

  /// Notices that are kept until somebody takes them.
  private static var noticeLimit: Int { 64 }

  init(
    configuration: LocalBrokerConfiguration, limits: LocalBrokerLimits,
    metrics: LocalBrokerMetrics, seed: UInt64, spool: consuming Spool?
  ) {
    precondition(configuration.maximumUnacknowledged >= 1 && configuration.retainBytes >= 1)
    self.configuration = configuration
    self.limits = limits
    self.metrics = metrics
    log = RecordLog(budgetBytes: configuration.retainBytes)
    nonReliableLog = RecordLog(
      budgetBytes: min(limits.nonReliableBytes, configuration.retainBytes))
    producers = SlotTable(capacity: limits.producers + limits.lanes)
    subscriptions = SlotTable(capacity: limits.subscriptions)
    consumers = SlotTable(capacity: limits.consumers)
    var random = SplitMix64(seed: seed)
    sessionBase = random.next() >> 2
    namespaces = Set(configuration.namespaces + [Array("default".utf8)])
    isOpen = spool == nil
    self.spool = consume spool
    // What a subscription has may be wanted by one to come.
    self.spool?.keepsDelivered = true
  }

  // MARK: Ids

  /// The id that clients see. Ids of an earlier run of the broker are not known to this one, so
  /// that its clients create and subscribe again.
  func sessionID(_ slot: SlotID) -> UInt64 {
    sessionBase + (UInt64(slot.generation) << 24 | UInt64(slot.index))
  }

  func slot(_ sessionID: UInt64) -> SlotID? {
    guard sessionID >= sessionBase, sessionID - sessionBase < 1 << 48 else { return nil }
    let packed = sessionID - sessionBase
    return SlotID(index: UInt32(packed & 0xff_ffff), generation: UInt32(packed >> 24))
  }

  func producer(_ sessionID: UInt64) -> SlotID? {
    guard let slot = slot(sessionID), producers.contains(slot) else { return nil }
    return slot
  }

  func consumer(_ sessionID: UInt64) -> SlotID? {
    guard let slot = slot(sessionID), consumers.contains(slot) else { return nil }
    return slot
  }

  // MARK: Topics

  func topic(named name: RawSpan) -> Int? {
    topicNames.first(name) { name.isEqual(to: topics[$0].name) }
  }

  func topic(named name: [UInt8]) -> Int? {
    topicNames.first(name.rawBytes) { topics[$0].name == name }
  }

  mutating func makeTopic(_ name: [UInt8], strategy: DispatchStrategy) -> Int {
    topics.append(Topic(name: name, strategy: strategy))
    topicNames.insert(topics.count - 1, name: name)
    if let base = TopicName.partitionBase(of: name) {
      partitionTopics[Array(base), default: []].append(topics.count - 1)
    }
    makeLane(of: topics.count - 1)
    return topics.count - 1
  }

  func hasNamespace(_ name: [UInt8]) -> Bool { namespaces.contains(name) }

  // MARK: Records

  /// Appends a record to a topic, for which the oldest records leave when memory is full. One of a
  /// non-reliable topic that nobody receives now is gone at once.
  mutating func append(topic: Int, isLocal: Bool, body: RawSpan) {
    assert(!isSpooled(topic), "a record that is to be durable went to memory alone")
    if topics[topic].strategy == .reliable {
      while !log.hasRoom(body.byteCount), let expired = log.removeOldest() {
        topics[expired].forgetOldest()
        metrics.recordsExpired.add()
        // Subscriptions that had not got it are to notice even if nothing else happens to them.
        if expired != topic { queueSubscriptions(of: expired) }
      }
      topics[topic].locations.append(log.append(topic: topic, isLocal: isLocal, body: body))
    } else {
      guard topics[topic].streamCount > 0 else { return metrics.recordsUnheard.add() }
      while !nonReliableLog.hasRoom(body.byteCount), let gone = nonReliableLog.removeOldest() {
        topics[gone].forgetOldest()
      }
      topics[topic].locations.append(
        nonReliableLog.append(topic: topic, isLocal: isLocal, body: body))
    }
    countAppended()
  }

  func countAppended() {
    metrics.recordsAppended.add()
    metrics.retainedBytes.set(log.usedBytes + nonReliableLog.usedBytes)
  }

  // MARK: Notices

  /// Keeps a notice for the log. Few are kept a turn: the log's own limit counts the rest.
  mutating func note(_ notice: LocalBrokerNotice) {
    if notices.count < Self.noticeLimit { notices.append(notice) }
  }

  /// Takes the newest notice.
  mutating func nextNotice() -> LocalBrokerNotice? { notices.popLast() }

  /// Lets the topic's subscriptions look for something to deliver.
  mutating func queueSubscriptions(of topic: Int) {
    for index in topics[topic].subscriptions.indices {
      queue(topics[topic].subscriptions[index])
    }
  }

  mutating func queue(_ subscription: SlotID) {
    guard subscriptions.contains(subscription), !subscriptions[subscription].isQueued else {
      return
    }
    subscriptions[subscription].isQueued = true
    queued.append(subscription)
  }

  /// Takes a subscription out of the queue.
  mutating func nextQueued() -> SlotID? {
    while let subscription = queued.popLast() {
      if subscriptions.contains(subscription) {
        subscriptions[subscription].isQueued = false
        return subscription
      }
    }
    return nil
  }
}
