public import Admin
import DanubeUplink
import Delivery
public import IOPort
public import Ingest
import LocalBroker
public import Logs
public import Metrics
public import Records
import Rings
public import Settings
import Synchronization

/// One gateway: what its loops share. It owns no thread and makes no system call; whoever runs it
/// makes an ``IngestLoop``, a ``DeliveryLoop`` and a ``MainLoop`` over ports of one kind.
public final class Gateway: Sendable {
  /// What it was told to do.
  public let configuration: GatewayConfiguration
  /// What it counts.
  public let registry: MetricsRegistry
  /// How far it is.
  public let control = GatewayControl()
  /// Whether the ingest loop turns.
  public let ingestHealth: LoopHealth
  /// Whether the delivery loop turns.
  public let deliveryHealth: LoopHealth
  /// Records on their way.
  public let store: BatchStore
  /// The Danube topics that records go to.
  public let lanes: LaneTable
  /// Topics that matched no route.
  public let unroutedTopics = UnroutedTopics()
  /// Which log lines are written.
  public let logThreshold: LogThreshold
  /// Names to resolve and their addresses, between delivery and whoever resolves.
  public let resolution = Resolution()
  /// How the gateway and others trust each other.
  public let security: SecurityHandover
  /// Questions about the spool.
  let spoolDesk = SpoolDesk()
  /// How delivery is, for `/status`.
  let deliveryStatus = Mutex<DeliveryStatus>(DeliveryStatus())
  let ingestMetrics: IngestMetrics
  let uplinkMetrics: UplinkMetrics
  let brokerMetrics: LocalBrokerMetrics
  let deliveryMetrics: DeliveryMetrics
  let ingestLoopMetrics: LoopMetrics
  let deliveryLoopMetrics: LoopMetrics
  /// What the process takes from the system; whoever runs the gateway fills it in.
  public let processMetrics: ProcessMetrics
  let seed: UInt64
  /// Names the start of the machine; 0 when that is not known.
  let bootID: UInt64
  /// Device connections at most, whatever the configuration says.
  let connectionLimit: Int
  private let ends: Mutex<Ends>
  /// When it was made, by the ports' clock.
  let startedAt: Instant

  /// What is handed out once, to one loop each.
  struct Ends: ~Copyable {
    var batchProducer: RingProducer<BatchHandover>?
    var batchConsumer: RingConsumer<BatchHandover>?
    var progressProducer: RingProducer<Progress>?
    var progressConsumer: RingConsumer<Progress>?
    var ingestLogger: Logger?
    var deliveryLogger: Logger?
    var ingestLog: LogSource?
    var deliveryLog: LogSource?
  }

  /// A place for every KiB of memory: batches that few records are left of need little memory, and
  /// are not to run out of places before.
  private static func batchLimit(memoryBytes: Int) -> Int {
    min(max(memoryBytes >> 10, 4_096), BatchStore.maximumBatches)
  }

  /// Messages about batches that may be on their way; more wait in ingest.
  private static let handoverCapacity = 4_096
  /// Messages of progress that may be on their way; more wait in delivery.
  private static let progressCapacity = 8_192

  /// Descriptors that are kept for the embedded broker, the admin address and the process itself.
  public static let reservedDescriptors = 320

  /// A gateway that has not started. `seed` decides jitter and assigned client identifiers; `now`
  /// is the time by the clock of the ports it will run on.
  ///
  /// `connectionLimit` is how many devices the system has descriptors for, beside the reserved
  /// ones. `bootID` names the start of the machine.
  public init(
    configuration: GatewayConfiguration, seed: UInt64, startingAt now: Instant,
    connectionLimit: Int = .max, bootID: UInt64 = 0,
    security: GatewaySecurity = GatewaySecurity()
  ) {
    self.security = SecurityHandover(security)
    self.configuration = configuration
    self.seed = seed
    self.bootID = bootID
    self.connectionLimit = connectionLimit
    startedAt = now
    let registry = MetricsRegistry()
    self.registry = registry
    ingestHealth = LoopHealth(name: "ingest", startingAt: now)
    deliveryHealth = LoopHealth(name: "delivery", startingAt: now)
    ingestMetrics = IngestMetrics(registry: registry, configuration: configuration)
    uplinkMetrics = UplinkMetrics(registry: registry)
    brokerMetrics = LocalBrokerMetrics(registry: registry)
    lanes = LaneTable(configuration: configuration, capacity: configuration.limits.maxTopics)
    deliveryMetrics = DeliveryMetrics(registry: registry, topics: Self.namedTopics(lanes))
    ingestLoopMetrics = LoopMetrics(loop: "ingest", ring: "progress_ring", registry: registry)
    deliveryLoopMetrics = LoopMetrics(loop: "delivery", ring: "batch_ring", registry: registry)
    processMetrics = ProcessMetrics(registry: registry)
    let limits = BatchLimits(
      batches: Self.batchLimit(memoryBytes: configuration.limits.memoryBytes),
      memoryBytes: configuration.limits.memoryBytes,
      batchBytes: Self.batchBytes(configuration))
    LimitMetrics.register(configuration, batches: limits, registry: registry)
    registry.freeze()
    store = BatchStore(
      limits: limits,
      replay: Self.replays(configuration)
        ? ReplayLimits(batches: 2_560, memoryBytes: 10 << 20) : .none)
    logThreshold = LogThreshold(LogLevel(configuration.gateway.logLevel))
    let batches = makeRing(of: BatchHandover.self, capacity: Self.handoverCapacity)
    let progress = makeRing(of: Progress.self, capacity: Self.progressCapacity)
    let ingestChannel = LogChannel(threshold: logThreshold)
    let deliveryChannel = LogChannel(threshold: logThreshold)
    ends = Mutex(
      Ends(
        batchProducer: batches.producer, batchConsumer: batches.consumer,
        progressProducer: progress.producer, progressConsumer: progress.consumer,
        ingestLogger: ingestChannel.logger, deliveryLogger: deliveryChannel.logger,
        ingestLog: ingestChannel.source, deliveryLog: deliveryChannel.source))
  }

  /// The first topics that routes name outright, for metrics of their own.
  private static func namedTopics(_ lanes: LaneTable) -> [String] {
    (0..<min(lanes.count, SpoolMetrics.labelledCount)).map { number in
      String(decoding: lanes[LaneID(rawValue: UInt32(number))].topic, as: UTF8.self)
    }
  }

  func takeEnds<Result: ~Copyable>(_ body: (inout Ends) -> sending Result) -> sending Result {
    ends.withLock { body(&$0) }
  }
}

extension LogLevel {
  init(_ level: ProcessConfiguration.LogLevel) {
    switch level {
    case .error: self = .error
    case .warning: self = .warning
    case .info: self = .info
    case .debug: self = .debug
    }
  }
}
