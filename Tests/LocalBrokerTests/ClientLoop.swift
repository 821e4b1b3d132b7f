import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Simulator

/// One connection of a client, which makes calls and keeps what comes back.
final class ClientLoop: SimulatedLoop {
  /// What became of a call.
  struct Outcome {
    var messages: [[UInt8]] = []
    var status: StatusCode?
    var text = ""
  }

  var port: SimulatedPort
  let portID: NodeID
  private var session: ClientSession
  private var outbox = Outbox()
  private var operations = OperationQueue()
  private var descriptor: Descriptor?
  private var nextTag: UInt64 = 1
  private(set) var outcomes: [UInt64: Outcome] = [:]
  private(set) var isClosed = false
  private(set) var failure: String?
  private(set) var receivedBytes = 0

  init(
    _ world: SimulatedWorld, to address: SocketAddress, streamWindow: Int = 256 << 10,
    headers: [(name: String, value: String)] = []
  ) {
    port = world.makePort(host: 0x0a00_0002)
    portID = port.id
    var options = ClientSession.Options(authority: "broker:6650", userAgent: "test")
    options.initialStreamWindowBytes = streamWindow
    options.additionalHeaders = headers
    session = ClientSession(
      options: options,
      methods: DanubeMethod.allCases.map { (MethodID(rawValue: $0.rawValue), "\($0.path)") }
        + [(MethodID(rawValue: 200), "/danube_schema.SchemaRegistry/ListSubjects")])
    operations.append(.connect(address), token: Token(owner: 9, verb: 1))
  }

  /// Starts a call and gives its tag.
  func call(_ method: DanubeMethod, _ encode: (inout GrowableBytes) -> Void) -> UInt64 {
    call(MethodID(rawValue: method.rawValue), encode)
  }

  func call(_ method: MethodID, _ encode: (inout GrowableBytes) -> Void) -> UInt64 {
    var bytes = GrowableBytes()
    encode(&bytes)
    let tag = nextTag
    nextTag += 1
    outcomes[tag] = Outcome()
    let started = session.startCall(
      method, tag: tag, timeoutMilliseconds: nil, message: bytes.bytes)
    if !started { outcomes[tag]?.status = .unavailable }
    turn()
    return tag
  }

  /// Starts a call whose request stays open, and gives its tag.
  func open(_ method: DanubeMethod) -> UInt64 {
    let tag = nextTag
    nextTag += 1
    outcomes[tag] = Outcome()
    let started = session.startStream(MethodID(rawValue: method.rawValue), tag: tag)
    if !started { outcomes[tag]?.status = .unavailable }
    turn()
    return tag
  }

  /// Sends a message of a call whose request is open; false when it is over.
  @discardableResult
  func send(_ tag: UInt64, _ bytes: [UInt8]) -> Bool {
    defer { turn() }
    return session.sendMessage(
      tag: tag, head: bytes.rawBytes, body: MemorySlice(), bodyTag: nil, tail: RawSpan())
  }

  func finish(_ tag: UInt64) {
    session.finishRequest(tag: tag)
    turn()
  }

  func unsentBytes(_ tag: UInt64) -> Int { session.unsentBytes(tag: tag) }

  func cancel(_ tag: UInt64) {
    session.cancelCall(tag: tag)
    turn()
  }

  func disconnect() {
    guard let descriptor else { return }
    operations.append(.close(descriptor), token: Token(owner: 9, verb: 4))
    self.descriptor = nil
    turn()
  }

  func turn() {
    while let completion = port.next() { handle(completion) }
    while let event = session.nextEvent() { take(event) }
    if let descriptor {
      session.writeOutput(to: &outbox)
      outbox.flush(to: descriptor, token: Token(owner: 9, verb: 3), operations: &operations)
    }
    port.submit(&operations)
    port.wait(until: .distantFuture)
  }

  private func take(_ event: ClientEvent) {
    switch event {
    case .message(let tag):
      outcomes[tag]?.messages.append(Array(copying: session.currentMessage))
    case .completed(let tag, let status):
      outcomes[tag]?.status = status
      outcomes[tag]?.text = String(
        decoding: Array(copying: session.currentStatusMessage), as: UTF8.self)
    default: break
    }
  }

  private func handle(_ completion: consuming Completion) {
    switch consume completion.event {
    case .connected(let descriptor):
      self.descriptor = descriptor
      operations.append(.receive(descriptor), token: Token(owner: 9, verb: 2))
    case .received(let received):
      take(received)
    case .receiveEnded(let error):
      if error?.kind == .resourcesExhausted, let descriptor {
        operations.append(.receive(descriptor), token: Token(owner: 9, verb: 2))
      } else {
        isClosed = true
        session.abandonAllCalls()
      }
    case .sent(let count): outbox.sent(count)
    case .closed: isClosed = true
    case .connectFailed:
      isClosed = true
      session.abandonAllCalls()
    default: break
    }
  }

  private func take(_ received: consuming ReceivedBytes) {
    if descriptor != nil { receive(received.bytes) }
    operations.recycle(received)
  }

  private func receive(_ bytes: RawSpan) {
    receivedBytes += bytes.byteCount
    do {
      try session.receive(bytes)
    } catch {
      failure = "\(error)"
    }
    while let event = session.nextEvent() { take(event) }
  }
}
