import IOPort

/// A loop that owns a port.
///
/// A turn takes the port's completions, hands operations in, and calls `wait(until:)` once, first
/// or last. It is called again until a wait found nothing and had time to wait.
public protocol SimulatedLoop: AnyObject {
  /// The loop's port.
  var portID: NodeID { get }
  /// One turn.
  func turn()
}

/// Runs loops and lets time pass when none of them has work. Which of several ready loops goes
/// first follows from the seed.
public final class SimulationDriver {
  /// Where the loops live.
  public let world: SimulatedWorld
  /// What a turn costs, nanoseconds: time passes while a loop works.
  public var turnNanoseconds: ClosedRange<Int> = 500...5_000
  /// Of turns: how often a loop without work gets one, as after a signal.
  public var spuriousTurnPerMille = 5
  /// Turns taken.
  public private(set) var turnCount = 0

  private var loops: [any SimulatedLoop] = []
  private var random: SplitMix64

  /// A driver without loops.
  public init(_ world: SimulatedWorld) {
    self.world = world
    random = SplitMix64(seed: world.seed ^ 0x4472_6976_6572)
  }

  /// Adds a loop.
  public func add(_ loop: any SimulatedLoop) { loops.append(loop) }

  /// Forgets a loop; with ``SimulatedWorld/kill(_:)`` its process is gone.
  public func remove(_ id: NodeID) { loops.removeAll { $0.portID == id } }

  /// Runs until a time.
  public func run(until end: Instant) { run(until: end) { false } }

  /// Runs for so many milliseconds of the world's time.
  public func run(milliseconds: Int) { run(until: world.now.advanced(milliseconds: milliseconds)) }

  /// Runs until `condition` holds, and says whether it did: false when `end` came first, or when
  /// there is no end and nothing is going to happen any more.
  @discardableResult
  public func run(until end: Instant, _ condition: () -> Bool) -> Bool {
    while !condition() {
      if world.now >= end { return false }
      if let loop = pickLoop() {
        // Its wait is over: it reads the clocks.
        world.readClocks(for: loop.portID)
        loop.turn()
        turnCount += 1
        world.pass(nanoseconds: UInt64(Int.random(in: turnNanoseconds, using: &random)))
        continue
      }
      let deadline = loops.map { world.deadline(of: $0.portID) }.min() ?? .distantFuture
      let limit = min(end, deadline)
      if !world.step(until: limit), limit == .distantFuture { return false }
    }
    return true
  }

  /// Runs until `condition` holds, and says whether it did within so many milliseconds.
  @discardableResult
  public func run(milliseconds: Int, _ condition: () -> Bool) -> Bool {
    run(until: world.now.advanced(milliseconds: milliseconds), condition)
  }

  private func pickLoop() -> (any SimulatedLoop)? {
    let ready = loops.filter { world.isReady($0.portID) }
    if ready.isEmpty { return nil }
    if spuriousTurnPerMille > 0, Int.random(in: 0..<1_000, using: &random) < spuriousTurnPerMille {
      return loops.filter { world.isAlive($0.portID) }.randomElement(using: &random)
    }
    return ready.randomElement(using: &random)
  }
}
