import Bytes
import GRPC
import IOPort

/// One connection of a gRPC client with four calls, on streams 1 to 7.
struct GRPCClientPlay {
  private(set) var log = CallLog()
  private let setup: GRPCClientCheck.Setup
  private let isLively: Bool
  /// Tags of calls in flight.
  private var open: Set<UInt64> = []
  private var nextTag: UInt64 = 0
  /// Tags of bodies that the session holds.
  private var pinned: Set<UInt32> = []

  private static let method = MethodID(rawValue: 1)
  init(
    _ bytes: [UInt8], ends: [Int], _ setup: GRPCClientCheck.Setup, isLively: Bool
  ) throws(Finding) {
    self.setup = setup
    self.isLively = isLively
    var body = GrowableBytes()
    body.append(contentsOf: [UInt8](repeating: 7, count: 2_000))
    var client = ClientSession(options: setup.options, methods: [(Self.method, "/a.B/C")])
    var sent = SentBytes()
    for _ in 0..<4 { try start(&client, body) }
    try write(&client, &sent)
    var start = 0
    for end in ends where client.failure == nil {
      do throws(GRPCError) {
        try client.receive(bytes.rawBytes.extracting(start..<end))
      } catch {
        try require(client.failure == error, "the failure is not kept")
      }
      start = end
      try takeEvents(&client)
      if isLively {
        try disturb(&client, body)
        try write(&client, &sent)
      }
    }
    if client.failure != nil { log.fail() }
    try write(&client, &sent)
    log.abandon()
    client.abandonAllCalls()
    try takeEvents(&client)
    try require(open.isEmpty, "calls without an end: \(open)")
    try require(client.callsInFlight == 0, "\(client.callsInFlight) calls are in flight")
    try require(client.heldBytes < 64 << 20, "\(client.heldBytes) bytes are held")
    try noteReleased(sent.releasedTags)
    try require(pinned.isEmpty, "bodies that were never given back: \(pinned)")
  }

  private mutating func start(
    _ client: inout ClientSession, _ body: borrowing GrowableBytes
  ) throws(Finding) {
    let can = client.canStartCall
    let tag = nextTag
    let head: [UInt8] = [1, 2, 3]
    if setup.streams { return try startStream(&client, body, head) }
    let bodyTag = setup.refersToBodies ? UInt32(tag) : nil
    let isStarted = client.startCall(
      Self.method, tag: tag, timeoutMilliseconds: tag % 2 == 0 ? nil : 1_000,
      head: head.rawBytes, body: body.slice(at: 0, length: setup.refersToBodies ? 2_000 : 9),
      bodyTag: bodyTag, tail: RawSpan())
    try require(isStarted == can, "a call starts where it cannot")
    guard isStarted else { return }
    nextTag += 1
    open.insert(tag)
    if let bodyTag { pinned.insert(bodyTag) }
  }

  private mutating func startStream(
    _ client: inout ClientSession, _ body: borrowing GrowableBytes, _ head: [UInt8]
  ) throws(Finding) {
    let can = client.canStartCall
    let tag = nextTag
    let isStarted = client.startStream(Self.method, tag: tag)
    try require(isStarted == can, "a call starts where it cannot")
    guard isStarted else { return }
    nextTag += 1
    open.insert(tag)
    for number in 0..<3 as Range<UInt32> {
      try sendMessage(&client, body, head, of: tag, number)
    }
    if tag % 2 == 0 { client.finishRequest(tag: tag) }
  }

  private mutating func sendMessage(
    _ client: inout ClientSession, _ body: borrowing GrowableBytes, _ head: [UInt8],
    of tag: UInt64, _ number: UInt32
  ) throws(Finding) {
    let bodyTag = setup.refersToBodies ? UInt32(tag) * 8 + number : nil
    if let bodyTag { pinned.insert(bodyTag) }
    let isQueued = client.sendMessage(
      tag: tag, head: head.rawBytes,
      body: body.slice(at: 0, length: setup.refersToBodies ? 2_000 : 9), bodyTag: bodyTag,
      tail: RawSpan())
    try require(isQueued == (number < 3 || open.contains(tag)), "a message of a call that is over")
  }

  private mutating func disturb(
    _ client: inout ClientSession, _ body: borrowing GrowableBytes
  ) throws(Finding) {
    guard setup.cancels else { return }
    if nextTag < 12 { try start(&client, body) }
    if let tag = open.min(), tag % 3 == 2 || nextTag > 8 {
      client.cancelCall(tag: tag)
      open.remove(tag)
    }
    if nextTag % 4 == 0 { client.sendPing() }
  }

  private mutating func write(
    _ client: inout ClientSession, _ sent: inout SentBytes
  ) throws(Finding) {
    sent.send { client.writeOutput(to: &$0) }
    try takeEvents(&client)
  }

  private mutating func noteReleased(_ tags: [UInt32]) throws(Finding) {
    for tag in tags where tag != .max {
      try require(pinned.remove(tag) != nil, "body \(tag) is given back twice")
    }
  }

  private mutating func takeEvents(_ client: inout ClientSession) throws(Finding) {
    while let event = client.nextEvent() {
      switch event {
      case .message(let tag):
        log.note(tag, "message") { $0.add(client.currentMessage) }
        try require(open.contains(tag), "a message of call \(tag), which is over")
        try require(
          client.currentMessage.byteCount <= setup.options.maximumMessageBytes,
          "a message above the limit")
      case .completed(let tag, let status):
        log.end(tag, "completed \(status)") { $0.add(client.currentStatusMessage) }
        try require(open.remove(tag) != nil, "call \(tag) completes twice")
      case .goAway: log.note("goaway")
      case .pong: log.note("pong")
      case .settings: log.note("settings")
      }
    }
    while let tag = client.takeAbandonedBodyTag() {
      try require(pinned.remove(tag) != nil, "body \(tag) is given back twice")
    }
  }
}
