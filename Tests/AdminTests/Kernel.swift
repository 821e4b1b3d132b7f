import Admin
import Bytes
import IOPort

/// Plays the port and the owner: one server, its clients, and a clock that is set by hand.
struct Kernel: ~Copyable {
  static let owner: UInt8 = 7
  static let listener = Descriptor(rawValue: 3)

  var server: AdminServer
  var operations = OperationQueue()
  var now = Instant(nanoseconds: 1_000_000_000)
  /// What each descriptor was sent so far.
  private(set) var sent: [Descriptor: [UInt8]] = [:]
  private(set) var closed: [Descriptor] = []
  private(set) var shutDown: [Descriptor] = []
  private(set) var accepts = 0
  private(set) var recycled = 0
  private var receiveTokens: [Descriptor: Token] = [:]
  private var sends: [(token: Token, count: Int)] = []
  private var acceptToken: Token?
  /// Bytes a send takes at most.
  var sendLimit = Int.max
  /// Whether sends complete at once.
  var takesSends = true
  /// Whether the answer to a request shows its body.
  var echoesBodies = false
  /// What the owner answers with; nil leaves requests unanswered.
  var answer: ((AdminEndpoint) -> (UInt16, String))? = { (200, "<\($0)>") }

  init(
    limits: AdminLimits = AdminLimits(),
    authorization: AdminAuthorization = AdminAuthorization(token: nil, isLoopback: true)
  ) {
    server = AdminServer(owner: Self.owner, authorization: authorization, limits: limits)
    server.start(listener: Self.listener, operations: &operations)
    turn()
  }

  /// Whether the server still receives from a client.
  func isOpen(_ client: Descriptor) -> Bool { receiveTokens[client] != nil }

  /// What a client was sent, as text.
  func text(_ client: Descriptor) -> String {
    String(decoding: sent[client] ?? [], as: UTF8.self)
  }

  mutating func connect(_ number: Int32) -> Descriptor {
    let client = Descriptor(rawValue: number)
    if let acceptToken {
      handle(acceptToken, .accepted(client, peer: .loopback(port: 1)))
      turn()
    }
    return client
  }

  mutating func receive(_ client: Descriptor, _ text: String) {
    guard let token = receiveTokens[client] else { return }
    Array(text.utf8).withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      let memory = MemorySlice(baseAddress: base, count: buffer.count)
      handle(token, .received(ReceivedBytes(memory: memory, bufferIndex: 1)))
    }
    turn()
  }

  mutating func endReceive(_ client: Descriptor, _ error: IOError? = nil) {
    guard let token = receiveTokens[client] else { return }
    receiveTokens[client] = nil
    handle(token, .receiveEnded(error))
    turn()
  }

  mutating func endAccept(_ error: IOError) {
    guard let token = acceptToken else { return }
    acceptToken = nil
    handle(token, .acceptEnded(error))
    turn()
  }

  /// Lets time pass; the server's timers fire on the way.
  mutating func pass(milliseconds: Int) {
    now = now.advanced(milliseconds: milliseconds)
    turn()
  }

  /// Answers what is asked, sends, and performs operations until nothing is left to do.
  mutating func turn() {
    var hasWorked = true
    while hasWorked {
      if server.nextDeadline <= now { server.advance(to: now, operations: &operations) }
      if let answer {
        while let request = server.nextRequest() {
          var (statusCode, text) = answer(request.endpoint)
          let body = String(decoding: server.body(of: request.connection), as: UTF8.self)
          if echoesBodies, !body.isEmpty { text = "<\(request.endpoint) \(body)>" }
          Array(text.utf8).withUnsafeBytes {
            server.respond(
              request.connection, statusCode: statusCode, contentType: AdminContentType.json,
              body: $0.bytes)
          }
        }
      }
      server.flush(operations: &operations)
      hasWorked = !operations.isEmpty
      perform()
      while takesSends, !sends.isEmpty {
        let send = sends.removeFirst()
        handle(send.token, .sent(send.count))
        hasWorked = true
      }
    }
  }

  private mutating func handle(_ token: Token, _ event: consuming Completion.Event) {
    precondition(token.owner == Self.owner)
    server.handle(Completion(token: token, event: event), at: now, operations: &operations)
  }

  private mutating func perform() {
    let entries = operations.entries
    let slices = operations.slices
    operations.removeAll()
    for (token, operation) in entries {
      switch operation {
      case .accept:
        accepts += 1
        acceptToken = token
      case .receive(let client): receiveTokens[client] = token
      case .send(let client, let first, let count):
        var bytes: [UInt8] = []
        for slice in slices[Int(first)..<Int(first + count)] {
          slice.withBytes { span in span.withUnsafeBytes { bytes += Array($0) } }
        }
        bytes = Array(bytes.prefix(sendLimit))
        sent[client, default: []] += bytes
        sends.append((token, bytes.count))
      case .shutdownWrites(let client): shutDown.append(client)
      case .close(let client):
        closed.append(client)
        finishClosing(client, token)
      case .recycle: recycled += 1
      case .connect, .cancel, .measureQueue, .ring, .file: break
      }
    }
  }

  /// Every other operation ends before the close does.
  private mutating func finishClosing(_ client: Descriptor, _ token: Token) {
    if let receive = receiveTokens.removeValue(forKey: client) {
      handle(receive, .receiveEnded(IOError(.cancelled)))
      sends.removeAll { send in
        guard send.token.slot == receive.slot else { return false }
        server.handle(
          Completion(token: send.token, event: .sendFailed(IOError(.cancelled))), at: now,
          operations: &operations)
        return true
      }
    }
    handle(token, .closed)
  }
}
