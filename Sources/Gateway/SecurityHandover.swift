import Synchronization

/// How the gateway and others trust each other, from whoever reads files to delivery: what it
/// starts with, and what replaces it while it runs.
public final class SecurityHandover: Sendable {
  /// What delivery starts with.
  let initial: GatewaySecurity
  private let offered = Mutex<GatewaySecurity?>(nil)
  private let hasOffer = Atomic<Bool>(false)

  /// Nothing new yet.
  init(_ initial: GatewaySecurity) { self.initial = initial }

  /// Replaces what delivery uses. Ring the delivery loop afterwards.
  public func offer(_ security: GatewaySecurity) {
    offered.withLock { $0 = security }
    // Pairs with the exchange in `take`.
    hasOffer.store(true, ordering: .releasing)
  }

  /// What is new since the last time. Costs one load while there is nothing.
  func take() -> GatewaySecurity? {
    guard hasOffer.load(ordering: .relaxed) else { return nil }
    _ = hasOffer.exchange(false, ordering: .acquiring)
    return offered.withLock { offered in
      defer { offered = nil }
      return offered
    }
  }
}
