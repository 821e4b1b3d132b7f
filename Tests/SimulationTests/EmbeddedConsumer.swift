import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Simulator

/// A consumer of one topic of the embedded broker: subscribes, receives, acknowledges, and connects
/// again when its connection ends.
final class EmbeddedConsumer: SimulatedLoop {
  private enum Verb {
    static let connect: UInt8 = 1
    static let receive: UInt8 = 2
    static let send: UInt8 = 3
    static let close: UInt8 = 4
  }

  private enum Tag {
    static let subscribe: UInt64 = 1
    static let receive: UInt64 = 2
    static let firstAck: UInt64 = 10
  }

  let portID: NodeID
  let topic: String
  /// Is told of every message, those that come again included.
  var onMessage: ((_ topic: String, _ key: [UInt8], _ payload: [UInt8]) -> Void)?
  private(set) var connectionCount = 0
  private(set) var receivedCount = 0
  private(set) var violations: [String] = []

  private var port: SimulatedPort
  private let address: SocketAddress
  private var session: ClientSession
  private var outbox = Outbox()
  private var operations = OperationQueue()
  private var descriptor: Descriptor?
  private var isClosing = false
  private var retryAt: Instant
  private var nextTag = Tag.firstAck
  private var consumerID: UInt64 = 0

  init(_ world: SimulatedWorld, host: UInt32, topic: String, broker: SocketAddress) {
    port = world.makePort(host: host)
    portID = port.id
    self.topic = topic
    address = broker
    session = Self.makeSession()
    retryAt = world.now
  }

  private static func makeSession() -> ClientSession {
    ClientSession(
      options: ClientSession.Options(authority: "broker:6650", userAgent: "test"),
      methods: DanubeMethod.allCases.map { (MethodID(rawValue: $0.rawValue), "\($0.path)") })
  }

  func turn() {
    port.wait(until: retryAt)
    while let completion = port.next() { handle(completion) }
    if port.now >= retryAt {
      retryAt = .distantFuture
      operations.append(.connect(address), token: Token(owner: 9, verb: Verb.connect))
    }
    if let descriptor, !isClosing {
      session.writeOutput(to: &outbox)
      outbox.flush(
        to: descriptor, token: Token(owner: 9, verb: Verb.send), operations: &operations)
    }
    port.submit(&operations)
  }

  private func call(_ method: DanubeMethod, tag: UInt64, _ encode: (inout GrowableBytes) -> Void) {
    var bytes = GrowableBytes()
    encode(&bytes)
    _ = session.startCall(
      MethodID(rawValue: method.rawValue), tag: tag, timeoutMilliseconds: nil,
      message: bytes.bytes)
  }

  private func handle(_ completion: consuming Completion) {
    switch consume completion.event {
    case .connected(let descriptor): connected(descriptor)
    case .connectFailed: retryAt = port.now.advanced(milliseconds: 50)
    case .received(let received): take(received)
    case .receiveEnded(let error):
      if error?.kind == .resourcesExhausted, let descriptor, !isClosing {
        operations.append(.receive(descriptor), token: Token(owner: 9, verb: Verb.receive))
      } else {
        close()
      }
    case .sent(let count): outbox.sent(count)
    case .sendFailed: close()
    case .closed:
      outbox.reset()
      descriptor = nil
      isClosing = false
      retryAt = port.now.advanced(milliseconds: 50)
    case .accepted: break
    case .acceptEnded: break
    case .queueMeasured: break
    case .rung: break
    case .file: break
    }
  }

  private func connected(_ descriptor: Descriptor) {
    self.descriptor = descriptor
    connectionCount += 1
    session = Self.makeSession()
    nextTag = Tag.firstAck
    operations.append(.receive(descriptor), token: Token(owner: 9, verb: Verb.receive))
    let request = ConsumerRequest(
      requestID: 1, topicName: Array(topic.utf8), consumerName: Array("watcher".utf8),
      subscription: Array("watch".utf8), subscriptionType: .exclusive)
    call(.subscribe, tag: Tag.subscribe) { request.encode(into: &$0) }
  }

  private func close() {
    guard let descriptor, !isClosing else { return }
    isClosing = true
    operations.append(.close(descriptor), token: Token(owner: 9, verb: Verb.close))
  }

  private func take(_ received: consuming ReceivedBytes) {
    if !isClosing { read(received.bytes) }
    operations.recycle(received)
  }

  private func read(_ bytes: RawSpan) {
    do {
      try session.receive(bytes)
    } catch {
      violations.append("\(error)")
      close()
    }
    while let event = session.nextEvent() {
      switch event {
      case .message(let tag): message(tag)
      case .completed(let tag, let status):
        if status != .ok || tag == Tag.receive { close() }
      case .goAway: close()
      case .pong, .settings: break
      }
    }
  }

  private func message(_ tag: UInt64) {
    switch tag {
    case Tag.subscribe:
      guard let answer = try? ConsumerResponse(decoding: session.currentMessage) else { return }
      consumerID = answer.consumerID
      let request = ReceiveRequest(requestID: 2, consumerID: consumerID)
      call(.receiveMessages, tag: Tag.receive) { request.encode(into: &$0) }
    case Tag.receive: record()
    default: break
    }
  }

  private func record() {
    guard let message = try? StreamMessage(decoding: session.currentMessage) else {
      violations.append("not a StreamMessage")
      return
    }
    receivedCount += 1
    onMessage?(topic, message.routingKey ?? [], message.payload)
    nextTag += 1
    let request = AckRequest(
      requestID: message.requestID, messageID: message.messageID,
      subscriptionName: Array("watch".utf8))
    call(.ack, tag: nextTag) { request.encode(into: &$0) }
  }
}
