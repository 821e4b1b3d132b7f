import Bytes
import DanubeProtocol
import IOPort
import Metrics

/// Topics, producers, subscriptions and consumers of the broker, without connections: it takes
/// requests that were read, and answers or refuses.
struct BrokerState: ~Copyable {
  let configuration: LocalBrokerConfiguration
  let limits: LocalBrokerLimits
  let metrics: LocalBrokerMetrics
  /// The broker's own URL, told in look-ups and in the ids of messages.
  var advertisedURL: [UInt8] = []
  var log: RecordLog
  var topics: [Topic] = []
  var topicNames = NameIndex()
  /// The topic of each lane.
  private(set) var laneTopics: [Int] = []
  var producers: SlotTable<Producer>
  var producerNames = NameIndex()
  var subscriptions: SlotTable<Subscription>
  var consumers: SlotTable<Consumer>
  /// Subscriptions that may have something to deliver.
  var queued: [SlotID] = []
  /// Nothing that time alone brings about is due before this.
  var nextDue = Instant.distantFuture
  private let sessionBase: UInt64
  private let namespaces: Set<[UInt8]>

  init(
    configuration: LocalBrokerConfiguration, limits: LocalBrokerLimits,
    metrics: LocalBrokerMetrics, seed: UInt64
  ) {
    precondition(configuration.maximumUnacknowledged >= 1 && configuration.retainBytes >= 1)
    self.configuration = configuration
    self.limits = limits
    self.metrics = metrics
    log = RecordLog(budgetBytes: configuration.retainBytes)
    producers = SlotTable(capacity: limits.producers + configuration.lanes.count)
    subscriptions = SlotTable(capacity: limits.subscriptions)
    consumers = SlotTable(capacity: limits.consumers)
    var random = SplitMix64(seed: seed)
    sessionBase = random.next() >> 2
    let ofLanes = configuration.lanes.map { Array(TopicName.namespace(of: $0)) }
    namespaces = Set(configuration.namespaces + ofLanes + [Array("default".utf8)])
    for lane in configuration.lanes {
      if let topic = topic(named: lane) {
        laneTopics.append(topic)
        continue
      }
      let topic = makeTopic(lane, strategy: .reliable)
      laneTopics.append(topic)
      topics[topic].localProducer = producers.insert(
        Producer(name: Array("danube-gateway".utf8), topic: topic))
    }
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
    return topics.count - 1
  }

  func hasNamespace(_ name: [UInt8]) -> Bool { namespaces.contains(name) }

  // MARK: Records

  /// Appends a record to a topic, for which the oldest records leave when memory is full.
  mutating func append(topic: Int, isLocal: Bool, body: RawSpan) {
    while !log.hasRoom(body.byteCount), let expired = log.removeOldest() {
      topics[expired].locations.popFirst()
      topics[expired].firstOffset += 1
      metrics.recordsExpired.add()
    }
    let location = log.append(topic: topic, isLocal: isLocal, body: body)
    topics[topic].locations.append(location)
    metrics.recordsAppended.add()
    metrics.retainedBytes.set(log.usedBytes)
  }

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
