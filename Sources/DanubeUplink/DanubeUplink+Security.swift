import Bytes
import GRPC
import IOPort
public import TLS

// TLS and the token: the way from a network connection to one that can be used, and what is new.
extension DanubeUplink {
  /// Replaces what brokers are trusted by and what they are shown. Connections that are open stay
  /// until they end; with another token each broker gets a new one, which takes its calls over.
  public mutating func updateSecurity(_ new: ClientSecurity) {
    if new.token != security.token { tokenNumber += 1 }
    security = new
    // Whatever was wrong may be right now.
    for broker in brokers.indices where brokers[broker].current == nil {
      brokers[broker].retryAt = min(brokers[broker].retryAt, now)
    }
  }

  /// The most bytes that are kept of what a broker says.
  private static var textLimit: Int { 1_024 }

  /// What a broker says without our token, which some send back: it goes to the log, to people and
  /// to the disk.
  func withoutToken(_ text: [UInt8]) -> [UInt8] {
    guard let token = security.token, !token.isEmpty, text.count >= token.count else {
      return Array(text.prefix(Self.textLimit))
    }
    var result: [UInt8] = []
    var place = 0
    while place < text.count, result.count < Self.textLimit {
      if text[place...].starts(with: token) {
        result += Array("***".utf8)
        place += token.count
      } else {
        result.append(text[place])
        place += 1
      }
    }
    return result
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
      opened(socket, id)
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
    guard case .securing = connections[id].phase else { return }
    let broker = connections[id].broker
    sendAlert(id, operations: &operations)
    dropSecuring(id, operations: &operations)
    connectionFailed(id, broker, text)
  }

  /// Closes a connection on which the two sides have not agreed yet.
  mutating func dropSecuring(_ id: SlotID, operations: inout OperationQueue) {
    guard case .securing(let socket, _) = connections[id].phase else { return }
    connections[id].phase = .closing
    operations.append(.close(socket), token: token(.close, id))
    unlink(id, from: connections[id].broker)
  }

  /// Lets the peer know why, where there is room in the network for it.
  private mutating func sendAlert(_ id: SlotID, operations: inout OperationQueue) {
    guard let socket = connections[id].phase.socket else { return }
    connections[id].transport.flush(
      to: socket, token: token(.send, id), scratch: &plaintext, operations: &operations)
  }
}
