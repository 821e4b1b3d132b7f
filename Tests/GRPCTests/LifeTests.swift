import Bytes
import GRPC
import IOPort
import Testing

@Suite("Limits and ends of connections")
struct LifeTests {
  @Test("The server's limit on concurrent streams holds calls back")
  func concurrencyLimit() throws {
    var options = ServerSession.Options()
    options.maximumConcurrentCalls = 5
    let pair = Pair(server: options)
    pair.answer = .none
    try pair.pump()
    for tag in 0..<5 as Range<UInt64> { #expect(pair.call(tag, [])) }
    #expect(!pair.canStartCall)
    #expect(!pair.call(5, []))
    #expect(!pair.isDraining)
    try pair.pump()
    pair.server.respond(pair.streams[2], message: RawSpan())
    try pair.pump()
    #expect(pair.canStartCall)
    #expect(pair.call(5, []))
    #expect(!pair.canStartCall)
  }

  @Test("Before the server's settings arrive a hundred calls may start")
  func assumedLimit() throws {
    let pair = Pair()
    var tag: UInt64 = 0
    while pair.call(tag, []) { tag += 1 }
    #expect(tag == 100)
    try pair.pump()
    #expect(pair.callsInFlight == 0)
    #expect(pair.canStartCall)
  }

  @Test("Calls above a limit that arrives later wait or are refused, none is lost")
  func lateLimit() throws {
    var options = ServerSession.Options()
    options.maximumConcurrentCalls = 5
    let pair = Pair(server: options)
    for tag in 0..<100 as Range<UInt64> { #expect(pair.call(tag, [1])) }
    try pair.pump()
    for tag in 0..<100 as Range<UInt64> {
      let status = pair.completion(tag)?.status
      #expect(status == .ok || status == .unavailable)
    }
    #expect(pair.completion(0)?.status == .ok)
  }

  @Test("The own limit holds calls back")
  func ownLimit() throws {
    var options = Pair.clientOptions
    options.maximumConcurrentCalls = 3
    let pair = Pair(client: options)
    try pair.pump()
    for tag in 0..<3 as Range<UInt64> { #expect(pair.call(tag, [])) }
    #expect(!pair.call(3, []))
  }

  @Test("Stream ids end: no call starts, those in flight complete")
  func streamIDs() throws {
    var options = Pair.clientOptions
    options.lastStreamID = 9
    let pair = Pair(client: options)
    for tag in 0..<5 as Range<UInt64> {
      let left = pair.client.streamIDsLeft
      #expect(left == 5 - Int(tag))
      #expect(!pair.isDraining)
      #expect(pair.call(tag, []))
    }
    #expect(pair.client.streamIDsLeft == 0 && pair.isDraining && !pair.canStartCall)
    #expect(!pair.call(5, []))
    try pair.pump()
    for tag in 0..<5 as Range<UInt64> { #expect(pair.completion(tag)?.status == .ok) }
  }

  @Test("The highest stream id of all is used and nothing traps")
  func highestStreamID() throws {
    let pair = Pair()
    let left = pair.client.streamIDsLeft
    #expect(left == 1 << 30)
  }

  @Test("GOAWAY: what the server will not look at is unavailable, the rest completes")
  func goAway() throws {
    let pair = Pair()
    pair.answer = .none
    for tag in 0..<3 as Range<UInt64> { #expect(pair.call(tag, [])) }
    try pair.pump()
    pair.server.shutDown()
    for tag in 3..<6 as Range<UInt64> { #expect(pair.call(tag, [])) }
    // Two of them are framed when GOAWAY arrives, or none: both must end.
    try pair.pump()
    #expect(pair.clientLog.contains(.goAway))
    #expect(pair.isDraining && !pair.canStartCall)
    for tag in 3..<6 as Range<UInt64> { #expect(pair.completion(tag)?.status == .unavailable) }
    #expect(pair.callsInFlight == 3)
    for stream in pair.streams { pair.server.respond(stream, message: RawSpan()) }
    try pair.pump()
    for tag in 0..<3 as Range<UInt64> { #expect(pair.completion(tag)?.status == .ok) }
    #expect(pair.callsInFlight == 0 && pair.callsOpen == 0)
  }

  @Test("GOAWAY before queued calls left completes them")
  func goAwayBeforeSent() throws {
    let pair = Pair()
    try pair.pump()
    pair.server.shutDown()
    #expect(pair.call(1, [1]))
    let body = LentBody(count: 5_000, seed: 1)
    #expect(pair.call(2, head: [], body: body, bodyTag: 8, tail: []))
    _ = try pair.pumpDown()
    #expect(pair.completion(1)?.status == .unavailable)
    #expect(pair.completion(2)?.status == .unavailable)
    #expect(pair.abandonedTags == [8])
    try pair.pump()
    #expect(pair.streams.isEmpty)
  }

  @Test("A cancelled call is reset, silent, and its tag can be used again")
  func cancel() throws {
    let pair = Pair()
    pair.answer = .none
    #expect(pair.call(1, [1]))
    try pair.pump()
    pair.client.cancelCall(tag: 1)
    #expect(pair.callsInFlight == 0)
    #expect(pair.call(1, [2]))
    try pair.pump()
    #expect(pair.serverLog.contains(.cancelled(1)))
    // Answers to the stream that is gone do nothing.
    pair.server.respond(1, message: RawSpan())
    pair.server.fail(1, status: .aborted, message: "")
    pair.server.openStream(1)
    pair.server.endStream(1, status: .ok, message: "")
    pair.server.respond(3, message: [7 as UInt8].span.bytes)
    try pair.pump()
    #expect(pair.clientLog == [.settings, .message(1, [7]), .completed(1, .ok, "")])
  }

  @Test("Cancelling withdraws events that were not taken")
  func cancelWithdraws() throws {
    let pair = Pair()
    #expect(pair.call(1, [1]))
    #expect(pair.call(2, [2]))
    _ = try pair.pumpUp()
    pair.server.writeOutput(to: &pair.down.outbox)
    let bytes = pair.down.take()
    try pair.client.receive(bytes.span.bytes)
    pair.client.cancelCall(tag: 1)
    pair.client.cancelCall(tag: 99)
    pair.takeClientEvents()
    #expect(pair.clientLog == [.settings, .message(2, [2]), .completed(2, .ok, "")])
  }

  @Test("A thousand cancels at once do not look like a flood, tens of thousands do")
  func resets() throws {
    let pair = Pair()
    pair.answer = .none
    try pair.pump()
    for _ in 0..<3 {
      for tag in 0..<1_000 as Range<UInt64> { #expect(pair.call(tag, [])) }
      _ = try pair.pumpUp()
      for tag in 0..<1_000 as Range<UInt64> { pair.client.cancelCall(tag: tag) }
      try pair.pump()
    }
    #expect(throws: GRPCError.self) {
      for _ in 0..<30 {
        for tag in 0..<1_000 as Range<UInt64> { _ = pair.call(tag, []) }
        _ = try pair.pumpUp()
        for tag in 0..<1_000 as Range<UInt64> { pair.client.cancelCall(tag: tag) }
        try pair.pump()
      }
    }
    // The server tells why, and takes nothing more.
    pair.server.writeOutput(to: &pair.down.outbox)
    let last = pair.down.take()
    #expect(last.count >= 17)
    #expect(throws: GRPCError.self) { try pair.feedServer([0]) }
  }
}
