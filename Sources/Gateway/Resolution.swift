public import IOPort
import Synchronization

/// Host names that the uplink wants resolved, and what they resolved to. Resolving blocks, most of
/// all when the uplink is down, so that no loop does it: another thread looks here now and then.
public final class Resolution: Sendable {
  private struct State {
    var wanted: [NamedHost] = []
    var resolved: [(host: NamedHost, addresses: [SocketAddress])] = []
  }

  private let state = Mutex<State>(State())
  private let hasAnswers = Atomic<Bool>(false)

  /// Nothing to resolve.
  public init() {}

  /// Names to resolve now.
  public var wanted: [NamedHost] { state.withLock { $0.wanted } }

  func setWanted(_ hosts: [NamedHost]) { state.withLock { $0.wanted = hosts } }

  /// Tells what a name resolved to; no address when it did not. Ring the delivery loop afterwards.
  public func resolved(_ host: NamedHost, addresses: [SocketAddress]) {
    state.withLock { state in
      state.wanted.removeAll { $0 == host }
      state.resolved.append((host, addresses))
    }
    // Pairs with the exchange in `takeResolved`.
    hasAnswers.store(true, ordering: .releasing)
  }

  /// The answers since the last time. Costs one load while there are none.
  func takeResolved() -> [(host: NamedHost, addresses: [SocketAddress])] {
    guard hasAnswers.load(ordering: .relaxed) else { return [] }
    _ = hasAnswers.exchange(false, ordering: .acquiring)
    return state.withLock { state in
      defer { state.resolved = [] }
      return state.resolved
    }
  }
}
