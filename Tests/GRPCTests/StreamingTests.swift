import Bytes
import GRPC
import IOPort
import Testing

@Suite("Server streaming")
struct StreamingTests {
  @Test("Messages arrive in order, each whole, then the status", arguments: 0..<10 as Range<UInt64>)
  func order(seed: UInt64) throws {
    let pair = Pair(seed: seed, splits: true)
    pair.answer = .none
    var random = SplitMix64(seed: seed)
    #expect(pair.call(1, [1]))
    try pair.pump()
    pair.server.openStream(1)
    var sent: [[UInt8]] = []
    for number in 0..<200 {
      let body = [UInt8](
        repeating: UInt8(number & 255), count: Int.random(in: 0...5_000, using: &random))
      let head: [UInt8] = [UInt8(number & 255), 1]
      pair.server.send(1, head: head.span.bytes, body: body.span.bytes, tail: RawSpan())
      sent.append(head + body)
      if Bool.random(using: &random) { _ = try pair.pumpDown() }
    }
    pair.server.endStream(1, status: .unavailable, message: "moved")
    try pair.pump()
    #expect(pair.messages(1) == sent, "seed \(seed)")
    #expect(pair.completion(1)?.status == .unavailable)
    #expect(pair.completion(1)?.text == "moved")
    #expect(pair.serverLog.last == .closed(1))
  }

  @Test("A slow reader's messages wait in the queue, and other streams go on")
  func slowReader() throws {
    var options = Pair.clientOptions
    options.initialStreamWindowBytes = 65_535
    let pair = Pair(client: options)
    pair.answer = .none
    #expect(pair.call(1, [1]))
    #expect(pair.call(2, [2]))
    try pair.pump()
    let message = [UInt8](repeating: 5, count: 1_000_000)
    pair.server.send(1, head: RawSpan(), body: message.span.bytes, tail: RawSpan())
    #expect(pair.queuedBytes(1) == 1_000_005)
    // Frames are taken by the network, but the client reads none: flow control stops the server.
    var unread: [UInt8] = []
    for _ in 0..<50 {
      pair.server.writeOutput(to: &pair.down.outbox)
      unread += pair.down.take()
    }
    #expect(pair.queuedBytes(1) == 1_000_005 - 65_535)
    pair.server.respond(3, message: [1 as UInt8].span.bytes)
    pair.server.writeOutput(to: &pair.down.outbox)
    unread += pair.down.take()
    try pair.client.receive(unread.span.bytes)
    pair.takeClientEvents()
    #expect(pair.completion(2)?.status == .ok)
    #expect(pair.completion(1) == nil)
    // The client's acknowledgements let it go on.
    try pair.pump()
    #expect(pair.queuedBytes(1) == 0)
    #expect(pair.messages(1) == [message])
    pair.server.endStream(1, status: .ok, message: "")
    try pair.pump()
    #expect(pair.completion(1)?.status == .ok)
    #expect(pair.queuedBytes(99) == 0)
  }

  @Test("Response headers are sent before the first message")
  func headersFirst() throws {
    let pair = Pair()
    pair.answer = .none
    #expect(pair.call(1, []))
    try pair.pump()
    let before = pair.downBytes.count
    pair.server.openStream(1)
    try pair.pump()
    #expect(pair.downBytes.count > before)
    #expect(pair.completion(1) == nil)
  }

  @Test("The client cancels a stream that has messages queued")
  func cancelled() throws {
    let pair = Pair()
    pair.answer = .none
    #expect(pair.call(1, []))
    try pair.pump()
    let message = [UInt8](repeating: 1, count: 2_000_000)
    pair.server.send(1, head: RawSpan(), body: message.span.bytes, tail: RawSpan())
    _ = try pair.pumpDown()
    pair.client.cancelCall(tag: 1)
    try pair.pump()
    #expect(pair.serverLog.last == .cancelled(1))
    #expect(pair.queuedBytes(1) == 0)
    #expect(pair.callsOpen == 0)
    #expect(pair.messages(1).isEmpty)
  }

  @Test("A message above the client's limit ends its call only")
  func tooLarge() throws {
    var options = Pair.clientOptions
    options.maximumMessageBytes = 1_000
    let pair = Pair(client: options)
    #expect(pair.call(1, [UInt8](repeating: 1, count: 1_001)))
    #expect(pair.call(2, [UInt8](repeating: 1, count: 1_000)))
    try pair.pump()
    #expect(pair.completion(1)?.status == .resourceExhausted)
    #expect(pair.completion(2)?.status == .ok)
  }

  @Test("Incomplete messages of all calls share one budget")
  func budget() throws {
    var options = ServerSession.Options()
    options.maximumMessageBytes = 200_000
    options.maximumBufferedBytes = 1_000_000
    options.connectionWindowBytes = 8 * 1024 * 1024
    let pair = Pair(server: options)
    try pair.pump()
    for tag in 0..<50 as Range<UInt64> {
      #expect(pair.call(tag, [UInt8](repeating: 1, count: 150_000)))
    }
    try pair.pump()
    let statuses = (0..<50 as Range<UInt64>).compactMap { pair.completion($0)?.status }
    #expect(statuses.count == 50)
    #expect(statuses.contains(.resourceExhausted) && statuses.contains(.ok))
    let held = pair.server.heldBytes
    #expect(held < 3_000_000)
  }
}

extension Pair {
  func queuedBytes(_ stream: Int32) -> Int { server.queuedBytes(stream) }
}
