import Bytes
import GRPC
public import IOPort
public import TLS

// TLS and the token: the way from a network connection to one that can be used, and what is new.
extension DanubeConsumer {
  /// Replaces what brokers are trusted by and what they are shown. With another token connections
  /// are closed and opened anew, and the sessions on them go on there; without, they stay.
  public mutating func updateSecurity(_ new: ClientSecurity, operations: inout OperationQueue) {
    let isNewToken = new.token != security.token
    security = new
    guard isNewToken else { return }
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index) else { continue }
      endSecuring(id, "the token changed", operations: &operations)
      end(id, "the token changed", operations: &operations)
    }
  }

  /// Why an address that a broker names is not used; nil when it may be.
  func objection(toTLS usesTLS: Bool, namedBy broker: Int) -> String? {
    if !usesTLS, brokers[broker].usesTLS {
      return "it has no TLS, and the broker that named it was reached through TLS"
    }
    return security.objection(toTLS: usesTLS)
  }

  mutating func receivedEncrypted(
    _ bytes: RawSpan, _ id: SlotID, operations: inout OperationQueue
  ) {
    var failure: TLSError?
    do throws(TLSError) {
      try connections[id].transport.receive(bytes, scratch: &plaintext)
    } catch {
      failure = error
    }
    if case .securing(let socket, _) = connections[id].phase {
      if let failure {
        return endSecuring(id, failure.description, operations: &operations)
      }
      guard connections[id].transport.isReady else { return }
      connections[id].phase = .open(socket)
    }
    let received = plaintext.takeReceived()
    receivedPlaintext(received, id, operations: &operations)
    plaintext.giveBack(received)
    if let failure, connections[id].isOpen {
      sendAlert(id, operations: &operations)
      end(id, failure.description, operations: &operations)
    }
  }

  private mutating func receivedPlaintext(
    _ received: borrowing GrowableBytes, _ id: SlotID, operations: inout OperationQueue
  ) {
    if !received.isEmpty { receivedFrames(received.bytes, id, operations: &operations) }
  }

  /// The two sides did not agree: the connection did not come about. Nothing happens to one that is
  /// not at this point.
  mutating func endSecuring(_ id: SlotID, _ text: String, operations: inout OperationQueue) {
    guard case .securing(let socket, _) = connections[id].phase else { return }
    sendAlert(id, operations: &operations)
    connections[id].phase = .closing
    operations.append(.close(socket), token: token(.close, id))
    connectionFailed(id, connections[id].broker, text)
  }

  /// Lets the peer know why, where there is room in the network for it.
  private mutating func sendAlert(_ id: SlotID, operations: inout OperationQueue) {
    guard let socket = connections[id].phase.socket else { return }
    connections[id].transport.flush(
      to: socket, token: token(.send, id), scratch: &plaintext, operations: &operations)
  }
}
