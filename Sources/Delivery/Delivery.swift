import Bytes
public import DanubeUplink
public import IOPort
public import LocalBroker
import Metrics
public import Records
public import Spool

/// The delivery side of the gateway: where a sealed batch goes, and when its records are safe.
///
/// A decider. Records go to a Danube broker elsewhere (`uplink`), or to the embedded one (`broker`)
/// in this very loop. With a spool, what a broker elsewhere does not accept in time goes to the
/// disk, and from there to the broker when it is back. Safe means: the broker has accepted the
/// record, or it is durable in the spool, whichever comes first. The embedded broker has a spool of
/// its own, and accepts a record when it is durable there.
///
/// The gateway's lanes grow while it runs: those that are new are made known when the first batch
/// of one comes. Topics that are only in the spool, because a configuration names them no more, are
/// lanes too: their ids follow those that the table has room for.
public struct Delivery: ~Copyable {
  let store: BatchStore
  let limits: DeliveryLimits
  let table: LaneTable
  let describe: (([UInt8], Bool) -> LaneDescription)?
  /// Lanes that the uplink or the broker knows.
  var knownLaneCount = 0
  /// The spool on the way to a broker elsewhere; nil without one.
  public var spool: Spool? {
    unsafeAddress { unsafe UnsafePointer(ownSpool.address) }
    unsafeMutableAddress { unsafe ownSpool.address }
  }
  private var ownSpool: Owned<Spool?>
  /// The lanes of the spool, in no order that matters.
  var lanes: [DeliveryLane] = []
  /// The place among `lanes` by the number of a lane of the spool.
  var placesOfSpooled: [Int?] = []
  /// The place among `lanes` by the number of a lane's id.
  var lanePlaces: [Int?] = []
  /// Where each batch of ingest is, by its number.
  var books: [BatchBook] = []
  /// Batches in the order they came, less those whose turn to be looked at is over.
  var arrivals = RingQueue<BatchTicket>()
  /// Batches that came before the spool was ready.
  var unplaced: [BatchTicket] = []
  /// Batches whose records are being made durable, in the order of the log.
  var awaited = RingQueue<AwaitedBatch>()
  /// Records that leave their lanes when their copies are durable, in the order of the log.
  var leavers = RingQueue<SpoolLeaver>()
  var asides = RingQueue<SetAside>()
  /// Since when cursors find no space; nil while they do.
  var plansRefusedSince: Instant?
  /// Quarantines whose records are being sent again.
  var quarantineReplays: [QuarantineReplay] = []
  /// What the next topic that is only in the spool gets.
  var nextOrphan: UInt32 = 0
  /// Lanes whose batches go to the spool without waiting.
  var toSpill: [Int] = []
  /// Lanes that have records in the spool.
  var spooling: [Int] = []
  /// Records in calls that were begun before they were spooled, with their sequences; `.max` for
  /// one that is not written yet.
  var callsBefore: [RecordRef: UInt64] = [:]
  /// The lane of each request for spooled records.
  var readers: [SpoolRead: Int] = [:]
  var drainBytes = ByteBudget()
  /// The memory for records from the disk.
  var replayMemory: ReplayMemory
  var nextDrain = Instant.distantFuture
  var lastTurn = Instant(nanoseconds: 0)
  /// The time of day then.
  var lastClock = SpoolClock.unknown
  var observer = SpoolObserver()
  /// Who is refused for want of space.
  var want = SpaceWant()
  var isLeaving = false
  var isStopping = false
  /// Failures of the embedded broker's disk that were counted.
  var knownDiskFailures: UInt64 = 0
  /// The way to a broker elsewhere; nil with the embedded broker.
  public var uplink: DanubeUplink? {
    unsafeAddress { unsafe UnsafePointer(ownUplink.address) }
    unsafeMutableAddress { unsafe ownUplink.address }
  }
  private var ownUplink: Owned<DanubeUplink?>
  /// The embedded broker; nil with a broker elsewhere.
  public var broker: LocalBroker? {
    unsafeAddress { unsafe UnsafePointer(ownBroker.address) }
    unsafeMutableAddress { unsafe ownBroker.address }
  }
  private var ownBroker: Owned<LocalBroker?>
  var progress = ProgressQueue()
  let metrics: DeliveryMetrics

  /// Delivers to a broker elsewhere.
  public init(
    store: BatchStore, lanes: LaneTable, uplink: consuming DanubeUplink,
    spool: consuming Spool? = nil, limits: DeliveryLimits = DeliveryLimits(),
    metrics: DeliveryMetrics = DeliveryMetrics(),
    describe: (([UInt8], Bool) -> LaneDescription)? = nil
  ) {
    self.metrics = metrics
    self.limits = limits
    self.store = store
    replayMemory = ReplayMemory(store.replayLimits)
    table = lanes
    self.describe = describe
    ownUplink = Owned(consume uplink)
    ownSpool = Owned(consume spool)
    ownBroker = Owned(nil)
    learnLanes()
  }

  /// Delivers to the embedded broker.
  ///
  /// It has to have places for every lane that the table may get.
  public init(
    store: BatchStore, lanes: LaneTable, broker: consuming LocalBroker,
    metrics: DeliveryMetrics = DeliveryMetrics()
  ) {
    self.metrics = metrics
    limits = DeliveryLimits()
    self.store = store
    replayMemory = ReplayMemory(store.replayLimits)
    table = lanes
    describe = nil
    ownUplink = Owned(nil)
    ownSpool = Owned(nil)
    ownBroker = Owned(consume broker)
    learnLanes()
  }

  /// Takes what ingest hands over.
  public mutating func take(_ handover: BatchHandover, at now: Instant) {
    switch handover.kind {
    case .sealed: submit(handover.batch, at: now)
    case .compacted: compact(handover.batch)
    }
  }

  /// Takes the smaller block of a batch.
  private mutating func compact(_ batch: BatchID) {
    if uplink != nil {
      if spool != nil { compactBooked(batch) } else { uplink?.compact(batch) }
    } else {
      // A batch that waits for the disk is still to be read.
      if books[Int(batch.rawValue)].stage != .done { store.takeCompaction(of: batch) }
      progress.compacted(batch)
    }
  }

  /// Takes a sealed batch.
  public mutating func submit(_ batch: BatchID, at now: Instant) {
    // A batch is sealed after its lane was added to the table.
    if store.lane(of: batch).rawValue >= knownLaneCount { learnLanes() }
    if broker != nil {
      append(batch, at: now)
    } else if spool != nil {
      accept(batch, at: now)
    } else {
      uplink?.submit(batch)
    }
  }

  /// Takes a completion whose token has this part's owner.
  public mutating func handle(
    _ completion: consuming Completion, at now: Instant, operations: inout OperationQueue
  ) {
    if broker != nil {
      broker?.handle(completion, at: now, operations: &operations)
    } else {
      uplink?.handle(completion, at: now, operations: &operations)
    }
  }

  /// Begins: the spool finds out what it has. The embedded broker has a start of its own.
  public mutating func start(at now: Instant, operations: inout OperationQueue) {
    spool?.start(at: now, operations: &operations)
  }

  /// Takes a completion whose token has the spool's owner.
  public mutating func handleSpool(
    _ completion: consuming Completion, at now: Instant, operations: inout OperationQueue
  ) {
    if broker != nil {
      broker?.handleSpool(completion, at: now, operations: &operations)
    } else {
      spool?.handle(completion, at: now, operations: &operations)
    }
  }

  /// Fires the timers that are due.
  public mutating func advance(to now: Instant, operations: inout OperationQueue) {
    spool?.advance(to: now, operations: &operations)
    broker?.advance(to: now, operations: &operations)
    uplink?.advance(to: now, operations: &operations)
  }

  /// When `advance` has something to do next.
  public var nextDeadline: Instant {
    var deadline = Instant.distantFuture
    switch broker {
    case .some(let broker): deadline = min(broker.nextDeadline, want.nextRefusal)
    case .none: break
    }
    switch uplink {
    case .some(let uplink): deadline = min(deadline, uplink.nextDeadline)
    case .none: break
    }
    switch spool {
    case .some(let spool):
      deadline = min(deadline, min(spool.nextDeadline, min(nextSpill, nextDrain)))
    case .none: break
    }
    return deadline
  }

  /// Ends a turn: starts calls, sends frames, writes and reads the spool, gathers progress.
  /// `clock` is the time of day as the spool remembers it.
  public mutating func flush(
    at now: Instant, clock: SpoolClock = .unknown, operations: inout OperationQueue
  ) {
    lastTurn = now
    lastClock = clock
    if clock != .unknown {
      uplink?.clockCorrection.observe(
        bootMilliseconds: clock.bootMilliseconds,
        offsetMilliseconds: clock.wallOffsetMilliseconds, isSynchronised: clock.isTrusted,
        atNanoseconds: now.nanoseconds)
    }
    watchBrokerDisk(at: now)
    broker?.flush(at: now, clock: clock, operations: &operations)
    takeSettled(at: now)
    if spool != nil {
      takeSpoolEvents(at: now)
      takeUplinkProgress(at: now)
      spill(at: now)
      drain(at: now, operations: &operations)
      if isStopping { spool?.saveSoon(at: now) }
      spool?.flush(at: now, clock: clock, operations: &operations)
      takeSpoolEvents(at: now)
      tellRefusals()
    }
    uplink?.flush(operations: &operations)
    takeUplinkProgress(at: now)
    observeSpool(at: now)
  }

  /// Tells how much progress ingest has not got yet. Once a turn, after it was told what the ring
  /// had room for.
  public func tellWaitingProgress() { metrics.progress.set(progress.count) }

  /// The oldest progress that ingest has not got yet.
  public var nextProgress: Progress? { progress.first }

  /// Ingest has got what `nextProgress` told.
  public mutating func removeNextProgress() { progress.removeFirst() }

  /// Something for the log; nil when there is nothing.
  public mutating func nextNotice() -> LocalBrokerNotice? { broker?.nextNotice() ?? nil }

  /// The gateway is to end: what the broker does not take soon goes to the disk, if there is one,
  /// so that its senders are answered.
  public mutating func beginLeaving() { isLeaving = true }

  /// Lets clients and connections go; records that are not accepted stay unanswered.
  public mutating func beginStop(at now: Instant, operations: inout OperationQueue) {
    isStopping = true
    broker?.beginStop(at: now, operations: &operations)
    uplink?.beginShutdown()
  }

  /// Whether everything is closed after `beginStop`.
  public var isStopped: Bool {
    switch broker {
    case .some(let broker): return broker.isStopped
    case .none: break
    }
    switch spool {
    case .some(let spool) where !spool.isSettled: return false
    default: break
    }
    switch uplink {
    case .some(let uplink): return uplink.isClosed
    case .none: return true
    }
  }

  /// What the uplink does; nil with the embedded broker. Allocates: not for every turn.
  public var uplinkStatus: UplinkStatus? {
    switch uplink {
    case .some(let uplink): uplink.status
    case .none: nil
    }
  }

  /// Names of brokers that somebody is to resolve.
  public var hostsToResolve: [NamedHost] {
    switch uplink {
    case .some(let uplink): uplink.hostsToResolve
    case .none: []
    }
  }

  /// Tells what a name resolved to; no address when it did not.
  public mutating func resolved(_ host: NamedHost, addresses: [SocketAddress]) {
    uplink?.resolved(host, addresses: addresses)
  }
}
