import Admin
import Bytes
import DanubeUplink
import Delivery
public import IOPort
import LocalBroker
import Logs
import Metrics
import Records
import Rings
import Settings
package import Spool
import Synchronization

/// The loop of the delivery thread: one port, the delivery side, and the other ends of the rings.
public struct DeliveryLoop<Port: IOPort & ~Copyable>: ~Copyable {
  private var port: Port
  private var delivery: Delivery
  private var operations = OperationQueue()
  private var batches: RingConsumer<BatchHandover>
  private var progress: RingProducer<Progress>
  private var logger: Logger
  private let gateway: Gateway
  private let startedAt: Instant
  private var nextStatus = Instant(nanoseconds: 0)
  /// Nil until the first connection, or until that has been missing for a while.
  private var wasConnected: Bool?
  /// Topics that the broker refuses and what it says, as the log has it.
  private var blockedTopics: [String: String] = [:]
  private var askedHosts: [NamedHost] = []
  private var isStopping = false
  /// Why the folder of the spool can't be used; nil when it can, or there is to be none.
  private var spoolProblem: IOError?
  /// Changes of the spool that are answered when the disk has them.
  private var promises = SpoolPromises()
  /// Whether main is to be told that it is answered.
  private var hasAnswers = false
  private var stopDeadline = Instant.distantFuture

  /// How often `/status` learns how delivery is, milliseconds.
  private static var statusIntervalMilliseconds: Int { 1_000 }
  /// A first connection may take so long before its absence is logged, milliseconds.
  private static var connectGraceMilliseconds: Int { 3_000 }

  /// Starts the embedded broker or the uplink on `port`. On the thread that will run the loop.
  public init(gateway: Gateway, port: consuming Port) throws(StartError) {
    self.gateway = gateway
    let ends = gateway.takeDeliveryEnds()
    batches = ends.batches
    progress = ends.progress
    logger = ends.logger
    self.port = port
    startedAt = self.port.now
    let opened = Self.openSpool(gateway, port: &self.port)
    switch opened {
    case .none: delivery = gateway.makeDelivery(owner: LoopOwner.delivery, spool: nil)
    case .opened(let directory, let files):
      delivery = gateway.makeDelivery(
        owner: LoopOwner.delivery, spool: gateway.makeSpool(directory: directory, files: files))
    case .failed(let error):
      spoolProblem = error
      delivery = gateway.makeDelivery(owner: LoopOwner.delivery, spool: nil)
      logger.log(
        .error, "spool.unavailable", at: self.port.unixMilliseconds,
        message: """
          the folder of the spool can't be used: records wait in memory only; make it a folder \
          that the gateway may write to, and start the gateway again
          """
      ) { fields in
        fields.add("folder", gateway.spoolDirectory)
        fields.add("error", error.text)
      }
    }
    gateway.control.setDoorbell(self.port.doorbell, of: .delivery)
    if delivery.broker != nil {
      if case .failed(let error) = opened {
        // It would answer for what it can't keep.
        throw StartError(
          message: "the folder \(gateway.spoolDirectory) can't be used (\(error.text)): the"
            + " embedded broker keeps its records there. Make it writable, or write mode ="
            + " \"memory\" in [spool] to go without.")
      }
      let listener = try listen(
        on: gateway.configuration.broker.address, purpose: "broker", port: &self.port)
      delivery.broker?.start(
        listener: listener.descriptor, bound: listener.bound, at: startedAt,
        operations: &operations)
      gateway.control.addListening("broker", listener.bound)
    }
    // The folder was listed since then, which is part of a start.
    delivery.start(at: startedAt, operations: &operations)
    delivery.uplink?.start(at: self.port.now, operations: &operations)
    gateway.control.set(.running, of: .delivery)
    if let bell = gateway.control.doorbell(of: .main) {
      operations.append(.ring(bell), token: Token(owner: LoopOwner.delivery, verb: 0))
    }
  }

  private enum OpenedSpool {
    case none
    case opened(Descriptor, [(name: FileName, bytes: UInt64)])
    case failed(IOError)
  }

  /// Opens the folder of the spool, if records are to go there.
  private static func openSpool(_ gateway: Gateway, port: inout Port) -> OpenedSpool {
    guard gateway.usesSpool else { return .none }
    do throws(IOError) {
      let directory = try port.openDirectory(gateway.spoolDirectory)
      return .opened(directory, try port.files(in: directory))
    } catch {
      return .failed(error)
    }
  }

  /// Plants a fault of the spool that the simulation has to catch. Before the first turn.
  package mutating func plant(_ fault: PlantedSpoolFault) { delivery.spool?.plantedFault = fault }

  /// What the spool's start found to be wrong; nil until it is over.
  package var spoolRecovery: SpoolRecoveryReport? {
    switch delivery.spool {
    case .some(let spool): spool.isReady ? spool.recovered : nil
    case .none: nil
    }
  }

  /// Whether the loop has ended.
  public var isStopped: Bool {
    let state = gateway.control.state(of: .delivery)
    return state == .stopped || state == .failed
  }

  /// One turn: take what completed, deliver, tell ingest, and wait until there is more. The wait
  /// comes last so that whoever rings between two turns finds the loop asleep.
  public mutating func turn() {
    batches.wakeUp()
    let now = port.now
    var taken = 0
    while taken < LoopOwner.completionLimit, let completion = port.next() {
      taken += 1
      if completion.token.owner == LoopOwner.delivery {
        delivery.handle(completion, at: now, operations: &operations)
      } else if completion.token.owner == LoopOwner.spool {
        delivery.handleSpool(completion, at: now, operations: &operations)
      }
    }
    taken = 0
    while taken < LoopOwner.batchLimit, let handover = batches.pop() {
      taken += 1
      delivery.take(handover, at: now)
    }
    delivery.advance(to: now, operations: &operations)
    if let new = gateway.security.take() {
      delivery.uplink?.updateSecurity(new.uplink)
      delivery.broker?.updateTLS(new.broker)
      delivery.broker?.updateTokens(new.brokerTokens)
    }
    answerSpoolQuestions(at: now)
    let boot = port.bootMilliseconds
    let clock = SpoolClock(
      bootMilliseconds: boot,
      wallOffsetMilliseconds: Int64(bitPattern: port.unixMilliseconds) - Int64(bitPattern: boot),
      bootID: gateway.bootID, isTrusted: port.isClockSynchronised)
    delivery.flush(at: now, clock: clock, operations: &operations)
    answerSpoolChanges(at: now)
    if let later = delivery.spoolLaterVersion { return refuse(later) }
    tellIngest()
    resolve()
    if now >= nextStatus { tellStatus(at: now) }
    writeLog()
    followStage(at: now)
    gateway.deliveryHealth.turned(at: now)
    delivery.tellWaitingProgress()
    gateway.deliveryLoopMetrics.turned(
      at: now, since: startedAt, port: port.statistics, ringLength: batches.count)
    if !isStopped { waitForWork() }
  }

  /// A later version of the program wrote the spool: nothing can be delivered in its order, and
  /// nothing may be written to it.
  private mutating func refuse(_ later: SpoolLaterVersion) {
    gateway.control.fail(
      .delivery, "\(gateway.spoolDirectory): \(SpoolVersionText.refusal(later))", isFinal: true)
    if let bell = gateway.control.doorbell(of: .main) {
      operations.append(.ring(bell), token: Token(owner: LoopOwner.delivery, verb: 0))
      port.submit(&operations)
      port.wait(until: Instant(nanoseconds: 0))
    }
  }

  private mutating func answerSpoolQuestions(at now: Instant) {
    for asked in gateway.spoolDesk.takeQuestions() {
      let answer = delivery.answer(asked.question, at: now)
      if case .changed(let change) = answer, asked.question.isChange {
        promises.add(asked.number, change, made: delivery.spoolChanges.made, at: now)
        delivery.saveSpoolChanges(at: now)
      } else {
        gateway.spoolDesk.answer(asked.number, answer)
        hasAnswers = true
      }
    }
  }

  /// Tells who changed something when the disk has it.
  private mutating func answerSpoolChanges(at now: Instant) {
    for (number, answer) in promises.take(
      saved: delivery.spoolChanges.saved, fault: delivery.spoolCursorFault, at: now)
    {
      gateway.spoolDesk.answer(number, answer)
      hasAnswers = true
    }
    guard hasAnswers else { return }
    hasAnswers = false
    if let bell = gateway.control.doorbell(of: .main) {
      operations.append(.ring(bell), token: Token(owner: LoopOwner.delivery, verb: 0))
    }
  }

  private mutating func waitForWork() {
    port.submit(&operations)
    var deadline = Instant(nanoseconds: 0)
    if batches.prepareToSleep() {
      deadline = min(delivery.nextDeadline, port.now.advanced(milliseconds: 1_000))
      deadline = min(deadline, min(min(nextStatus, stopDeadline), promises.deadline))
      if delivery.nextProgress != nil {
        deadline = min(deadline, port.now.advanced(milliseconds: 1))
      }
    }
    port.wait(until: deadline)
  }

  private mutating func tellIngest() {
    var pushed = false
    while let told = delivery.nextProgress, progress.push(told) {
      delivery.removeNextProgress()
      pushed = true
    }
    if pushed, progress.needsWakeUp(), let bell = gateway.control.doorbell(of: .ingest) {
      operations.append(.ring(bell), token: Token(owner: LoopOwner.delivery, verb: 0))
    }
  }

  /// Names go to whoever resolves them, addresses come back. What was asked is remembered less what
  /// was answered, so that a name that is wanted again is asked for again.
  private mutating func resolve() {
    for answer in gateway.resolution.takeResolved() {
      askedHosts.removeAll { $0 == answer.host }
      delivery.resolved(answer.host, addresses: answer.addresses)
    }
    let wanted = delivery.hostsToResolve
    guard wanted != askedHosts else { return }
    askedHosts = wanted
    gateway.resolution.setWanted(wanted)
    if !wanted.isEmpty, let bell = gateway.control.doorbell(of: .main) {
      operations.append(.ring(bell), token: Token(owner: LoopOwner.delivery, verb: 0))
    }
  }

  private mutating func tellStatus(at now: Instant) {
    nextStatus = now.advanced(milliseconds: Self.statusIntervalMilliseconds)
    var status = delivery.status
    if let spoolProblem {
      status.spool.state = .unavailable
      status.spool.lastError = spoolProblem
    }
    gateway.deliveryStatus.withLock { [status] in $0 = status }
    gateway.deliveryMetrics.isConnected.set(Int64(status.isConnected ? 1 : 0))
    // That its own connections end then is no news.
    guard !status.isEmbedded, !isStopping else { return }
    let time = port.unixMilliseconds
    logBlocked(status, at: time)
    let grace = gateway.startedAt.advanced(milliseconds: Self.connectGraceMilliseconds)
    guard status.isConnected != wasConnected, status.isConnected || now >= grace else { return }
    wasConnected = status.isConnected
    logConnection(status, at: time)
  }

  /// One line for each topic that a person has to help, and another when what is wrong changes.
  private mutating func logBlocked(_ status: DeliveryStatus, at time: UInt64) {
    for lane in status.lanes {
      guard lane.isBlocked else {
        // Between two tries it is neither.
        if lane.isReady { blockedTopics[lane.topic] = nil }
        continue
      }
      if blockedTopics[lane.topic] == lane.error { continue }
      blockedTopics[lane.topic] = lane.error
      logger.log(
        .error, "uplink.topic_blocked", at: time,
        message: "the broker refuses the topic, and only a person can change that; records wait",
        repeats: .all
      ) { fields in
        fields.add("topic", lane.topic)
        fields.add("error", lane.error)
      }
    }
  }

  private mutating func logConnection(_ status: DeliveryStatus, at time: UInt64) {
    if status.isConnected {
      logger.log(.info, "uplink.connected", at: time, repeats: .all) { fields in
        fields.add("broker", status.brokers.first ?? "")
      }
    } else {
      logger.log(
        .warning, "uplink.disconnected", at: time,
        message: status.withoutBroker(gateway.configuration), repeats: .all
      ) { fields in
        fields.add("error", status.lastError)
      }
    }
  }

  private mutating func writeLog() {
    while let notice = delivery.nextNotice() {
      logger.log(
        notice.level, notice.event, at: port.unixMilliseconds, message: notice.message
      ) { fields in
        if !notice.topic.isEmpty { fields.add("topic", notice.topic.rawBytes) }
        if !notice.subscription.isEmpty {
          fields.add("subscription", notice.subscription.rawBytes)
        }
        if notice.recordCount > 0 { fields.add("records", notice.recordCount) }
        if let peer = notice.peer { fields.add("peer", "\(peer)") }
        if !notice.reason.isEmpty { fields.add("reason", notice.reason) }
        if !notice.subject.isEmpty { fields.add("subject", notice.subject.rawBytes) }
      }
    }
    while let notice = delivery.nextSpoolNotice() {
      logger.log(
        notice.level, notice.event(gateway.configuration), at: port.unixMilliseconds,
        message: notice.message(gateway.configuration), repeats: notice.isOwn ? .all : .limited
      ) { fields in
        notice.add(to: &fields, folder: gateway.spoolDirectory)
      }
    }
    logger.advance(to: port.unixMilliseconds)
    if logger.needsWakeUp(), let bell = gateway.control.doorbell(of: .main) {
      operations.append(.ring(bell), token: Token(owner: LoopOwner.delivery, verb: 0))
    }
  }

  private mutating func followStage(at now: Instant) {
    if gateway.control.stage == .draining { delivery.beginLeaving() }
    guard gateway.control.stage == .stopping, let plan = gateway.control.stopPlan,
      gateway.control.state(of: .delivery) == .running
    else { return }
    if !isStopping {
      isStopping = true
      delivery.beginStop(at: now, operations: &operations)
      stopDeadline = plan.closesUntil
    }
    guard delivery.isStopped || now >= stopDeadline else { return }
    stopDeadline = .distantFuture
    gateway.control.set(.stopped, of: .delivery)
    if let bell = gateway.control.doorbell(of: .main) {
      operations.append(.ring(bell), token: Token(owner: LoopOwner.delivery, verb: 0))
      port.submit(&operations)
      port.wait(until: Instant(nanoseconds: 0))
    }
  }
}
