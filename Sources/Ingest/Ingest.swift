import Bytes
import HTTP1
public import IOPort
import MQTT
import Metrics
public import Records
public import Settings

/// The ingest side of the gateway: listeners and devices in front, sealed batches behind.
///
/// A decider: it is fed completions, progress and the time, and fills an ``OperationQueue``. A
/// device gets its answer when the record is safe, in the order of its publishes.
public struct Ingest: ~Copyable {
  struct Listener {
    let descriptor: Descriptor
    let configuration: ListenerConfiguration
    let requestLimits: RequestLimits
    let trustedProxies: TrustedProxies
    var connectionCount = 0
    var isAccepting = false

    init(descriptor: Descriptor, configuration: ListenerConfiguration) {
      self.descriptor = descriptor
      self.configuration = configuration
      requestLimits = RequestLimits(
        headBytes: configuration.maxHeadBytes, fieldCount: configuration.maxHeaderFields,
        bodyBytes: configuration.maxBodyBytes)
      trustedProxies = TrustedProxies(configuration.trustedProxies)
    }
  }

  enum Verb {
    static let accept: UInt8 = 1
    static let receive: UInt8 = 2
    static let send: UInt8 = 3
    static let close: UInt8 = 4
    static let timer: UInt8 = 5
    static let acceptAgain: UInt8 = 6
    static let ignored: UInt8 = 7
    static let will: UInt8 = 8
    static let spaceAgain: UInt8 = 9
  }

  let owner: UInt8
  let limits: IngestLimits
  let metrics: IngestMetrics
  let lanes: LaneTable
  /// Whether records for which there is no space are dropped instead of refused.
  let dropsNewest: Bool
  let unroutedPolicy: ProcessConfiguration.Unrouted
  var listeners: [Listener] = []
  var connections: SlotTable<Connection>
  /// Connections beyond their listener's limit that are being told so.
  var refusedConnectionCount = 0
  /// The connection of each client identifier.
  var clients: [[UInt8]: SlotID] = [:]
  var batcher: Batcher
  var router: Router
  var timers = TimerQueue()
  var dirty: [SlotID] = []
  /// Connections that wait for memory for records.
  var waiting = SlotQueue()
  /// Connections that wait for memory for an incomplete packet.
  var inputWaiting = SlotQueue()
  /// Webhooks that wait for memory for an incomplete request.
  var webhookInputWaiting = SlotQueue()
  var notices: [IngestNotice] = []
  var unrouted: UnroutedSampler
  var random: SplitMix64
  /// The time of day as of this turn, Unix milliseconds.
  var unixMilliseconds: UInt64 = 0
  /// Memory of the input buffers of all connections, and what is reserved beyond that.
  var inputBytes = 0
  var inputMemory = InputMemory()
  /// Memory of the topics behind topic aliases of all connections.
  var aliasBytes = 0
  var wills: WillParts
  /// Reserved for packets that are not complete.
  var reservedInputBytes = 0
  /// Of that, for webhooks.
  var reservedWebhookBytes = 0
  /// Since when memory for records has been used up.
  var exhaustedSince: Instant?
  /// Records under way whose senders were answered when they came.
  var answeredEarly = 0
  var isShuttingDown = false
  var webhooks: WebhookParts
  /// Reused for the attributes and the key of the record at hand.
  var routeFields = RouteFields()
  /// A planted fault for the simulation, which has to catch it: answers leave when the record is
  /// appended, before anybody has it.
  package var answersBeforeSafe = false
  let flags = FlagAttributes()
  var recordIDs: RecordIDs

  /// An ingest side without listeners yet.
  public init(
    owner: UInt8, configuration: GatewayConfiguration, limits: IngestLimits, store: BatchStore,
    lanes: LaneTable, metrics: IngestMetrics, unroutedTopics: UnroutedTopics, seed: UInt64
  ) {
    self.owner = owner
    self.limits = limits
    self.metrics = metrics
    self.lanes = lanes
    dropsNewest = configuration.spool.overflow == .dropNewest
    unroutedPolicy = configuration.gateway.unrouted
    connections = SlotTable(capacity: limits.connections)
    wills = WillParts(capacity: limits.wills)
    batcher = Batcher(
      store: store, lingerMilliseconds: configuration.limits.batchLingerMilliseconds)
    random = SplitMix64(seed: seed)
    router = Router(configuration: configuration, lanes: lanes, seed: random.next())
    recordIDs = RecordIDs(start: random.next(), isOn: configuration.gateway.hasRecordIDs)
    unrouted = UnroutedSampler(topics: unroutedTopics)
    webhooks = WebhookParts(gatewayName: configuration.gateway.name, lanes: lanes)
  }

  /// Starts to accept devices on a socket that listens.
  public mutating func start(
    listener descriptor: Descriptor, configuration: ListenerConfiguration,
    operations: inout OperationQueue
  ) {
    listeners.append(Listener(descriptor: descriptor, configuration: configuration))
    accept(listeners.count - 1, operations: &operations)
  }

  /// Tells the time of day for the records of this turn, Unix milliseconds.
  public mutating func setTimeOfDay(unixMilliseconds: UInt64) {
    self.unixMilliseconds = unixMilliseconds
    webhooks.clock.set(unixMilliseconds: unixMilliseconds)
  }

  func token(_ verb: UInt8, _ id: SlotID) -> Token { Token(owner: owner, verb: verb, slot: id) }

  /// Takes a completion whose token has this part's owner.
  public mutating func handle(
    _ completion: consuming Completion, at now: Instant, operations: inout OperationQueue
  ) {
    let token = completion.token
    let id = token.slot
    switch consume completion.event {
    case .accepted(let descriptor, let peer):
      accepted(descriptor, peer: peer, on: Int(id.index), at: now, operations: &operations)
    case .acceptEnded(let error):
      acceptEnded(Int(id.index), error, at: now)
    case .received(let received):
      take(received, of: id, at: now, operations: &operations)
    case .receiveEnded(let error):
      receiveEnded(id, error, at: now, operations: &operations)
    case .sent(let count):
      sent(id, count, at: now, operations: &operations)
    case .sendFailed:
      close(id, operations: &operations)
    case .closed:
      closed(id)
    case .connected: break
    case .connectFailed: break
    case .queueMeasured: break
    case .rung: break
    case .file: break
    }
  }

  private mutating func take(
    _ received: consuming ReceivedBytes, of id: SlotID, at now: Instant,
    operations: inout OperationQueue
  ) {
    receivedBytes(id, received.bytes, at: now, operations: &operations)
    operations.recycle(received)
  }

  /// Fires the timers that are due.
  public mutating func advance(to now: Instant, operations: inout OperationQueue) {
    while let token = timers.popDue(at: now) {
      if token.verb == Verb.acceptAgain {
        accept(Int(token.slot.index), operations: &operations)
      } else if token.verb == Verb.will {
        checkWill(token.slot, at: now, operations: &operations)
      } else if token.verb == Verb.spaceAgain {
        trySpaceAgain(token.slot, at: now, operations: &operations)
      } else if connections.contains(token.slot) {
        checkLimits(token.slot, at: now, operations: &operations)
      }
    }
  }

  /// When `advance` or `flush` has something to do next.
  public var nextDeadline: Instant {
    min(timers.nextDeadline, min(batcher.nextDeadline, inputMemory.ageAt))
  }

  /// Ends a turn: seals batches that are due and sends what devices are to get.
  public mutating func flush(at now: Instant, operations: inout OperationQueue) {
    wakeInputWaiting(at: now, operations: &operations)
    inputMemory.age(at: now)
    settleEndedWills(at: now, operations: &operations)
    if isShuttingDown { batcher.sealAll() } else { batcher.sealDue(at: now) }
    batcher.compactDue(at: now)
    for id in dirty where connections.contains(id) {
      connections[id].isDirty = false
      if connections[id].phase == .closing { continue }
      let descriptor = connections[id].descriptor
      connections[id].outbox.flush(
        to: descriptor, token: token(Verb.send, id), operations: &operations)
    }
    dirty.removeAll(keepingCapacity: true)
    tellLevels()
  }

  /// The oldest message about a batch that delivery has not got yet.
  public var nextHandover: BatchHandover? { batcher.nextHandover }

  /// Delivery has got what `nextHandover` told.
  public mutating func removeNextHandover() {
    noteHandover()
    batcher.removeNextHandover()
  }

  /// Something for the log; nil when there is nothing.
  public mutating func nextNotice() -> IngestNotice? { notices.popLast() }

  /// Connections that exist, closing ones included.
  public var connectionCount: Int { connections.count }

  mutating func markDirty(_ id: SlotID) {
    guard !connections[id].isDirty else { return }
    connections[id].isDirty = true
    dirty.append(id)
  }

  /// Keeps a notice for the log. Few are kept a turn: the log's own limit counts the rest.
  mutating func note(
    _ kind: IngestNotice.Kind, _ text: StaticString, peer: SocketAddress?, subject: String
  ) {
    guard notices.count < 64 else { return }
    notices.append(IngestNotice(kind: kind, peer: peer, text: text, subject: subject))
  }
}
