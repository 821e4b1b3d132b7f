import Bytes
import DanubeProtocol
import GRPC
import IOPort
import TLS

/// One connection to a broker: its HTTP/2 session and its bytes on the way.
struct ConsumerConnection: ~Copyable {
  /// What the port's receive does.
  enum Receiving: BitwiseCopyable {
    case active
    /// It was cancelled; its last completion is still to come.
    case pausing
    case paused
  }

  private static let statusTextLimit = 512

  let broker: Int
  let address: SocketAddress
  var phase: ConnectionPhase
  var receiving = Receiving.active
  var session: ClientSession
  var transport: Transport
  /// Whether there still is somebody.
  var keepalive: Keepalive

  init(
    broker: Int, address: SocketAddress, session: consuming ClientSession,
    tls: consuming TLSSession?, deadline: Instant, pingIntervalMilliseconds: Int
  ) {
    self.broker = broker
    self.address = address
    self.session = session
    transport = Transport(tls)
    phase = .connecting(deadline: deadline)
    keepalive = Keepalive(intervalMilliseconds: pingIntervalMilliseconds, at: deadline)
  }

  /// The descriptor while the connection is open.
  var descriptor: Descriptor? { phase.descriptor }

  var isOpen: Bool { descriptor != nil }

  var isConnecting: Bool { phase.isConnecting }

  /// Whether its silence means something: it is not we who do not listen.
  var isListening: Bool {
    if case .active = receiving { isOpen } else { false }
  }

  /// When it has to be looked at next; nil when only a completion changes it.
  var nextDeadline: Instant? {
    switch phase {
    case .connecting(let deadline), .securing(_, let deadline): return deadline
    case .open, .abandoned, .closing: break
    }
    return isListening ? keepalive.deadline(hasCalls: session.callsInFlight > 0) : nil
  }

  /// Starts a call with one message; false when the session takes none now.
  mutating func startCall(
    _ method: DanubeMethod, tag: UInt64, timeoutMilliseconds: Int?,
    message: borrowing GrowableBytes, at now: Instant
  ) -> Bool {
    if session.callsInFlight == 0 { keepalive.callsBegin(at: now) }
    return session.startCall(
      MethodID(rawValue: method.rawValue), tag: tag, timeoutMilliseconds: timeoutMilliseconds,
      message: message.bytes)
  }

  /// Frames what is ready and asks for a send.
  mutating func flush(
    token: Token, scratch: inout Transport.Scratch, operations: inout OperationQueue
  ) {
    guard let socket = phase.socket else { return }
    if isOpen, !transport.isFull { session.writeOutput(to: &transport.outbox) }
    transport.flush(to: socket, token: token, scratch: &scratch, operations: &operations)
  }

  /// The last response message, read as the answer to a call.
  func answer(to kind: ConsumerCall.Kind) -> ConsumerCall.Answer {
    do throws(DanubeProtocolError) {
      let message = session.currentMessage
      switch kind {
      case .partitions: return .partitions(try TopicPartitionsResponse(decoding: message))
      case .lookup: return .lookup(try TopicLookupResponse(decoding: message))
      case .subscribe: return .consumer(try ConsumerResponse(decoding: message))
      case .health: return .health(try HealthCheckResponse(decoding: message).status)
      case .receive, .settle: return .other
      }
    } catch {
      return .malformed
    }
  }

  /// Hands the last response message, which came on a partition's stream, over.
  func deliver(
    to messages: inout HeldMessages, partition: Int, session number: UInt32, mayRepeat: Bool
  ) -> HeldMessages.Arrival {
    messages.receive(
      session.currentMessage, partition: partition, session: number, mayRepeat: mayRepeat)
  }

  /// What the broker said with the last status; for people.
  var statusText: String {
    let text = session.currentStatusMessage
    let shown = text.extracting(0..<min(text.byteCount, Self.statusTextLimit))
    return String(decoding: Array(copying: shown), as: UTF8.self)
  }

  /// The descriptor is closed: nothing is read or written any more.
  mutating func abandon() {
    session.abandonAllCalls()
    transport.reset()
  }
}
