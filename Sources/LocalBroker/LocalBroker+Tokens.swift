import Bytes
import GRPC
import IOPort
public import JWT
import Metrics

// Tokens that calls come with. Each call is looked at when it begins; a stream goes on when its
// token is over, as with Danube.
extension LocalBroker {
  /// Replaces what tells tokens, for calls to come. Whether they need one stays as it is.
  public mutating func updateTokens(_ verifier: TokenVerifier?) {
    guard tokens != nil, let verifier else { return }
    tokens = verifier
    tokenGeneration &+= 1
  }

  /// Whether the call that was taken last may be looked at; it is answered when not.
  mutating func admits(_ stream: Int32, on id: SlotID) -> Bool {
    guard let tokens else { return true }
    let refusal = connections[id].tokenRefusal(
      tokens, generation: tokenGeneration, unixSeconds: state.time.unixSeconds(at: state.now),
      isClockTrusted: state.time.isTrusted)
    guard let refusal else { return true }
    state.metrics.rejectedCalls(refusal).add()
    // Whose token it was is known only if its signature was right.
    let isSigned = refusal == .expired || refusal == .notYetValid
    let subject = isSigned ? connections[id].token?.accepted.claims.subject : nil
    state.note(
      LocalBrokerNotice(
        .callRejected, peer: connections[id].peer, reason: refusal.name, subject: subject ?? []))
    refuse(stream, on: id, Refusal(.unauthenticated, refusal.message))
    return false
  }
}

extension BrokerConnection {
  /// Why the call that was taken last may not be answered; nil when it may. A token that came with
  /// the call before costs a compare.
  mutating func tokenRefusal(
    _ verifier: TokenVerifier, generation: UInt32, unixSeconds: Int64, isClockTrusted: Bool
  ) -> TokenRefusal? {
    if let known = token, known.generation == generation,
      known.accepted.matches(session.currentAuthorization)
    {
      return known.accepted.claims.refusal(
        atUnixSeconds: unixSeconds, isClockTrusted: isClockTrusted)
    }
    do throws(TokenRefusal) {
      let field = [UInt8](copying: session.currentAuthorization)
      let accepted = try AcceptedToken(field: field, verifier: verifier)
      token = (accepted, generation)
      return accepted.claims.refusal(atUnixSeconds: unixSeconds, isClockTrusted: isClockTrusted)
    } catch {
      return error
    }
  }
}
