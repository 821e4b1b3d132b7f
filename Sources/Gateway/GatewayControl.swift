public import IOPort
public import Synchronization

/// What the threads of a gateway tell each other beside the rings: how far it is, and where to
/// ring.
public final class GatewayControl: Sendable {
  /// What the loops are to do. It only goes forward.
  public enum Stage: UInt8, Sendable, AtomicRepresentable {
    /// Take in and deliver.
    case running
    /// Take in no more; answer what is safe, then let the devices go.
    case draining
    /// Stop.
    case stopping
  }

  /// How far a loop is. It only goes forward.
  public enum LoopState: UInt8, Sendable, AtomicRepresentable {
    /// Not started.
    case starting
    /// It turns.
    case running
    /// It has done what `draining` asks.
    case drained
    /// It ended.
    case stopped
    /// It could not start; see `startError`.
    case failed
  }

  /// A part of the gateway that others can wake.
  public enum Part: Int, Sendable, CaseIterable {
    /// Devices.
    case ingest
    /// Danube.
    case delivery
    /// Signals, health, logs.
    case main
  }

  /// An address that the gateway listens on, and for what.
  public struct Listening: Sendable, Equatable {
    /// `mqtt`, `broker` or `admin`.
    public let purpose: String
    /// The bound address.
    public let address: SocketAddress
  }

  private struct Shared {
    var startError: String?
    var isStartErrorFinal = false
    var listening: [Listening] = []
    var stopPlan: StopPlan?
  }

  private let stageStorage = Atomic<Stage>(.running)
  private let ingestState = Atomic<LoopState>(.starting)
  private let deliveryState = Atomic<LoopState>(.starting)
  private let ingestBell = Atomic<Int32>(-1)
  private let deliveryBell = Atomic<Int32>(-1)
  private let mainBell = Atomic<Int32>(-1)
  private let shared = Mutex<Shared>(Shared())

  /// The control of a gateway that has not started.
  public init() {}

  /// What the loops are to do.
  public var stage: Stage { stageStorage.load(ordering: .acquiring) }

  /// Goes on to a later stage. The caller then rings the loops.
  public func advance(to stage: Stage) {
    // Pairs with the acquire in `stage`.
    if stage.rawValue > self.stage.rawValue { stageStorage.store(stage, ordering: .releasing) }
  }

  /// How long the end may take; nil until it is decided, which is before the stage goes forward.
  public var stopPlan: StopPlan? { shared.withLock { $0.stopPlan } }

  /// Decides how long the end may take, once: what was decided first is returned and stays.
  public func decide(_ plan: StopPlan) -> StopPlan {
    shared.withLock { shared in
      let decided = shared.stopPlan ?? plan
      shared.stopPlan = decided
      return decided
    }
  }

  /// How far a loop is; the main part has no state.
  public func state(of part: Part) -> LoopState {
    switch part {
    case .ingest: ingestState.load(ordering: .acquiring)
    case .delivery: deliveryState.load(ordering: .acquiring)
    case .main: .running
    }
  }

  /// A loop tells how far it is.
  public func set(_ state: LoopState, of part: Part) {
    // Pairs with the acquires in `state(of:)`.
    switch part {
    case .ingest: ingestState.store(state, ordering: .releasing)
    case .delivery: deliveryState.store(state, ordering: .releasing)
    case .main: break
    }
  }

  /// Where a part is woken; nil before it started.
  public func doorbell(of part: Part) -> Doorbell? {
    let raw =
      switch part {
      case .ingest: ingestBell.load(ordering: .acquiring)
      case .delivery: deliveryBell.load(ordering: .acquiring)
      case .main: mainBell.load(ordering: .acquiring)
      }
    return raw < 0 ? nil : Doorbell(rawValue: raw)
  }

  /// A part tells where it is woken.
  public func setDoorbell(_ doorbell: Doorbell, of part: Part) {
    // Pairs with the acquires in `doorbell(of:)`.
    switch part {
    case .ingest: ingestBell.store(doorbell.rawValue, ordering: .releasing)
    case .delivery: deliveryBell.store(doorbell.rawValue, ordering: .releasing)
    case .main: mainBell.store(doorbell.rawValue, ordering: .releasing)
    }
  }

  /// Why a loop could not start; nil when none failed.
  public var startError: String? { shared.withLock { $0.startError } }

  /// Whether trying again would not mend what `startError` tells.
  public var isStartErrorFinal: Bool { shared.withLock { $0.isStartErrorFinal } }

  /// A loop could not start; with `isFinal` trying again would not mend it.
  public func fail(_ part: Part, _ message: String, isFinal: Bool = false) {
    shared.withLock { shared in
      guard shared.startError == nil else { return }
      shared.startError = message
      shared.isStartErrorFinal = isFinal
    }
    set(.failed, of: part)
  }

  /// The addresses the gateway listens on.
  public var listening: [Listening] { shared.withLock { $0.listening } }

  /// A loop listens on an address.
  public func addListening(_ purpose: String, _ address: SocketAddress) {
    shared.withLock { $0.listening.append(Listening(purpose: purpose, address: address)) }
  }
}
