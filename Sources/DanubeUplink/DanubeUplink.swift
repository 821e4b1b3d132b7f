import Bytes
public import IOPort
import Metrics
public import Records
public import TLS

/// Publishes the records of batches to a Danube cluster: looks topics up, creates producers, sends
/// each record by SendMessage until the broker accepts it or refuses it for good.
///
/// The broker keeps no order between concurrent calls, so one record of a key is in flight at a
/// time and many keys are; a record that fails is sent again before the next of its key. Nothing
/// is dropped while brokers are away: records wait in the ``BatchStore``, whose limits push back.
///
/// Each lane goes its own way to a producer, and may be added at any time:
///
/// ```
/// waiting → look-up at a seed → connection to the owner → CreateProducer → ready
///    ↑ back-off ←──────────────── any failure ←─────────────────────────────┘
/// ```
///
/// A turn costs what happens in it, not what there is: lanes that wait for time stand in a timer
/// queue, those that wait for a seed or for a broker's connection in a queue each, and no more than
/// a quarter of the window for calls is taken by look-ups and new producers.
///
/// A decider: bytes, completions and the time go in, operations come out. The owner calls
/// `handle` for each completion whose token carries `owner`, `advance` when the clock moved, then
/// `nextProgress` until nil, and `flush` once a turn.
public struct DanubeUplink: ~Copyable {
  let owner: UInt8
  let limits: UplinkLimits
  let store: BatchStore
  let metrics: UplinkMetrics

  var lanes: [LaneState] = []
  /// The place among the lanes of each `LaneID`, -1 of one that is none.
  var lanePlaces: [Int32] = []
  /// Where brokers are.
  var book = AddressBook()
  /// The entry among the brokers of each seed in the book.
  var seedBrokers: [Int] = []
  var brokers: [Broker] = []
  var connections: SlotTable<UplinkConnection>
  var calls = CallTable()
  /// What the cluster knows of this gateway.
  var edge: EdgeRegistration
  /// Lanes with something to replicate or to confirm, each at most once.
  var replicating = RingQueue<Int>()
  /// Records whose key backs off.
  var retries = RetryQueue()
  /// Lanes with records to send, as far as is known; each at most once.
  var runnable = RingQueue<Int>()
  /// Lanes that may begin another call when theirs have grown older, and when that is.
  var waitingForTime: [Int] = []
  var turnOfCalls = Instant.distantFuture
  /// Lanes whose look-up is due, in turn.
  var seeking = RingQueue<Int>()
  /// When lanes go on that wait for time; the token is the lane's number.
  var laneTimers = TimerQueue()
  /// Lanes that publish.
  var readyLaneCount = 0
  var progress = ProgressQueue()
  /// What names the memory of a batch, by its number.
  var pins: [Pins] = []
  var random: SplitMix64
  /// How brokers and the uplink trust each other, and how many tokens there were.
  var security: ClientSecurity
  var tokenNumber = 0
  var plaintext = Transport.Scratch()
  var scratch = GrowableBytes()
  var tail = GrowableBytes()
  /// Whether the clock of the machine was set since the start.
  public var clockCorrection = ClockCorrection()

  /// The time, as of the last call that told it.
  var now = Instant(nanoseconds: 0)
  /// The seed that is asked first.
  var seedCursor = 0
  /// Whether a connection or a broker may be of no use any more.
  var brokersAreDue = false
  /// When a broker that lanes wait for may be tried again.
  var brokerDeadline = Instant.distantFuture

  var keysInFlight = 0
  var recordsUnderWay = 0
  /// Lanes that have batches to send and no stream to be had.
  var wantedStreams = 0
  var sendsInFlight = 0
  var roundTrip = SmoothedTime()
  /// Look-ups and CreateProducer calls under way.
  var controlCallsInFlight = 0
  var lastError = UplinkError()
  /// What the broker said of records that it refused, until somebody asks.
  var refusals: [RecordRef: UplinkError] = [:]
  var isStarted = false
  var isShuttingDown = false

  /// An uplink through `seeds`, without lanes yet; `start` lets it begin. `owner` marks the tokens
  /// of its operations, `seed` decides the jitter of its back-offs. Without a `gatewayName` nothing
  /// is replicated.
  public init(
    owner: UInt8, limits: UplinkLimits, seeds: [ResolvedHost],
    security: ClientSecurity = ClientSecurity(), store: BatchStore, metrics: UplinkMetrics,
    seed: UInt64, gatewayName: [UInt8] = []
  ) {
    limits.check()
    edge = EdgeRegistration(name: gatewayName)
    self.owner = owner
    self.limits = limits
    self.security = security
    self.store = store
    self.metrics = metrics
    random = SplitMix64(seed: seed)
    connections = SlotTable(capacity: limits.maximumConnections)
    updateSeeds(seeds)
  }

  /// Begins: every lane looks its topic up and creates its producer, which creates the topic.
  public mutating func start(at now: Instant, operations: inout OperationQueue) {
    self.now = now
    isStarted = true
    for lane in lanes.indices { setPhase(.wantsSeed, of: lane) }
    flush(operations: &operations)
  }

  /// Takes a completion whose token carries the uplink's owner.
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
    case .sent(let count): sent(count, id)
    case .sendFailed(let error): sendFailed(error, id, operations: &operations)
    case .queueMeasured(let count): queueMeasured(count, id)
    case .closed: closed(id)
    // Not asked for.
    case .accepted: break
    case .acceptEnded: break
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

  /// Lets the time pass: calls that had no answer in time are made again, back-offs end.
  public mutating func advance(to now: Instant, operations: inout OperationQueue) {
    self.now = max(self.now, now)
    expireCalls()
    resumeRetries()
    resumeLanes()
    resumeSends()
    supervise(operations: &operations)
  }

  /// Starts what can be started and hands all bytes over in one send a connection. Once a turn,
  /// after all completions.
  public mutating func flush(operations: inout OperationQueue) {
    supervise(operations: &operations)
    if isShuttingDown && isIdle {
      closeAll(operations: &operations)
    } else {
      driveLanes(operations: &operations)
      startSends()
    }
    var window = 0
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index), connections[id].phase.socket != nil else {
        continue
      }
      if connections[id].isOpen, !connections[id].isRetired { window += connections[id].sendLimit }
      connections[id].flush(
        token: token(.send, id), scratch: &plaintext, operations: &operations)
      connections[id].measure(token: token(.measure, id), at: now, operations: &operations)
      takeReleasedTags(id)
    }
    metrics.callsInFlight.set(sendsInFlight)
    metrics.callWindow.set(window)
    metrics.keysInFlight.set(keysInFlight)
    metrics.recordsUnderWay.set(recordsUnderWay)
  }

  /// When `advance` and `flush` are next needed, unless a completion comes first.
  public var nextDeadline: Instant {
    var deadline = min(retries.nextDeadline, laneTimers.nextDeadline, brokerDeadline)
    deadline = min(deadline, min(turnOfCalls, edgeDeadline))
    for patience in 0...CallTable.maximumPatience {
      guard let tag = calls.oldestTag(patience: patience), let call = calls[tag] else { continue }
      let limit = deadlineMilliseconds(patience: patience)
      deadline = min(deadline, call.waitsSince.advanced(milliseconds: limit))
    }
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index) else { continue }
      if let next = connections[id].nextDeadline { deadline = min(deadline, next) }
      if wantsSuccessor(id) { deadline = min(deadline, brokers[connections[id].broker].retryAt) }
    }
    return deadline
  }

  /// What happened to records since the last time, oldest first; nil when all is told.
  public mutating func nextProgress() -> UplinkProgress? { progress.popFirst() }

  /// Lets the uplink close its connections as soon as it is idle. Records are still sent.
  public mutating func beginShutdown() { isShuttingDown = true }

  /// Whether the uplink has done with every submitted record.
  public var isIdle: Bool { recordsUnderWay == 0 }

  /// Whether no connection is open or under way.
  public var isClosed: Bool { connections.count == 0 }

  /// What names the memory of a batch.
  struct Pins: BitwiseCopyable {
    /// Sends that do.
    var count: UInt32 = 0
    /// Whether the end of a compaction is to be told once none does.
    var awaitsCompaction = false
    /// Records that were taken back or returned: they are not settled, but the uplink has done with
    /// them.
    var takenBackCount: UInt32 = 0
  }

  // MARK: Tokens

  /// What an operation of the uplink is for.
  enum Verb: UInt8 {
    case connect = 1
    case receive
    case send
    case close
    case cancel
    case measure
  }

  func token(_ verb: Verb, _ id: SlotID) -> Token {
    Token(owner: owner, verb: verb.rawValue, slot: id)
  }
}
