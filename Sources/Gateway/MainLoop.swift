import Admin
public import IOPort
import Logs
import Metrics
import Settings

/// The loop of the main thread: health, metrics and status over HTTP, signals, and the orderly end.
///
/// It holds nothing that the other loops wait for, so that it answers when they are stuck.
public struct MainLoop<Port: IOPort & ~Copyable>: ~Copyable {
  private var port: Port
  var admin: AdminServer
  private var operations = OperationQueue()
  let gateway: Gateway
  /// Requests that wait for the delivery loop, by the number of the question.
  var spoolRequests: [UInt64: AdminRequest] = [:]
  private static var failedLimitMilliseconds: Int { 2_000 }

  private var plan: StopPlan?

  /// The token that a port's owner gives to whatever asks the gateway to stop, such as a signal.
  public static var stopToken: Token { Token(owner: LoopOwner.main, verb: 1) }

  /// Opens the admin address on `port`.
  public init(gateway: Gateway, port: consuming Port) throws(StartError) {
    self.gateway = gateway
    self.port = port
    gateway.control.setDoorbell(self.port.doorbell, of: .main)
    let listener = try listen(
      on: gateway.configuration.admin.address, purpose: "admin", port: &self.port)
    admin = AdminServer(
      owner: LoopOwner.admin,
      authorization: AdminAuthorization(
        token: gateway.configuration.admin.token, isLoopback: listener.bound.isLoopback))
    admin.start(listener: listener.descriptor, operations: &operations)
    gateway.control.addListening("admin", listener.bound)
    gateway.processMetrics.started(atUnixMilliseconds: self.port.unixMilliseconds)
  }

  /// Whether both loops have ended.
  public var isOver: Bool {
    [GatewayControl.Part.ingest, .delivery].allSatisfy { part in
      let state = gateway.control.state(of: part)
      return state == .stopped || state == .failed
    }
  }

  /// Whether both loops have ended, or had to be left behind.
  public var isFinished: Bool {
    gateway.control.stage == .stopping && (isOver || port.now >= plan?.endsAt ?? .distantFuture)
  }

  /// The time by the port's clock and the time of day, for whoever writes the log.
  public var clock: (now: Instant, unixMilliseconds: UInt64) { (port.now, port.unixMilliseconds) }

  /// One turn; it waits for at most `milliseconds`. `sample` is called before metrics are shown, to
  /// bring ``Gateway/processMetrics`` up to date.
  public mutating func turn(
    waitingAtMost milliseconds: Int = 1_000, sampling sample: () -> Void = {}
  ) {
    port.submit(&operations)
    let latest = port.now.advanced(milliseconds: milliseconds)
    port.wait(until: min(min(admin.nextDeadline, stopDeadline), latest))
    let now = port.now
    while let completion = port.next() {
      if completion.token.owner == LoopOwner.admin {
        admin.handle(completion, at: now, operations: &operations)
      } else if completion.token == Self.stopToken {
        beginStop(at: now)
      }
    }
    answerSpoolRequests()
    while let request = admin.nextRequest() { answer(request, at: now, sampling: sample) }
    admin.advance(to: now, operations: &operations)
    admin.flush(operations: &operations)
    followLoops(at: now)
  }

  /// Asks the loops to end: devices first, then the way to Danube.
  public mutating func beginStop(at now: Instant) {
    guard gateway.control.stage == .running else { return }
    let limit = gateway.configuration.gateway.shutdownSeconds * 1_000
    // A loop that is stuck does not keep the process: what was not answered is the devices' still.
    plan = gateway.control.decide(StopPlan(at: now, limitMilliseconds: limit))
    gateway.control.advance(to: .draining)
    ring()
  }

  /// When the end goes on, even if nobody says so.
  private var stopDeadline: Instant {
    guard let plan else { return .distantFuture }
    return gateway.control.stage == .draining ? plan.leavesUntil : plan.endsAt
  }

  /// Wakes both loops, as something that happened does.
  public mutating func wakeLoops() { ring() }

  private mutating func followLoops(at now: Instant) {
    let ingest = gateway.control.state(of: .ingest)
    let delivery = gateway.control.state(of: .delivery)
    if ingest == .failed || delivery == .failed {
      if gateway.control.stage != .stopping {
        plan = gateway.control.decide(
          StopPlan(at: now, limitMilliseconds: Self.failedLimitMilliseconds))
        gateway.control.advance(to: .stopping)
        ring()
      }
    } else if gateway.control.stage == .draining, let plan,
      ingest == .drained || now >= plan.leavesUntil
    {
      gateway.control.advance(to: .stopping)
      ring()
    }
  }

  private mutating func ring() {
    for part in [GatewayControl.Part.ingest, .delivery] {
      if let bell = gateway.control.doorbell(of: part) {
        operations.append(.ring(bell), token: Token(owner: LoopOwner.main, verb: 0))
      }
    }
    port.submit(&operations)
  }

  private mutating func answer(
    _ request: AdminRequest, at now: Instant, sampling sample: () -> Void
  ) {
    switch request.endpoint {
    case .index:
      respond(request, statusCode: 200, type: AdminContentType.text, AdminText.index)
    case .liveness:
      let report = HealthReport(
        loops: [gateway.ingestHealth, gateway.deliveryHealth], at: now)
      respond(
        request, statusCode: report.statusCode, type: AdminContentType.json, report.body)
    case .readiness:
      let report = ReadinessReport(of: gateway, at: now)
      respond(
        request, statusCode: report.statusCode, type: AdminContentType.json, report.body)
    case .metrics:
      sample()
      var text: [UInt8] = []
      gateway.registry.render(into: &text)
      respond(request, statusCode: 200, type: AdminContentType.prometheus, text)
    case .status, .health:
      let report = StatusReport(of: gateway, at: now)
      let isFailure = request.endpoint == .health && !report.isHealthy
      respond(
        request, statusCode: isFailure ? 503 : 200, type: AdminContentType.json, report.body)
    case .logLevel: answerLogLevel(request)
    case .spool, .spoolReplay, .spoolDrop: askSpool(request)
    }
  }

  /// Tells the least level that is logged, which a PUT has set before.
  private mutating func answerLogLevel(_ request: AdminRequest) {
    var text = JSONText()
    text.beginObject()
    var statusCode: UInt16 = 200
    if request.isPut {
      let name = LogLevelRequest.name(in: admin.body(of: request.connection))
      if let level = name.flatMap({ LogLevel(named: $0) }) {
        gateway.logThreshold.level = level
      } else {
        statusCode = 400
        text.member("error", statusCode)
        text.member("message", "the body is not debug, info, warn or error")
      }
    }
    text.member("level", gateway.logThreshold.level.word.description)
    text.endObject()
    respond(request, statusCode: statusCode, type: AdminContentType.json, text.bytes)
  }

  mutating func respond(
    _ request: AdminRequest, statusCode: UInt16, type: StaticString, _ body: [UInt8]
  ) {
    unsafe admin.respond(
      request.connection, statusCode: statusCode, contentType: type, body: body.span.bytes)
  }
}
