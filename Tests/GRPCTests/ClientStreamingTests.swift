import Bytes
import GRPC
import IOPort
import Testing

@Suite("Requests that are streams of messages")
struct ClientStreamingTests {
  private func makePair(
    seed: UInt64 = 1, splits: Bool = false, windowBytes: Int = 256 * 1024,
    limitBytes: Int = ClientSession.defaultMaximumMessageBytes
  ) -> Pair {
    var options = ServerSession.Options()
    options.clientStreamingPaths = ["/test.Service/Strea", streamPath, "/test.Service/Streams"]
    options.initialStreamWindowBytes = windowBytes
    options.connectionWindowBytes = windowBytes
    options.maximumMessageBytes = limitBytes
    let pair = Pair(seed: seed, splits: splits, server: options)
    pair.answer = .none
    return pair
  }

  @Test(
    "Messages, copied and by reference, arrive one by one through small windows",
    arguments: 0..<12 as Range<UInt64>)
  func order(seed: UInt64) throws {
    let pair = makePair(seed: seed, splits: true, windowBytes: 65_535)
    var random = SplitMix64(seed: seed)
    #expect(pair.stream(7))
    var bodies: [LentBody] = []
    var sent: [[UInt8]] = []
    for number in 0..<60 as Range<UInt32> {
      let count = [0, 100, 511, 512, 5_000, 70_000, 300_000].randomElement(using: &random) ?? 0
      let body = LentBody(count: count, seed: seed &+ UInt64(number))
      bodies.append(body)
      let head: [UInt8] = [UInt8(number), 1]
      let tail: [UInt8] = Bool.random(using: &random) ? [9] : []
      #expect(pair.send(7, head: head, body: body, bodyTag: number, tail: tail))
      sent.append(head + body.bytes + tail)
      if Bool.random(using: &random) { _ = try pair.pumpUp() }
      if Bool.random(using: &random) { _ = try pair.pumpDown() }
    }
    try pair.pump()
    #expect(pair.unsentBytes(7) == 0)
    #expect(pair.serverLog.first == .opened(1, path: streamPath))
    #expect(pair.received(1) == sent, "seed \(seed)")
    let referred = bodies.indices.filter { bodies[$0].slice.count >= 512 }.map(UInt32.init)
    #expect(pair.returnedTags.sorted() == referred, "seed \(seed)")
    #expect(!pair.serverLog.contains(.finished(1)))
    pair.client.finishRequest(tag: 7)
    try pair.pump()
    #expect(pair.serverLog.last == .finished(1))
    pair.server.endStream(1, status: .ok, message: "")
    try pair.pump()
    #expect(pair.completion(7)?.status == .ok)
    #expect(pair.serverLog.last == .closed(1))
    #expect(pair.callsInFlight == 0 && pair.callsOpen == 0)
    #expect(pair.returnedTags.sorted() == referred)
  }

  @Test("The end of the request follows what is queued, and is sent once")
  func finish() throws {
    let pair = makePair()
    #expect(pair.stream(1))
    #expect(pair.send(1, head: [1], body: LentBody(count: 0, seed: 1), bodyTag: nil, tail: []))
    pair.client.finishRequest(tag: 1)
    #expect(!pair.send(1, head: [2], body: LentBody(count: 0, seed: 1), bodyTag: nil, tail: []))
    pair.client.finishRequest(tag: 1)
    // A call may end its request without any message.
    #expect(pair.stream(2))
    pair.client.finishRequest(tag: 2)
    try pair.pump()
    #expect(
      pair.serverLog == [
        .opened(1, path: streamPath), .opened(3, path: streamPath),
        .message(1, [1]), .finished(1), .finished(3),
      ])
    for stream in [1, 3] as [Int32] { pair.server.endStream(stream, status: .ok, message: "") }
    try pair.pump()
    #expect(pair.completion(1)?.status == .ok && pair.completion(2)?.status == .ok)
  }

  @Test("A call without a time limit says none, and its headers leave before any message")
  func headersFirst() throws {
    let pair = makePair()
    #expect(pair.call(1, [1], timeout: 10))
    #expect(pair.stream(2))
    _ = try pair.pumpUp()
    #expect(
      pair.serverLog == [
        .opened(3, path: streamPath),
        .call(1, path: unaryPath, message: [1], timeout: 100),
      ])
    try pair.pump()
    #expect(pair.streamTimeouts == [nil])
    #expect(!pair.hasOutput)
  }

  @Test("Answers come while the request is open")
  func bothWays() throws {
    let pair = makePair(seed: 4, splits: true)
    #expect(pair.stream(1))
    for number in 0..<20 as Range<UInt8> {
      #expect(
        pair.send(1, head: [number], body: LentBody(count: 0, seed: 1), bodyTag: nil, tail: []))
      try pair.pump()
      #expect(pair.serverLog.last == .message(1, [number]))
      pair.server.send(1, head: [number, 1].span.bytes, body: RawSpan(), tail: RawSpan())
      try pair.pump()
      #expect(pair.messages(1).last == [number, 1])
    }
    #expect(pair.completion(1) == nil)
    #expect(pair.callsInFlight == 1)
  }

  @Test(
    "Cancelled with several messages queued, every tag comes back once",
    arguments: 0..<30 as Range<UInt64>)
  func cancelled(seed: UInt64) throws {
    let pair = makePair(seed: seed, splits: true, windowBytes: 65_535)
    try pair.pump()
    var random = SplitMix64(seed: seed)
    let bodies = (0..<8).map { LentBody(count: 90_000, seed: UInt64($0)) }
    #expect(pair.stream(1))
    for (number, body) in bodies.enumerated() {
      #expect(pair.send(1, head: [1], body: body, bodyTag: UInt32(number), tail: [2]))
    }
    #expect(pair.unsentBytes(1) == 8 * 90_007)
    for _ in 0..<Int.random(in: 0...12, using: &random) {
      _ = try pair.pumpUp()
      if Bool.random(using: &random) { _ = try pair.pumpDown() }
    }
    pair.client.cancelCall(tag: 1)
    #expect(pair.unsentBytes(1) == 0)
    // A late message is not sent, and its tag comes back as well.
    #expect(!pair.send(1, head: [], body: bodies[0], bodyTag: 50, tail: []))
    try pair.pump()
    pair.client.sendPing()
    try pair.pump()
    for body in bodies { body.scribble() }
    #expect(pair.returnedTags.sorted() == Array(0..<8) + [50], "seed \(seed)")
    #expect(pair.completion(1) == nil)
    #expect(pair.callsInFlight == 0 && pair.callsOpen == 0)
  }

  @Test(
    "The server's end, before the request ended, completes the call and gives all bodies back",
    arguments: [StatusCode.ok, .unavailable])
  func endedByServer(status: StatusCode) throws {
    let pair = makePair()
    #expect(pair.stream(1))
    try pair.pump()
    let bodies = (0..<5).map { LentBody(count: 400_000, seed: UInt64($0)) }
    for (number, body) in bodies.enumerated() {
      #expect(pair.send(1, head: [], body: body, bodyTag: UInt32(number), tail: []))
    }
    pair.server.endStream(1, status: status, message: "enough")
    try pair.pump()
    #expect(pair.completion(1)?.status == status)
    #expect(pair.completion(1)?.text == "enough")
    #expect(pair.returnedTags.sorted() == [0, 1, 2, 3, 4])
    #expect(pair.callsInFlight == 0 && pair.callsOpen == 0)
    // An open request with nothing queued is ended as well.
    #expect(pair.stream(2))
    try pair.pump()
    pair.server.endStream(3, status: status, message: "")
    try pair.pump()
    #expect(pair.completion(2)?.status == status)
    #expect(pair.callsInFlight == 0 && pair.callsOpen == 0)
  }

  @Test("A reset by the server completes the call and gives all bodies back")
  func reset() throws {
    let pair = makePair()
    #expect(pair.stream(1))
    let bodies = (0..<5).map { LentBody(count: 40_000, seed: UInt64($0)) }
    for (number, body) in bodies.enumerated() {
      #expect(pair.send(1, head: [], body: body, bodyTag: UInt32(number), tail: []))
    }
    _ = try pair.pumpUp()
    try pair.feedClient(Frames.settings + Frames.reset(1, code: 8))
    pair.takeClientEvents()
    #expect(pair.completion(1)?.status == .cancelled)
    pair.client.sendPing()
    while try pair.pumpUp() {}
    #expect(pair.returnedTags.sorted() == [0, 1, 2, 3, 4])
  }

  @Test("A lost connection completes the call and gives all bodies back")
  func lost() throws {
    let pair = makePair()
    try pair.pump()
    #expect(pair.stream(1))
    let bodies = (0..<5).map { LentBody(count: 100_000, seed: UInt64($0)) }
    for (number, body) in bodies.enumerated() {
      #expect(pair.send(1, head: [], body: body, bodyTag: UInt32(number), tail: []))
    }
    _ = try pair.pumpUp()
    pair.client.writeOutput(to: &pair.up.outbox)
    pair.client.abandonAllCalls()
    pair.up.outbox.reset()
    while let tag = pair.up.outbox.takeReleasedTag() { pair.up.releasedTags.append(tag) }
    pair.takeClientEvents()
    #expect(pair.returnedTags.sorted() == [0, 1, 2, 3, 4])
    #expect(pair.completion(1)?.status == .unavailable)
    #expect(!pair.stream(2))
  }

  @Test("A message above the limit is out of range, after the answers that were sent")
  func tooLarge() throws {
    let pair = makePair(limitBytes: 1_000)
    for tag in [1, 2] as [UInt64] {
      #expect(pair.stream(tag))
      let fits = LentBody(count: 1_000, seed: 1)
      #expect(pair.send(tag, head: [], body: fits, bodyTag: UInt32(tag) * 8, tail: []))
    }
    try pair.pump()
    #expect(pair.received(1).count == 1 && pair.received(3).count == 1)
    pair.server.send(1, head: ([5] as [UInt8]).span.bytes, body: RawSpan(), tail: RawSpan())
    let over = LentBody(count: 1_001, seed: 1)
    for tag in [1, 2] as [UInt64] {
      #expect(pair.send(tag, head: [], body: over, bodyTag: UInt32(tag) * 8 + 1, tail: []))
    }
    try pair.pump()
    #expect(pair.messages(1) == [[5]])
    #expect(pair.completion(1)?.status == .outOfRange)
    #expect(pair.completion(2)?.status == .outOfRange)
    #expect(pair.received(1).count == 1 && pair.received(3).count == 1)
    #expect(pair.callsOpen == 0)
    #expect(pair.returnedTags.sorted() == [8, 9, 16, 17])
  }

  @Test("A compressed message is unimplemented, one that is cut off an internal error")
  func badMessages() throws {
    let fields = Frames.requestFields.map { $0.0 == ":path" ? (":path", streamPath) : $0 }
    for (body, status) in [
      (Frames.message([1]) + Frames.message([1], flag: 1), StatusCode.unimplemented),
      (Frames.message([1]) + Frames.message([1], flag: 7), .internalError),
      (Frames.message([1]) + [0, 0, 0, 0, 2, 1], .internalError),
    ] {
      let pair = makePair()
      let reader = Pair()
      #expect(reader.call(1, []))
      reader.client.writeOutput(to: &reader.up.outbox)
      try pair.feedServer(
        Frames.preface + Frames.settings + Frames.settingsAck + Frames.headers(1, fields)
          + Frames.data(1, body, ends: true))
      pair.takeServerEvents()
      #expect(pair.received(1) == [[1]])
      #expect(!pair.serverLog.contains(.finished(1)))
      pair.server.writeOutput(to: &pair.down.outbox)
      try reader.feedClient(pair.down.take())
      reader.takeClientEvents()
      #expect(reader.completion(1)?.status == status)
    }
  }

  @Test("Two messages for a method whose request has one are refused")
  func unary() throws {
    let pair = makePair()
    #expect(pair.stream(1, unaryMethod))
    for number in [1, 2] as [UInt8] {
      #expect(
        pair.send(1, head: [number], body: LentBody(count: 0, seed: 1), bodyTag: nil, tail: []))
    }
    try pair.pump()
    #expect(pair.completion(1)?.status == .internalError)
    #expect(pair.serverLog.isEmpty)
    #expect(pair.callsOpen == 0)
  }

  @Test("A paused reader holds its client back by flow control, and nobody else")
  func paused() throws {
    let pair = makePair(windowBytes: 65_535)
    #expect(pair.stream(1))
    try pair.pump()
    pair.server.setReading(1, isPaused: true)
    let body = LentBody(count: 10_000, seed: 1)
    for _ in 0..<50 { #expect(pair.send(1, head: [], body: body, bodyTag: 1, tail: [])) }
    #expect(pair.call(2, [2]))
    try pair.pump()
    #expect(pair.received(1).count == 6)
    #expect(pair.unsentBytes(1) == 50 * 10_005 - 65_535)
    #expect(pair.streams == [3])
    pair.server.setReading(1, isPaused: false)
    try pair.pump()
    #expect(pair.received(1).count == 50)
    // It can be stopped and let go again and again, also when nothing waits.
    for round in 0..<20 {
      pair.server.setReading(1, isPaused: true)
      pair.server.setReading(1, isPaused: true)
      if round % 2 == 0 { try pair.pump() }
      for _ in 0..<10 { #expect(pair.send(1, head: [], body: body, bodyTag: 1, tail: [])) }
      try pair.pump()
      // The client was granted between a half and the whole of the window before.
      #expect((3...6).contains(pair.received(1).count - 50 - round * 10))
      pair.server.setReading(1, isPaused: false)
      pair.server.setReading(1, isPaused: false)
      try pair.pump()
      #expect(pair.received(1).count == 60 + round * 10)
    }
    pair.server.setReading(99, isPaused: true)
  }

  @Test("Steady state asks the C heap for nothing")
  func heap() throws {
    let pair = makePair()
    pair.keepsLogs = false
    #expect(pair.stream(1))
    let body = LentBody(count: 5_000, seed: 1)
    func round() throws {
      for number in 0..<32 {
        #expect(
          pair.send(1, head: [1, 2], body: body, bodyTag: number % 2 == 0 ? 1 : nil, tail: [3]))
      }
      try pair.pump()
      for _ in 0..<32 {
        pair.server.send(1, head: ([4] as [UInt8]).span.bytes, body: RawSpan(), tail: RawSpan())
      }
      try pair.pump()
      pair.up.releasedTags.removeAll()
    }
    for _ in 0..<3 { try round() }
    let client = pair.client.heapCallCount
    let server = pair.server.heapCallCount
    for _ in 0..<40 { try round() }
    let clientAfter = pair.client.heapCallCount
    let serverAfter = pair.server.heapCallCount
    #expect(clientAfter == client)
    #expect(serverAfter == server)
  }
}

extension Pair {
  func stream(_ tag: UInt64, _ method: MethodID = streamMethod) -> Bool {
    client.startStream(method, tag: tag)
  }

  func send(
    _ tag: UInt64, head: [UInt8], body: LentBody, bodyTag: UInt32?, tail: [UInt8]
  ) -> Bool {
    client.sendMessage(
      tag: tag, head: head.span.bytes, body: body.slice, bodyTag: bodyTag, tail: tail.span.bytes)
  }

  func unsentBytes(_ tag: UInt64) -> Int { client.unsentBytes(tag: tag) }

  /// The messages of a call that was opened.
  func received(_ stream: Int32) -> [[UInt8]] {
    serverLog.compactMap { if case .message(stream, let bytes) = $0 { bytes } else { nil } }
  }
}
