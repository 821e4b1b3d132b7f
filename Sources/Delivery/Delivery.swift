public import DanubeUplink
public import IOPort
public import LocalBroker
import Metrics
public import Records

/// The delivery side of the gateway: where a sealed batch goes, and when its records are safe.
///
/// A decider. Records go to a Danube broker elsewhere (`uplink`), or to the embedded one (`broker`)
/// in this very loop. Safe means, for now: the broker has accepted the record.
///
/// The gateway's lanes grow while it runs: those that are new are made known when the first batch
/// of one comes.
public struct Delivery: ~Copyable {
  private let store: BatchStore
  private let lanes: LaneTable
  /// Lanes that the uplink or the broker knows.
  private var knownLaneCount = 0
  /// The way to a broker elsewhere; nil with the embedded broker.
  public var uplink: DanubeUplink?
  /// The embedded broker; nil with a broker elsewhere.
  public var broker: LocalBroker?
  private var progress = ProgressQueue()
  private let metrics: DeliveryMetrics

  /// Delivers to a broker elsewhere.
  public init(
    store: BatchStore, lanes: LaneTable, uplink: consuming DanubeUplink,
    metrics: DeliveryMetrics = DeliveryMetrics()
  ) {
    self.metrics = metrics
    self.store = store
    self.lanes = lanes
    self.uplink = consume uplink
    broker = nil
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
    self.store = store
    self.lanes = lanes
    uplink = nil
    self.broker = consume broker
    learnLanes()
  }

  /// Makes the lanes known that came since the last time.
  private mutating func learnLanes() {
    let count = lanes.count
    while knownLaneCount < count {
      let lane = lanes[LaneID(rawValue: UInt32(knownLaneCount))]
      broker?.addLane(lane)
      uplink?.addLane(lane)
      knownLaneCount += 1
    }
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
    if broker == nil {
      uplink?.compact(batch)
    } else {
      // The embedded broker has copied what it was given: nobody reads the batch any more.
      progress.compacted(batch)
    }
  }

  /// Takes a sealed batch.
  public mutating func submit(_ batch: BatchID, at now: Instant) {
    // A batch is sealed after its lane was added to the table.
    if store.lane(of: batch).rawValue >= knownLaneCount { learnLanes() }
    guard let isAppended = broker?.append(batch, from: store, at: now) else {
      uplink?.submit(batch)
      return
    }
    if isAppended {
      countDelivered(batch, at: now)
    } else {
      for index in 0..<UInt32(store.recordCount(of: batch)) {
        progress.refused(RecordRef(batch: batch, index: index), .invalidRequest)
      }
    }
    progress.complete(batch)
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

  /// Fires the timers that are due.
  public mutating func advance(to now: Instant, operations: inout OperationQueue) {
    broker?.advance(to: now, operations: &operations)
    uplink?.advance(to: now, operations: &operations)
  }

  /// When `advance` has something to do next.
  public var nextDeadline: Instant {
    var deadline = Instant.distantFuture
    switch broker {
    case .some(let broker): deadline = broker.nextDeadline
    case .none: break
    }
    switch uplink {
    case .some(let uplink): deadline = min(deadline, uplink.nextDeadline)
    case .none: break
    }
    return deadline
  }

  /// Ends a turn: starts calls, sends frames, gathers progress.
  public mutating func flush(at now: Instant, operations: inout OperationQueue) {
    broker?.flush(at: now, operations: &operations)
    uplink?.flush(operations: &operations)
    var latencies = DurationRun(into: metrics.deviceToDelivered, endingAt: now.nanoseconds)
    while let told = uplink?.nextProgress() {
      switch told {
      case .accepted(let record):
        latencies.add(startingAt: store.receivedNanoseconds(of: record))
        progress.safe(record)
      case .refused(let record, let reason): progress.refused(record, reason)
      case .released(let batch): progress.complete(batch)
      case .compacted(let batch): progress.compacted(batch)
      }
    }
    latencies.finish()
    metrics.delivered.add(latencies.count)
  }

  private mutating func countDelivered(_ batch: BatchID, at now: Instant) {
    var latencies = DurationRun(into: metrics.deviceToDelivered, endingAt: now.nanoseconds)
    for index in 0..<store.recordCount(of: batch) {
      let record = RecordRef(batch: batch, index: UInt32(index))
      latencies.add(startingAt: store.receivedNanoseconds(of: record))
    }
    latencies.finish()
    metrics.delivered.add(latencies.count)
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

  /// Lets clients and connections go; records that are not accepted stay unanswered.
  public mutating func beginStop(at now: Instant, operations: inout OperationQueue) {
    broker?.beginStop(at: now, operations: &operations)
    uplink?.beginShutdown()
  }

  /// Whether everything is closed after `beginStop`.
  public var isStopped: Bool {
    switch broker {
    case .some(let broker): return broker.isStopped
    case .none: break
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
