import Bytes
import IOPort

/// Two hosts, the lower first: what joins them is the same in both directions.
struct Link: Hashable {
  let low: UInt32
  let high: UInt32

  init(_ one: UInt32, _ other: UInt32) {
    low = min(one, other)
    high = max(one, other)
  }
}

/// A network of hosts with their ports, on one thread and a clock of its own. Everything that
/// happens follows from the seed and from what the loops ask for.
///
/// Time passes only in ``step(until:)``; ``SimulationDriver`` calls it when no loop has work.
/// An owner that breaks a rule of `Operation` stops the process with the seed.
public final class SimulatedWorld {
  /// What everything random follows from.
  public let seed: UInt64
  /// The time.
  public private(set) var now = Instant(nanoseconds: 1_000_000_000)
  /// How often which fault happened.
  public internal(set) var faultCounts = FaultCounts()
  /// A hash of everything that happened: equal for equal runs.
  public private(set) var traceHash: UInt64 = 0xcbf2_9ce4_8422_2325
  /// Is handed a line for everything that happens, to read what a failing seed did.
  public var tracer: ((String) -> Void)?
  /// The faults of links that have none of their own.
  public var defaultFaults = NetworkFaults()

  /// Unix milliseconds when the clock stood at 0.
  var wallClockStart: UInt64 = 1_750_000_000_000
  /// Whether the kernels call the time of day synchronised.
  public var isClockSynchronised = true
  var random: SplitMix64
  var events = EventQueue()
  var nodes: [SimulatedNode] = []
  var linkFaults: [Link: NetworkFaults] = [:]
  /// Until when a way of a link with a rate is taken, by the host that sends.
  var busyUntil: [Link: [UInt32: Instant]] = [:]
  /// What would happen on a link that is down, in order: it happens when the link is up again.
  var stalled: [Link: [Event]] = [:]
  var connections: [SimulatedConnection] = []
  var listeners: [SimulatedSocket] = []
  var connectionCount = 0
  var connectCount = 0
  var nextEphemeralPort: UInt16 = 40_000
  /// Where connects are refused although somebody may listen.
  var refusing: Set<SocketAddress> = []
  var disks: [UInt32: SimulatedDisk] = [:]

  /// A world without ports.
  public init(seed: UInt64) {
    self.seed = seed
    random = SplitMix64(seed: seed)
  }

  deinit {
    for connection in connections {
      connection.client.connection = nil
      connection.server.connection = nil
    }
  }

  // MARK: Time

  /// When the next event is, nil when nothing is going to happen by itself.
  public var nextEvent: Instant? { events.nextInstant }

  /// Moves the clock to the next event and lets it happen; false, and the clock at `limit` (unless
  /// that is the distant future), when there is none up to then.
  @discardableResult
  public func step(until limit: Instant = .distantFuture) -> Bool {
    guard let next = events.nextInstant, next <= limit, let (at, event) = events.popFirst() else {
      if limit != .distantFuture { now = max(now, limit) }
      return false
    }
    now = max(now, at)
    happen(event)
    return true
  }

  /// Lets everything happen that is due within `nanoseconds` from now, and moves the clock there.
  public func pass(nanoseconds: UInt64) {
    let end = now.advanced(nanoseconds: nanoseconds)
    while step(until: end) {}
  }

  /// Calls `body` at a time, or at once when it has passed.
  public func at(_ instant: Instant, _ body: @escaping () -> Void) {
    schedule(.script(body), at: instant)
  }

  /// Calls `body` in so many milliseconds.
  public func after(milliseconds: Int, _ body: @escaping () -> Void) {
    at(now.advanced(milliseconds: milliseconds), body)
  }

  /// The time of day, Unix milliseconds.
  public var unixMilliseconds: UInt64 { wallClockStart + now.nanoseconds / 1_000_000 }

  /// Moves the time of day, forwards or backwards, as a clock correction does. The monotonic clock
  /// does not notice.
  public func correctWallClock(byMilliseconds milliseconds: Int64) {
    wallClockStart = UInt64(clamping: Int64(wallClockStart) + milliseconds)
  }

  // MARK: Ports

  /// A new port on a host (an IPv4 address). Ports of one host share its addresses and loopback.
  public func makePort(
    host: UInt32, limits: SimulatedPortLimits = SimulatedPortLimits()
  ) -> SimulatedPort {
    let node = SimulatedNode(
      id: NodeID(rawValue: nodes.count), host: host, limits: limits, now: now)
    node.unixMilliseconds = unixMilliseconds
    nodes.append(node)
    return SimulatedPort(world: self, node: node)
  }

  /// Whether a port's loop has something to do: completions, a deadline that has passed, or work
  /// since it last waited.
  public func isReady(_ id: NodeID) -> Bool {
    let node = nodes[id.rawValue]
    return !node.isDead && (node.hasCompletions || node.deadline <= now || !node.isSettled)
  }

  /// A port's wait is over, and it reads the clocks.
  public func readClocks(for id: NodeID) {
    nodes[id.rawValue].waitedNanoseconds += now.nanoseconds(since: nodes[id.rawValue].now)
    nodes[id.rawValue].now = now
    nodes[id.rawValue].unixMilliseconds = unixMilliseconds
  }

  /// Whether a port's process lives.
  public func isAlive(_ id: NodeID) -> Bool { !nodes[id.rawValue].isDead }

  /// Until when a port's loop is willing to wait; a dead one waits for ever.
  public func deadline(of id: NodeID) -> Instant {
    isAlive(id) ? nodes[id.rawValue].deadline : .distantFuture
  }

  // MARK: For the parts of the world

  func schedule(_ event: Event, at instant: Instant) {
    events.schedule(event, at: max(instant, now))
  }

  /// Schedules something that the kernel does soon.
  func scheduleSoon(_ event: Event) {
    schedule(event, at: now.advanced(nanoseconds: UInt64(draw(in: 200...20_000))))
  }

  func draw(in range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

  /// Whether something of so many per mille happens now.
  func happens(_ perMille: Int) -> Bool {
    perMille > 0 && Int.random(in: 0..<1_000, using: &random) < perMille
  }

  func faults(on link: Link) -> NetworkFaults { linkFaults[link] ?? defaultFaults }

  func record(_ kind: UInt64, _ subject: UInt64, _ value: UInt64 = 0) {
    for word in [now.nanoseconds, kind, subject, value] {
      traceHash = (traceHash ^ word) &* 0x100_0000_01b3
      traceHash ^= traceHash >> 32
    }
  }

  func post(_ event: PendingEvent, token: Token, to node: SimulatedNode) {
    guard !node.isDead else {
      if case .received(let buffer, _) = event { _ = node.takeBack(buffer: buffer) }
      return
    }
    let trace = event.trace
    record(trace.kind, token.rawValue, UInt64(node.id.rawValue) << 48 ^ trace.value)
    tracer?("\(now.nanoseconds) node \(node.id.rawValue) \(event) for \(token.rawValue)")
    node.post(event, token: token)
  }

  /// Stops the process: an owner broke a rule of the port.
  func violation(_ message: String, by node: SimulatedNode) -> Never {
    fatalError("seed \(seed), node \(node.id.rawValue), \(now.nanoseconds) ns: \(message)")
  }

  private func happen(_ event: Event) {
    if let link = event.link, stalled[link] != nil {
      stalled[link]?.append(event)
      return
    }
    let trace = event.trace
    record(trace.kind, trace.subject)
    tracer?("\(now.nanoseconds) event \(trace.kind) of \(trace.subject)")
    switch event {
    case .take(let endpoint): take(endpoint)
    case .arrive(let endpoint): arrive(from: endpoint)
    case .window(let endpoint, let bytes): openWindow(endpoint, bytes: bytes)
    case .pump(let endpoint): pump(endpoint)
    case .reset(let endpoint): reset(endpoint)
    case .cutEnds(let connection): endSilence(connection)
    case .attempt(let request): attempt(request)
    case .knock(let request): knock(request)
    case .answer(let request, let error): answer(request, error)
    case .accept(let socket): accept(socket)
    case .close(let socket): close(socket)
    case .ring(let node): ring(node)
    case .script(let body): body()
    case .disk(let request): operate(request)
    case .closeFile(let file, let node): if !node.isDead { closeIfIdle(file, node: node) }
    }
  }

  private func ring(_ node: SimulatedNode) {
    guard !node.isRung else { return }
    node.isRung = true
    post(.rung, token: SimulatedPort.doorbellToken, to: node)
  }
}

extension Event {
  /// The link it travels on, if it travels.
  var link: Link? {
    switch self {
    case .arrive(let endpoint), .window(let endpoint, _), .reset(let endpoint):
      endpoint.connection?.link
    default: nil
    }
  }
}
