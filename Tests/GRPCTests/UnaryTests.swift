import Bytes
import GRPC
import IOPort
import Testing

@Suite("Unary calls")
struct UnaryTests {
  @Test("A call carries its path, message and time limit, and brings the answer and its status")
  func unary() throws {
    let pair = Pair()
    #expect(pair.call(7, [1, 2, 3], timeout: 900))
    #expect(pair.callsInFlight == 1)
    try pair.pump()
    #expect(
      pair.serverLog == [
        .call(1, path: unaryPath, message: [1, 2, 3], timeout: 1_000), .closed(1),
      ])
    #expect(pair.clientLog == [.settings, .message(7, [1, 2, 3]), .completed(7, .ok, "")])
    #expect(pair.callsInFlight == 0)
    #expect(pair.callsOpen == 0)
    #expect(!pair.hasOutput)
  }

  @Test("An empty message is a message")
  func empty() throws {
    let pair = Pair()
    #expect(pair.call(1, []))
    try pair.pump()
    #expect(pair.messages(1) == [[]])
    #expect(pair.completion(1)?.status == .ok)
  }

  @Test("A thousand calls are in flight at once", arguments: [1 as UInt64, 2, 3])
  func manyInFlight(seed: UInt64) throws {
    let pair = Pair(seed: seed, splits: true)
    pair.answer = .none
    try pair.pump()
    for tag in 0..<1_000 as Range<UInt64> {
      #expect(pair.call(tag, Array(repeating: UInt8(tag & 255), count: Int(tag))))
    }
    #expect(pair.callsInFlight == 1_000)
    try pair.pump()
    var streams = pair.streams
    try #require(streams.count == 1_000, "seed \(seed)")
    var random = SplitMix64(seed: seed)
    streams.shuffle(using: &random)
    for stream in streams {
      let message = [UInt8](repeating: UInt8(stream & 255), count: Int(stream))
      pair.server.respond(stream, message: message.span.bytes)
    }
    try pair.pump()
    #expect(pair.callsInFlight == 0)
    #expect(pair.callsOpen == 0)
    for tag in 0..<1_000 as Range<UInt64> {
      // Streams are numbered 1, 3, 5 … in the order of the calls.
      let stream = Int(tag) * 2 + 1
      #expect(
        pair.messages(tag) == [[UInt8](repeating: UInt8(stream & 255), count: stream)],
        "seed \(seed)")
    }
  }

  @Test(
    "The time limit is rounded up to a step",
    arguments: [
      (1, 100), (100, 100), (101, 250), (10_000, 10_000), (10_001, 20_000), (60_000, 60_000),
      (300_000, 300_000), (300_001, nil),
    ] as [(Int, Int?)])
  func timeouts(asked: Int, sent: Int?) throws {
    let pair = Pair()
    #expect(pair.call(1, [], timeout: asked))
    try pair.pump()
    #expect(pair.serverLog.first == .call(1, path: unaryPath, message: [], timeout: sent))
  }

  @Test("No time limit is no header")
  func noTimeout() throws {
    let pair = Pair()
    #expect(pair.call(1, []))
    try pair.pump()
    #expect(pair.serverLog.first == .call(1, path: unaryPath, message: [], timeout: nil))
  }

  @Test(
    "A failure is trailers only, its text percent-encoded on the wire",
    arguments: [
      "no such topic", "100 %\nsure", "überfüllt", "",
    ])
  func failure(text: String) throws {
    let pair = Pair()
    pair.answer = .none
    #expect(pair.call(1, [9]))
    try pair.pump()
    pair.server.fail(1, status: .notFound, message: text)
    try pair.pump()
    #expect(pair.clientLog == [.settings, .completed(1, .notFound, text)])
    #expect(pair.serverLog.last == .closed(1))
  }

  @Test("Every status crosses the wire", arguments: StatusCode.allCases)
  func statuses(status: StatusCode) throws {
    let pair = Pair()
    pair.answer = .none
    #expect(pair.call(1, [9]))
    try pair.pump()
    pair.server.openStream(1)
    pair.server.endStream(1, status: status, message: "why")
    try pair.pump()
    #expect(pair.completion(1)?.status == status)
    #expect(pair.completion(1)?.text == "why")
  }

  @Test("The header fields of a repeated call take few bytes")
  func compression() throws {
    let pair = Pair()
    for tag in 0..<2 as Range<UInt64> {
      #expect(pair.call(tag, [], timeout: 10_000))
      try pair.pump()
    }
    let before = pair.upBytes.count
    #expect(pair.call(2, [], timeout: 10_000))
    try pair.pump()
    // HEADERS (9 + about 7 + the path, which the library never puts in HPACK's table) and DATA.
    #expect(pair.upBytes.count - before <= 9 + 8 + unaryPath.utf8.count + 9 + 5)
  }

  @Test("Additional header fields and several methods work")
  func methods() throws {
    var options = Pair.clientOptions
    options.additionalHeaders = [(name: "x-danube-broker-url", value: "http://b:1")]
    let pair = Pair(client: options)
    let isStarted = pair.client.startCall(
      otherMethod, tag: 1, timeoutMilliseconds: nil, message: [4 as UInt8].span.bytes)
    #expect(isStarted)
    #expect(pair.call(2, [5]))
    try pair.pump()
    #expect(pair.serverLog.contains(.call(1, path: otherPath, message: [4], timeout: nil)))
    #expect(pair.serverLog.contains(.call(3, path: unaryPath, message: [5], timeout: nil)))
  }

  @Test("A ping is answered")
  func ping() throws {
    let pair = Pair()
    pair.client.sendPing()
    try pair.pump()
    #expect(pair.clientLog.contains(.pong))
  }
}

extension Array where Element == UInt8 {
  func contains(subsequence: [UInt8]) -> Bool {
    guard count >= subsequence.count else { return false }
    return (0...(count - subsequence.count)).contains { start in
      self[start..<(start + subsequence.count)].elementsEqual(subsequence)
    }
  }
}
