import Bytes
import IOPort
import Simulator

/// A request that a webhook's client has to post.
struct PlannedPost {
  var path: String
  var body: [UInt8]
  /// Whether a route of the gateway takes it.
  var isRouted: Bool
  var isChunked = false
  /// Whether the client waits for `100 Continue`; only one that sends nothing ahead does.
  var expectsContinue = false
}

/// How a webhook's client behaves.
struct WebhookHabits {
  /// Requests that it sends before the first of them is answered.
  var window = 1
  /// Of requests: how many say that they are the last of their connection.
  var closesPerMille = 0
  /// Of turns: how often it leaves although there is more to say.
  var leavesPerMille = 0
  /// The rest between requests, milliseconds.
  var restMilliseconds = 0...10
  /// How long it waits for an answer before it connects again, milliseconds.
  var patienceMilliseconds = 10_000
  /// How long it waits after a connection ended, milliseconds.
  var reconnectMilliseconds = 5...200
}

/// A client that posts its requests, sends what has no answer again on its next connection, and
/// checks that it is answered in order and only for what it sent.
final class SimulatedWebhook: SimulatedLoop {
  private enum Verb {
    static let connect: UInt8 = 1
    static let receive: UInt8 = 2
    static let send: UInt8 = 3
    static let close: UInt8 = 4
  }

  private enum Link: Equatable {
    case away
    case connecting
    case open
    case closing
  }

  let portID: NodeID
  let name: String
  let habits: WebhookHabits
  let posts: [PlannedPost]
  /// Is told of every answer, when it arrives.
  var onAnswer: ((_ post: Int, _ status: Int) -> Void)?
  /// Once set it does not connect again.
  var staysAway = false
  /// Once set it does not leave any more by itself.
  var isCalm = false

  private let world: SimulatedWorld
  private var port: SimulatedPort
  private var operations = OperationQueue()
  private let gateway: SocketAddress
  private var random: SplitMix64
  private var outbox = Outbox()
  private var input: [UInt8] = []
  private var link = Link.away
  private var descriptor: Descriptor?
  private var attempt: UInt32 = 0
  private var isReceiving = false
  private var isConnectPending = false
  /// Sent on this connection and not answered, oldest first.
  private var unanswered: [Int] = []
  /// The next request to send on this connection.
  private var cursor = 0
  /// A body that waits for `100 Continue`.
  private var heldBody: [UInt8]?
  /// Whether the last request of this connection was sent.
  private var saidLast = false

  private var retryAt: Instant
  private var sendAt = Instant.distantFuture
  private var impatientAt = Instant.distantFuture

  /// How often each request was sent.
  private(set) var sentCounts: [Int]
  /// The answer that settled each request; nil while there is none.
  private(set) var settledBy: [Int?]
  /// How often each status came.
  private(set) var statusCounts: [Int: Int] = [:]
  private(set) var connectionCount = 0
  private(set) var violations: [String] = []

  init(
    _ world: SimulatedWorld, host: UInt32, name: String, gateway: SocketAddress,
    posts: [PlannedPost], habits: WebhookHabits, seed: UInt64
  ) {
    self.world = world
    port = world.makePort(
      host: host, limits: SimulatedPortLimits(receiveBufferCount: 4, receiveBufferBytes: 256))
    portID = port.id
    self.name = name
    self.gateway = gateway
    self.posts = posts
    self.habits = habits
    random = SplitMix64(seed: seed)
    sentCounts = Array(repeating: 0, count: posts.count)
    settledBy = Array(repeating: nil, count: posts.count)
    retryAt = world.now.advanced(milliseconds: Int.random(in: 0...20, using: &random))
  }

  var isAway: Bool { link == .away }
  var isOpen: Bool { link == .open }
  /// Whether every request has an answer that settles it.
  var isDone: Bool { !settledBy.contains { $0 == nil } }
  var settledCount: Int { settledBy.count { $0 != nil } }

  // MARK: The loop

  func turn() {
    port.wait(until: min(retryAt, sendAt, impatientAt))
    while let completion = port.next() { handle(completion) }
    advance(to: port.now)
    if let descriptor, link == .open {
      outbox.flush(to: descriptor, token: token(Verb.send), operations: &operations)
    }
    port.submit(&operations)
  }

  private func token(_ verb: UInt8) -> Token {
    Token(owner: 9, verb: verb, slot: SlotID(index: attempt, generation: 0))
  }

  private func advance(to now: Instant) {
    if now >= retryAt { connect(at: now) }
    if now >= impatientAt { leave() }
    guard link == .open else { return }
    if habits.leavesPerMille > 0, !isCalm,
      Int.random(in: 0..<1_000, using: &random) < habits.leavesPerMille
    {
      return leave()
    }
    if now >= sendAt { post(at: now) }
  }

  private func connect(at now: Instant) {
    retryAt = .distantFuture
    if staysAway || isDone { return }
    attempt += 1
    link = .connecting
    isConnectPending = true
    operations.append(.connect(gateway), token: token(Verb.connect))
    expectAnswer(at: now)
  }

  private func expectAnswer(at now: Instant) {
    impatientAt = now.advanced(milliseconds: habits.patienceMilliseconds)
  }

  private func post(at now: Instant) {
    sendAt = .distantFuture
    while cursor < posts.count, settledBy[cursor] != nil { cursor += 1 }
    guard cursor < posts.count, !saidLast, heldBody == nil, unanswered.count < habits.window,
      outbox.pendingBytes < 65_536
    else { return }
    if unanswered.isEmpty { expectAnswer(at: now) }
    send(cursor)
    cursor += 1
    let rest = Int.random(in: habits.restMilliseconds, using: &random)
    sendAt = now.advanced(milliseconds: outbox.isEmpty ? rest : max(rest, 1))
  }

  private func send(_ number: Int) {
    let post = posts[number]
    saidLast = Int.random(in: 0..<1_000, using: &random) < habits.closesPerMille
    var head = "POST \(post.path) HTTP/1.1\r\nHost: gateway\r\nUser-Agent: \(name)\r\n"
    head += post.isChunked ? "Transfer-Encoding: chunked\r\n" : ""
    head += post.isChunked ? "" : "Content-Length: \(post.body.count)\r\n"
    if saidLast { head += "Connection: close\r\n" }
    let expects = post.expectsContinue && unanswered.isEmpty && !post.body.isEmpty
    if expects { head += "Expect: 100-continue\r\n" }
    let body = post.isChunked ? chunks(post.body) : post.body
    let first = Array("\(head)\r\n".utf8) + (expects ? [] : body)
    outbox.append(first.span.bytes)
    if expects { heldBody = body }
    sentCounts[number] += 1
    unanswered.append(number)
  }

  private func chunks(_ body: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var rest = body[...]
    while !rest.isEmpty {
      let count = Int.random(in: 1...max(1, body.count / 2), using: &random)
      let piece = rest.prefix(count)
      result += Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [13, 10]
      rest = rest.dropFirst(count)
    }
    return result + Array("0\r\n\r\n".utf8)
  }

  private func receive() {
    guard let descriptor, !isReceiving, link == .open else { return }
    isReceiving = true
    operations.append(.receive(descriptor), token: token(Verb.receive))
  }

  /// Ends the connection from this side.
  func leave() {
    impatientAt = .distantFuture
    guard let descriptor else {
      if link == .connecting, isConnectPending {
        operations.append(.cancel(token(Verb.connect)), token: Token(rawValue: 1))
      }
      return
    }
    guard link != .closing else { return }
    link = .closing
    sendAt = .distantFuture
    operations.append(.close(descriptor), token: token(Verb.close))
    world.ring(port.doorbell)
  }

  // MARK: Completions

  private func handle(_ completion: consuming Completion) {
    let isCurrent = completion.token.slot.index == attempt
    precondition(isCurrent || completion.token.rawValue == 0, "a completion after the last")
    switch consume completion.event {
    case .connected(let descriptor):
      self.descriptor = descriptor
      isConnectPending = false
      connectionCount += 1
      link = .open
      impatientAt = .distantFuture
      sendAt = port.now
      receive()
    case .connectFailed:
      isConnectPending = false
      rest()
    case .received(let received): take(received)
    case .receiveEnded(let error):
      isReceiving = false
      switch error?.kind {
      case .resourcesExhausted, .cancelled: receive()
      default: leave()
      }
    case .sent(let count): outbox.sent(count)
    case .sendFailed: leave()
    case .closed: rest()
    case .accepted: break
    case .acceptEnded: break
    case .queueMeasured: break
    case .rung: break
    case .file: break
    }
  }

  private func take(_ received: consuming ReceivedBytes) {
    if link == .open {
      keep(received.bytes)
      readAnswers()
    }
    operations.recycle(received)
  }

  private func keep(_ bytes: RawSpan) {
    bytes.withUnsafeBytes { input += Array($0) }
  }

  /// The connection is over: another one follows after a while.
  private func rest() {
    link = .away
    descriptor = nil
    isReceiving = false
    outbox.reset()
    input = []
    unanswered = []
    heldBody = nil
    saidLast = false
    cursor = 0
    (sendAt, impatientAt) = (.distantFuture, .distantFuture)
    retryAt = port.now.advanced(
      milliseconds: Int.random(in: habits.reconnectMilliseconds, using: &random))
  }

  private func readAnswers() {
    while link == .open, let end = input.firstRange(of: [13, 10, 13, 10]) {
      let lines = String(decoding: input[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
      let words = lines[0].split(separator: " ")
      guard words[0] == "HTTP/1.1", words.count > 1, let status = Int(words[1]) else {
        return complain("not an answer: \(lines[0])")
      }
      func field(_ name: String) -> String? {
        lines.first { $0.hasPrefix("\(name): ") }.map { String($0.dropFirst(name.count + 2)) }
      }
      let length = field("Content-Length").flatMap(Int.init) ?? 0
      guard input.count - end.upperBound >= length else { return }
      input.removeSubrange(..<(end.upperBound + length))
      answered(
        status, isLast: field("Connection") == "close", hasRetry: field("Retry-After") != nil)
    }
  }

  private func answered(_ status: Int, isLast: Bool, hasRetry: Bool) {
    statusCounts[status, default: 0] += 1
    if status == 100 {
      guard let body = heldBody else { return complain("a 100 that nobody waits for") }
      heldBody = nil
      outbox.append(body.span.bytes)
      return expectAnswer(at: port.now)
    }
    guard !unanswered.isEmpty else { return complain("\(status), but nothing was asked") }
    let number = unanswered.removeFirst()
    if heldBody != nil, unanswered.isEmpty {
      heldBody = nil
      if !isLast { return complain("\(status) before the body, and the connection goes on") }
    }
    let mayRetry = status == 503 || status == 507
    if mayRetry != hasRetry { complain("\(status) with Retry-After: \(hasRetry)") }
    // These say: try again.
    if ![408, 503, 504, 507].contains(status) { settledBy[number] = status }
    onAnswer?(number, status)
    impatientAt = .distantFuture
    if isLast || isDone || settledBy[number] == nil { return leave() }
    if !unanswered.isEmpty { expectAnswer(at: port.now) }
    if sendAt == .distantFuture { sendAt = port.now }
  }

  private func complain(_ text: String) {
    violations.append("\(name): \(text)")
    leave()
  }
}
