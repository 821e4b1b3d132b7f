import Bytes
import GRPC
import IOPort

/// One connection to a gRPC server.
struct GRPCServerPlay {
  private(set) var log = CallLog()
  private let setup: GRPCServerCheck.Setup
  private let answers: Bool
  /// Streams whose call came and whose last event did not.
  private var open: Set<Int32> = []
  private var callCount = 0

  init(
    _ bytes: [UInt8], ends: [Int], _ setup: GRPCServerCheck.Setup, answers: Bool
  ) throws(Finding) {
    self.setup = setup
    self.answers = answers
    var server = ServerSession(options: setup.options(answers: answers))
    var sent = SentBytes()
    var start = 0
    for end in ends where server.failure == nil {
      do throws(GRPCError) {
        try server.receive(bytes.rawBytes.extracting(start..<end))
      } catch {
        try require(server.failure == error, "the failure is not kept")
      }
      start = end
      try takeEvents(&server)
      if answers {
        sent.send { server.writeOutput(to: &$0) }
        try takeEvents(&server)
      }
    }
    if server.failure != nil { log.fail() }
    sent.send { server.writeOutput(to: &$0) }
    log.abandon()
    server.abandonAllCalls()
    try takeEvents(&server)
    try require(open.isEmpty, "calls without an end: \(open)")
    try require(server.heldBytes < 64 << 20, "\(server.heldBytes) bytes are held")
  }

  private mutating func takeEvents(_ server: inout ServerSession) throws(Finding) {
    while let event = server.nextEvent() {
      switch event {
      case .call(let stream):
        try require(open.insert(stream).inserted, "stream \(stream) calls twice")
        callCount += 1
        log.note(UInt64(stream), "call") { log in
          log.add(server.currentPath)
          log.add(server.currentAuthorization)
          log.add(server.currentMessage)
          log.add(server.currentTimeoutMilliseconds ?? -1)
        }
        let message = Array(copying: server.currentMessage)
        try require(
          message.count <= setup.options(answers: answers).maximumMessageBytes,
          "a message above the limit")
        if answers { answer(stream, message, &server) }
      case .opened(let stream):
        try require(setup.streams, "stream \(stream) is one of messages")
        try require(open.insert(stream).inserted, "stream \(stream) calls twice")
        callCount += 1
        log.note(UInt64(stream), "opened") { log in
          log.add(server.currentPath)
          log.add(server.currentAuthorization)
        }
        if answers, callCount % 3 == 0 { server.setReading(stream, isPaused: true) }
      case .message(let stream):
        try require(open.contains(stream), "a message of stream \(stream), which is over")
        let message = Array(copying: server.currentMessage)
        log.note(UInt64(stream), "message") { $0.add(server.currentMessage) }
        try require(
          message.count <= setup.options(answers: answers).maximumMessageBytes,
          "a message above the limit")
        if answers { answer(stream, message, &server) }
      case .finished(let stream):
        try require(open.contains(stream), "stream \(stream) is finished unheard")
        log.note(UInt64(stream), "finished") { _ in }
        if answers { server.endStream(stream, status: .ok, message: "") }
      case .cancelled(let stream):
        log.end(UInt64(stream), "cancelled") { _ in }
        try require(open.remove(stream) != nil, "stream \(stream) is cancelled unheard")
      case .closed(let stream):
        // An answer to a stream of messages is over before the client's reset is read, or not.
        log.end(UInt64(stream), setup.streams ? "cancelled" : "closed") { _ in }
        try require(open.remove(stream) != nil, "stream \(stream) is closed unheard")
      }
    }
  }

  private func answer(_ stream: Int32, _ message: [UInt8], _ server: inout ServerSession) {
    switch setup.answer {
    case 0: server.respond(stream, message: message.rawBytes)
    case 1: server.fail(stream, status: .notFound, message: "no such thing: \u{e9}%\n")
    case 2:
      server.openStream(stream)
      for _ in 0..<3 {
        server.send(stream, head: message.rawBytes, body: RawSpan(), tail: message.rawBytes)
      }
      if callCount % 2 == 0 { server.endStream(stream, status: .ok, message: "") }
    default: break
    }
    if setup.shutsDown, callCount == 1 { server.shutDown() }
  }
}
