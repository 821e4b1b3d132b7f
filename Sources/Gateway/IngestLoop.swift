import Admin
public import IOPort
import Ingest
import Logs
import Records
import Rings
import Settings

/// The loop of the ingest thread: one port, the ingest side, and the ends of two rings.
public struct IngestLoop<Port: IOPort & ~Copyable>: ~Copyable {
  private var port: Port
  private var ingest: Ingest
  private var operations = OperationQueue()
  private var batches: RingProducer<BatchHandover>
  private var progress: RingConsumer<Progress>
  private var logger: Logger
  private let gateway: Gateway
  private let startedAt: Instant
  private var drainDeadline = Instant.distantFuture
  private var leaveDeadline = Instant.distantFuture
  private var hasLeft = false

  /// Opens the listeners of the configuration on `port`. On the thread that will run the loop.
  public init(gateway: Gateway, port: consuming Port) throws(StartError) {
    self.gateway = gateway
    let ends = gateway.takeIngestEnds()
    batches = ends.batches
    progress = ends.progress
    logger = ends.logger
    ingest = gateway.makeIngest(owner: LoopOwner.ingest)
    self.port = port
    startedAt = self.port.now
    gateway.control.setDoorbell(self.port.doorbell, of: .ingest)
    for configuration in gateway.configuration.listeners {
      let purpose = configuration.kind.rawValue
      let listener = try listen(
        on: configuration.address, purpose: purpose, port: &self.port)
      ingest.start(
        listener: listener.descriptor, configuration: configuration, operations: &operations)
      gateway.control.addListening(purpose, listener.bound)
    }
    gateway.control.set(.running, of: .ingest)
    if let bell = gateway.control.doorbell(of: .main) {
      operations.append(.ring(bell), token: Token(owner: LoopOwner.ingest, verb: 0))
    }
  }

  /// Plants a fault that the simulation has to catch: devices are answered before records are safe.
  package mutating func plantAnswersBeforeSafe() { ingest.answersBeforeSafe = true }

  /// Whether the loop has ended.
  public var isStopped: Bool { gateway.control.state(of: .ingest) == .stopped }

  /// One turn: take what completed, answer, seal, ring, and wait until there is more. The wait
  /// comes last so that whoever rings between two turns finds the loop asleep.
  public mutating func turn() {
    progress.wakeUp()
    let now = port.now
    ingest.setTimeOfDay(unixMilliseconds: port.unixMilliseconds)
    var taken = 0
    while taken < LoopOwner.completionLimit, let completion = port.next() {
      taken += 1
      if completion.token.owner == LoopOwner.ingest {
        ingest.handle(completion, at: now, operations: &operations)
      }
    }
    taken = 0
    while taken < LoopOwner.progressLimit, let told = progress.pop() {
      taken += 1
      ingest.progress(told, at: now, operations: &operations)
    }
    ingest.advance(to: now, operations: &operations)
    followStage(at: now)
    ingest.flush(at: now, operations: &operations)
    handOver()
    writeLog()
    gateway.ingestHealth.turned(at: now)
    ingest.tellSealedBatches()
    gateway.ingestLoopMetrics.turned(
      at: now, since: startedAt, port: port.statistics, ringLength: progress.count)
    if !isStopped { waitForWork() }
  }

  private mutating func waitForWork() {
    port.submit(&operations)
    var deadline = Instant(nanoseconds: 0)
    if progress.prepareToSleep() {
      // A loop wakes at least once a second, so that its health can be told from outside.
      deadline = min(ingest.nextDeadline, port.now.advanced(milliseconds: 1_000))
      deadline = min(deadline, min(drainDeadline, leaveDeadline))
      if ingest.nextHandover != nil {
        deadline = min(deadline, port.now.advanced(milliseconds: 1))
      }
    }
    port.wait(until: deadline)
  }

  private mutating func handOver() {
    var pushed = false
    while let handover = ingest.nextHandover, batches.push(handover) {
      ingest.removeNextHandover()
      pushed = true
    }
    if pushed, batches.needsWakeUp(), let bell = gateway.control.doorbell(of: .delivery) {
      operations.append(.ring(bell), token: Token(owner: LoopOwner.ingest, verb: 0))
    }
  }

  private mutating func writeLog() {
    let time = port.unixMilliseconds
    while let notice = ingest.nextNotice() {
      logger.log(notice.level, notice.event, at: time, message: notice.text) { fields in
        if let peer = notice.peer { fields.add("peer", peer.description) }
        if !notice.subject.isEmpty { fields.add(notice.subjectName, notice.subject) }
      }
    }
    logger.advance(to: time)
    if logger.needsWakeUp(), let bell = gateway.control.doorbell(of: .main) {
      operations.append(.ring(bell), token: Token(owner: LoopOwner.ingest, verb: 0))
    }
  }

  private mutating func followStage(at now: Instant) {
    guard gateway.control.stage != .running, let plan = gateway.control.stopPlan else { return }
    if drainDeadline == .distantFuture, !hasLeft {
      ingest.beginShutdown(at: now, operations: &operations)
      drainDeadline = plan.drainsUntil
    }
    if !hasLeft, now >= drainDeadline {
      // Not everything got safe in time: those devices learn that we go, and send it again
      // elsewhere.
      hasLeft = true
      ingest.disconnectAll(at: now, operations: &operations)
      drainDeadline = .distantFuture
      leaveDeadline = plan.leavesUntil
    }
    let isDrained = ingest.isDrained || now >= leaveDeadline
    if isDrained, gateway.control.state(of: .ingest) == .running {
      hasLeft = true
      drainDeadline = .distantFuture
      leaveDeadline = .distantFuture
      tellMain(.drained)
    }
    if gateway.control.stage == .stopping, gateway.control.state(of: .ingest) != .running {
      ingest.endShutdown(operations: &operations)
      tellMain(.stopped)
    }
  }

  private mutating func tellMain(_ state: GatewayControl.LoopState) {
    gateway.control.set(state, of: .ingest)
    if let bell = gateway.control.doorbell(of: .main) {
      operations.append(.ring(bell), token: Token(owner: LoopOwner.ingest, verb: 0))
      port.submit(&operations)
      port.wait(until: Instant(nanoseconds: 0))
    }
  }
}
