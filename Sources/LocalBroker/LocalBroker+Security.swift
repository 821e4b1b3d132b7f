import Bytes
import IOPort
import Metrics
public import TLS

// TLS on the broker's port.
extension LocalBroker {
  /// Replaces what connections to come are opened with. Whether there is TLS at all stays as it is.
  public mutating func updateTLS(_ context: TLSContext?) {
    if tls != nil, let context { self.tls = context }
  }

  /// The session of a new connection; nil in clear.
  func makeTLSSession() -> TLSSession? {
    guard let tls else { return nil }
    do throws(TLSError) {
      return try TLSSession(tls)
    } catch {
      // Without memory for a session there is none for a connection either, and in clear it must
      // not be.
      preconditionFailure("no memory for a TLS session")
    }
  }

  mutating func receivedEncrypted(_ id: SlotID, _ bytes: RawSpan, at now: Instant) {
    touch(id)
    connections[id].heard(at: now)
    var isSound = true
    do throws(TLSError) {
      try connections[id].outbox.receive(bytes, scratch: &plaintext)
    } catch {
      isSound = false
    }
    let received = plaintext.takeReceived()
    receivedPlaintext(id, received, at: now)
    plaintext.giveBack(received)
    if !isSound, connections.contains(id), !connections[id].isClosing {
      // The client is told why before it is closed.
      state.metrics.protocolErrors.add()
      closeSoon(id, at: now)
    }
  }

  private mutating func receivedPlaintext(
    _ id: SlotID, _ bytes: borrowing GrowableBytes, at now: Instant
  ) {
    if !bytes.isEmpty { received(id, bytes.bytes, at: now) }
  }
}
