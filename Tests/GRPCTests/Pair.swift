import Bytes
import GRPC
import IOPort

let unaryMethod = MethodID(rawValue: 1)
let otherMethod = MethodID(rawValue: 2)
let unaryPath = "/test.Service/Unary"
let otherPath = "/test.Service/Other"
let streamMethod = MethodID(rawValue: 3)
let streamPath = "/test.Service/Stream"

/// A client's event with copies of its bytes.
enum ClientLog: Equatable {
  case message(UInt64, [UInt8])
  case completed(UInt64, StatusCode, String)
  case goAway, pong, settings
}

/// A server's event with copies of its bytes.
enum ServerLog: Equatable {
  case call(Int32, path: String, message: [UInt8], timeout: Int?)
  case opened(Int32, path: String)
  case message(Int32, [UInt8])
  case finished(Int32)
  case cancelled(Int32)
  case closed(Int32)
}

func copy(_ bytes: RawSpan) -> [UInt8] {
  bytes.withUnsafeBytes { Array($0) }
}

/// One direction of a connection: an outbox whose sends are taken in pieces of random length.
struct Pipe: ~Copyable {
  var outbox = Outbox()
  var releasedTags: [UInt32] = []
  var random: SplitMix64
  var splits: Bool

  init(seed: UInt64, splits: Bool) {
    random = SplitMix64(seed: seed)
    self.splits = splits
  }

  /// One gathered send; what the peer gets of it.
  mutating func take() -> [UInt8] {
    var operations = OperationQueue()
    outbox.flush(
      to: Descriptor(rawValue: 0), token: Token(owner: 0, verb: 0), operations: &operations)
    guard case .send(_, let first, let count)? = operations.entries.first?.operation else {
      return []
    }
    var bytes: [UInt8] = []
    for index in Int(first)..<Int(first + count) {
      operations.slices[index].withBytes { span in
        span.withUnsafeBytes { bytes.append(contentsOf: $0) }
      }
    }
    if splits, bytes.count > 1 {
      bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
    }
    outbox.sent(bytes.count)
    while let tag = outbox.takeReleasedTag() { releasedTags.append(tag) }
    return bytes
  }

  /// Cuts bytes as a network might.
  mutating func cut(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
    guard splits else { return bytes.isEmpty ? [] : [bytes[...]] }
    var pieces: [ArraySlice<UInt8>] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let limit = Bool.random(using: &random) ? 12 : 20_000
      let piece = rest.prefix(Int.random(in: 1...limit, using: &random))
      pieces.append(piece)
      rest = rest.dropFirst(piece.count)
    }
    return pieces
  }
}

/// A client and a server that talk in memory.
final class Pair {
  enum Answer {
    /// The test answers.
    case none
    /// Unary: the request's bytes.
    case echo
  }

  var client: ClientSession
  var server: ServerSession
  var up: Pipe
  var down: Pipe
  var answer = Answer.echo
  var clientLog: [ClientLog] = []
  /// Calls of which the server did nothing.
  var untouched: Set<UInt64> = []
  var serverLog: [ServerLog] = []
  /// The time limits of calls that were opened.
  var streamTimeouts: [Int?] = []
  /// What calls and streams were authorized by.
  var authorizations: [String] = []
  var abandonedTags: [UInt32] = []
  var upBytes: [UInt8] = []
  var downBytes: [UInt8] = []
  var keepsLogs = true
  var completedCount = 0

  init(
    seed: UInt64 = 1, splits: Bool = false, client clientOptions: ClientSession.Options? = nil,
    server serverOptions: ServerSession.Options = .init()
  ) {
    client = Self.makeClient(clientOptions ?? Self.clientOptions)
    server = ServerSession(options: serverOptions)
    up = Pipe(seed: seed, splits: splits)
    down = Pipe(seed: seed &+ 1, splits: splits)
  }

  static var clientOptions: ClientSession.Options {
    .init(authority: "localhost:6650", userAgent: "danube-gateway/test")
  }

  static func makeClient(_ options: ClientSession.Options) -> ClientSession {
    ClientSession(
      options: options,
      methods: [
        (unaryMethod, unaryPath), (otherMethod, otherPath), (streamMethod, streamPath),
      ])
  }

  func call(_ tag: UInt64, _ message: [UInt8], timeout: Int? = nil) -> Bool {
    client.startCall(
      unaryMethod, tag: tag, timeoutMilliseconds: timeout, message: message.span.bytes)
  }

  /// Moves bytes both ways until nothing moves.
  func pump(limit: Int = 100_000) throws {
    for _ in 0..<limit {
      let sent = try pumpUp()
      let received = try pumpDown()
      if !sent && !received { return }
    }
  }

  func pumpUp() throws -> Bool {
    client.writeOutput(to: &up.outbox)
    takeAbandonedTags()
    let bytes = up.take()
    if keepsLogs { upBytes += bytes }
    for piece in up.cut(bytes) {
      try server.receive(piece.span.bytes)
      takeServerEvents()
    }
    return !bytes.isEmpty
  }

  func pumpDown() throws -> Bool {
    server.writeOutput(to: &down.outbox)
    takeServerEvents()
    let bytes = down.take()
    if keepsLogs { downBytes += bytes }
    for piece in down.cut(bytes) {
      try client.receive(piece.span.bytes)
      takeClientEvents()
    }
    return !bytes.isEmpty
  }

  func takeAbandonedTags() {
    while let tag = client.takeAbandonedBodyTag() { abandonedTags.append(tag) }
  }

  func takeClientEvents() {
    while let event = client.nextEvent() {
      if case .completed = event { completedCount += 1 }
      guard keepsLogs else { continue }
      switch event {
      case .message(let tag): clientLog.append(.message(tag, copy(client.currentMessage)))
      case .completed(let tag, let status):
        let text = String(decoding: copy(client.currentStatusMessage), as: UTF8.self)
        clientLog.append(.completed(tag, status, text))
        if client.currentCallWasUntouched { untouched.insert(tag) }
      case .goAway: clientLog.append(.goAway)
      case .pong: clientLog.append(.pong)
      case .settings: clientLog.append(.settings)
      }
    }
    takeAbandonedTags()
  }

  func takeServerEvents() {
    while let event = server.nextEvent() {
      if keepsLogs { logAuthorization(event) }
      if case .call(let stream) = event, answer == .echo {
        let message = copy(server.currentMessage)
        if keepsLogs { log(event) }
        server.respond(stream, message: message.span.bytes)
      } else if keepsLogs {
        log(event)
      }
    }
  }

  private func logAuthorization(_ event: ServerEvent) {
    switch event {
    case .call, .opened:
      authorizations.append(String(decoding: copy(server.currentAuthorization), as: UTF8.self))
    default: break
    }
  }

  private func log(_ event: ServerEvent) {
    switch event {
    case .call(let stream):
      serverLog.append(
        .call(
          stream, path: String(decoding: copy(server.currentPath), as: UTF8.self),
          message: copy(server.currentMessage), timeout: server.currentTimeoutMilliseconds))
    case .opened(let stream):
      streamTimeouts.append(server.currentTimeoutMilliseconds)
      serverLog.append(
        .opened(stream, path: String(decoding: copy(server.currentPath), as: UTF8.self)))
    case .message(let stream): serverLog.append(.message(stream, copy(server.currentMessage)))
    case .finished(let stream): serverLog.append(.finished(stream))
    case .cancelled(let stream): serverLog.append(.cancelled(stream))
    case .closed(let stream): serverLog.append(.closed(stream))
    }
  }

  func feedClient(_ bytes: [UInt8]) throws(GRPCError) { try client.receive(bytes.span.bytes) }
  func feedServer(_ bytes: [UInt8]) throws(GRPCError) { try server.receive(bytes.span.bytes) }

  // The test macros take no property of a noncopyable value.
  var callsInFlight: Int { client.callsInFlight }
  var canStartCall: Bool { client.canStartCall }
  var isDraining: Bool { client.isDraining }
  var callsOpen: Int { server.callsOpen }
  var serverHeldBytes: Int { server.heldBytes }
  var hasOutput: Bool { client.hasOutput || server.hasOutput }

  /// The streams of the calls that arrived.
  var streams: [Int32] {
    serverLog.compactMap { if case .call(let stream, _, _, _) = $0 { stream } else { nil } }
  }

  /// How the call ended.
  func completion(_ tag: UInt64) -> (status: StatusCode, text: String)? {
    for case .completed(tag, let status, let text) in clientLog { return (status, text) }
    return nil
  }

  /// The messages that a call got.
  func messages(_ tag: UInt64) -> [[UInt8]] {
    clientLog.compactMap { if case .message(tag, let bytes) = $0 { bytes } else { nil } }
  }
}
