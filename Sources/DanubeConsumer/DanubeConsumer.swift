import Bytes
public import DanubeProtocol
import GRPC
public import IOPort
import Metrics
public import TLS

/// Consumes a topic of a Danube cluster, or all its partitions: looks them up, subscribes, hands
/// their messages out, and acknowledges.
///
/// Each partition goes its own way to a session, with the same names each time, so that the broker
/// continues where the subscription is:
///
/// ```
/// look-up at a seed → connection to the owner → Subscribe → ReceiveMessages
///    ↑ back-off ←──────── any failure, the stream's end, HealthCheck CLOSE ←┘
/// ```
///
/// A topic that is not there is waited for. Messages come out in the order of their partition;
/// after a session ended, messages that are still in hand and are delivered again are recognised,
/// and not handed out twice. Delivery is at least once all the same.
///
/// A decider: bytes, completions and the time go in, operations come out. The owner calls
/// `handle` for each completion whose token carries `owner`, `advance` when the clock moved, then
/// ``nextMessage()`` until nil, and `flush` once a turn.
public struct DanubeConsumer: ~Copyable {
  let owner: UInt8
  let limits: ConsumerLimits
  let metrics: ConsumerMetrics
  let topic: [UInt8]
  let subscription: [UInt8]
  let consumerName: [UInt8]
  let subscriptionType: SubscriptionType

  var discovery = Discovery.due
  var discoveryBackoff: Backoff
  /// The pause before a partitioned topic is asked for new partitions again.
  var refreshMilliseconds: Int
  var partitions: [Partition] = []
  /// Where brokers are.
  var book = AddressBook()
  /// The entry among the brokers of each seed in the book.
  var seedBrokers: [Int] = []
  /// The seed that is asked first.
  var seedCursor = 0
  var brokers: [ConsumerBroker] = []
  var connections: SlotTable<ConsumerConnection>
  var calls: SlotTable<ConsumerCall>
  var messages = HeldMessages()
  var notices = NoticeQueue()
  /// How brokers and the consumer trust each other.
  var security: ClientSecurity
  var plaintext = Transport.Scratch()
  var random: SplitMix64
  var scratch = GrowableBytes()
  var requestID: UInt64 = 0
  /// The time, as of the last call that told it.
  var now = Instant(nanoseconds: 0)
  var isStarted = false
  var isShuttingDown = false

  /// Where the search for the topic's partitions stands.
  enum Discovery {
    case due
    case asking
    case waiting(until: Instant)
    /// The topic has no partitions and is known.
    case over
  }

  /// A consumer of `topic` in `subscription`, reached through `seeds`; `start` lets it begin.
  ///
  /// `consumerName` is its identity for the broker: an exclusive subscription takes no other name,
  /// and the same name takes a session over. `owner` marks the tokens of its operations, `seed`
  /// decides the jitter of its back-offs.
  public init(
    owner: UInt8, limits: ConsumerLimits = ConsumerLimits(), topic: [UInt8], subscription: [UInt8],
    consumerName: [UInt8], subscriptionType: SubscriptionType = .exclusive,
    seeds: [ResolvedHost], security: ClientSecurity = ClientSecurity(),
    metrics: ConsumerMetrics = ConsumerMetrics(), seed: UInt64
  ) {
    limits.check()
    self.owner = owner
    self.limits = limits
    self.security = security
    self.topic = topic
    self.subscription = subscription
    self.consumerName = consumerName
    self.subscriptionType = subscriptionType
    self.metrics = metrics
    random = SplitMix64(seed: seed)
    discoveryBackoff = Backoff(
      minimumMilliseconds: limits.backoffMinimumMilliseconds,
      maximumMilliseconds: limits.backoffMaximumMilliseconds, seed: random.next())
    refreshMilliseconds = limits.topicRetryMilliseconds
    connections = SlotTable(capacity: limits.maximumConnections)
    // A partition has a stream and at most one other call under way.
    calls = SlotTable(
      capacity: limits.maximumSettlementCalls + 4 * limits.maximumPartitions + 16)
    updateSeeds(seeds)
  }

  /// Begins: looks for the topic and subscribes.
  public mutating func start(at now: Instant, operations: inout OperationQueue) {
    self.now = now
    isStarted = true
    flush(operations: &operations)
  }

  /// Takes a completion whose token carries the consumer's owner.
  public mutating func handle(
    _ completion: consuming Completion, at now: Instant, operations: inout OperationQueue
  ) {
    self.now = max(self.now, now)
    let id = completion.token.slot
    switch consume completion.event {
    case .connected(let descriptor): connected(descriptor, id, operations: &operations)
    case .connectFailed(let error): connectFailed(error, id)
    case .received(let received): take(received, from: id, operations: &operations)
    case .receiveEnded(let error): receiveEnded(error, id, operations: &operations)
    case .sent(let count):
      guard connections.contains(id), connections[id].phase.socket != nil else { return }
      connections[id].transport.sent(count)
    case .sendFailed(let error):
      guard connections.contains(id), connections[id].phase.socket != nil else { return }
      endSecuring(id, error.text, operations: &operations)
      end(id, error.text, operations: &operations)
    case .closed: closed(id)
    // Not asked for.
    case .accepted: break
    case .acceptEnded: break
    case .queueMeasured: break
    case .rung: break
    case .file: break
    }
  }

  private mutating func take(
    _ received: consuming ReceivedBytes, from id: SlotID, operations: inout OperationQueue
  ) {
    if connections.contains(id), connections[id].phase.socket != nil {
      self.received(received.bytes, id, operations: &operations)
    }
    operations.recycle(received)
  }

  /// Lets the time pass: calls without an answer fail, back-offs end.
  public mutating func advance(to now: Instant, operations: inout OperationQueue) {
    self.now = max(self.now, now)
    expireCalls()
    supervise(operations: &operations)
  }

  /// Starts what can be started and hands all bytes over in one send a connection. Once a turn,
  /// after all completions and after messages were taken.
  public mutating func flush(operations: inout OperationQueue) {
    guard isStarted else { return }
    supervise(operations: &operations)
    if !isShuttingDown {
      drive(operations: &operations)
      closeUnused(operations: &operations)
    }
    sendSettlements()
    if isShuttingDown, messages.underWayCount == 0, !hasSendableSettlements {
      closeAll(operations: &operations)
    }
    resumeReceiving(operations: &operations)
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index), connections[id].phase.socket != nil else {
        continue
      }
      connections[id].flush(
        token: token(.send, id), scratch: &plaintext, operations: &operations)
    }
    metrics.queued.set(messages.queuedCount)
    metrics.unacknowledged.set(messages.takenCount)
  }

  /// Lets the consumer send the acknowledgements that it has and then close its connections. No
  /// message comes out any more; those that were not acknowledged are delivered again to whoever
  /// subscribes next under these names.
  public mutating func beginShutdown() { isShuttingDown = true }

  /// Whether ``beginShutdown()`` has come to its end: no connection is open or under way.
  public var isClosed: Bool { isShuttingDown && connections.count == 0 }

  // MARK: Tokens

  /// What an operation of the consumer is for.
  enum Verb: UInt8 {
    case connect = 1
    case receive
    case send
    case close
    case cancel
  }

  func token(_ verb: Verb, _ id: SlotID) -> Token {
    Token(owner: owner, verb: verb.rawValue, slot: id)
  }
}
