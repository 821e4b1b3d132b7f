import Bytes
import GRPC
import IOPort
import Testing

/// A server whose client is written by hand, and what it answered.
private func request(_ frames: [UInt8]..., options: ServerSession.Options = .init()) throws
  -> (pair: Pair, answer: [UInt8])
{
  let pair = Pair(server: options)
  pair.answer = .none
  for bytes in [Frames.preface, Frames.settings, Frames.settingsAck] + frames {
    try pair.server.receive(bytes.span.bytes)
    pair.takeServerEvents()
  }
  pair.server.writeOutput(to: &pair.down.outbox)
  pair.takeServerEvents()
  return (pair, pair.down.take())
}

/// The statuses in trailers-only answers of the frames; texts are Huffman-coded, so a client reads.
private func completion(of answer: [UInt8]) throws -> StatusCode? {
  let pair = Pair()
  #expect(pair.call(1, []))
  pair.client.writeOutput(to: &pair.up.outbox)
  try pair.client.receive(answer.span.bytes)
  pair.takeClientEvents()
  return pair.completion(1)?.status
}

@Suite("What clients ask")
struct ServerProtocolTests {
  @Test("A request by hand is a call")
  func plain() throws {
    let (pair, _) = try request(
      Frames.headers(1, Frames.requestFields + [("grpc-timeout", "7m")]),
      Frames.data(1, Frames.message([1, 2]), ends: true))
    #expect(pair.serverLog == [.call(1, path: "/a.B/C", message: [1, 2], timeout: 7)])
  }

  @Test(
    "Time limits are read in every unit, malformed ones as none",
    arguments: [
      ("2H", 7_200_000), ("3M", 180_000), ("99999999S", 99_999_999_000), ("5m", 5), ("1u", 1),
      ("1001u", 2), ("1n", 1), ("123456789S", nil), ("S", nil), ("", nil), ("5", nil), ("5x", nil),
      ("-5S", nil),
    ] as [(String, Int?)])
  func timeouts(text: String, milliseconds: Int?) throws {
    let (pair, _) = try request(
      Frames.headers(1, Frames.requestFields + [("grpc-timeout", text)]),
      Frames.data(1, Frames.message([]), ends: true))
    #expect(
      pair.serverLog == [.call(1, path: "/a.B/C", message: [], timeout: milliseconds)])
  }

  @Test("Another content type is HTTP 415, another method HTTP 405; both are unimplemented")
  func notGRPC() throws {
    for changed in [("content-type", "application/json"), (":method", "PUT")] {
      let fields = Frames.requestFields.map { $0.0 == changed.0 ? changed : $0 }
      let (pair, answer) = try request(
        Frames.headers(1, fields), Frames.data(1, Array("{}".utf8), ends: true))
      #expect(pair.serverLog.isEmpty)
      #expect(pair.callsOpen == 0)
      #expect(try completion(of: answer) == .unimplemented)
    }
    let fields = Frames.requestFields.filter { $0.0 != "content-type" }
    let (_, answer) = try request(Frames.headers(1, fields, ends: true))
    #expect(try completion(of: answer) == .unimplemented)
  }

  @Test(
    "Requests without exactly one whole message are refused",
    arguments: [
      ([], .internalError), ([0, 0, 0, 0, 5, 1], .internalError),
      (Frames.message([1]) + Frames.message([2]), .internalError),
      (Frames.message([1], flag: 1), .unimplemented),
      (Frames.message([1], flag: 9), .internalError),
      ([0, 255, 255, 255, 255], .outOfRange),
    ] as [([UInt8], StatusCode)])
  func badMessages(body: [UInt8], status: StatusCode) throws {
    for ends in [true, false] where ends || (!body.isEmpty && status != .internalError) {
      let (pair, answer) = try request(
        Frames.headers(1, Frames.requestFields), Frames.data(1, body, ends: ends))
      #expect(pair.serverLog.isEmpty)
      #expect(pair.callsOpen == 0)
      #expect(try completion(of: answer) == status)
    }
  }

  @Test("A client without a preface is no HTTP/2 client")
  func badPreface() throws {
    let pair = Pair()
    let bytes = Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
    let error = #expect(throws: GRPCError.self) { try pair.feedServer(bytes) }
    #expect(error?.kind == .badPreface)
  }

  @Test("A flood of continuations, settings or pings ends the connection")
  func floods() throws {
    let block = Frames.frame(type: 1, flags: 0, stream: 1, Frames.block(Frames.requestFields))
    let more = Frames.frame(type: 9, stream: 1, Frames.block([("x", "y")]))
    let ping = Frames.frame(type: 6, [UInt8](repeating: 0, count: 8))
    for (first, repeated) in [(block, more), ([], Frames.settings), ([], ping)] {
      #expect(throws: GRPCError.self) {
        _ = try request(first, Array(repeatElement(repeated, count: 200_000).joined()))
      }
    }
  }

  @Test("A client that makes the server reset its streams for ever is cut off")
  func madeResets() throws {
    let error = #expect(throws: GRPCError.self) {
      var bytes: [UInt8] = []
      for stream in stride(from: 1, to: 40_001, by: 2) as StrideTo<Int32> {
        // A name in upper case is a stream error: the server resets the stream.
        bytes += Frames.headers(stream, [("X", "y")])
      }
      for start in stride(from: 0, to: bytes.count, by: 16_384) {
        _ = try feed(Array(bytes[start..<min(start + 16_384, bytes.count)]))
      }
    }
    #expect(error?.kind == .flooded)
  }

  private let flooded = Pair()

  private func feed(_ bytes: [UInt8]) throws {
    if flooded.serverLog.isEmpty, flooded.downBytes.isEmpty {
      try flooded.server.receive(
        (Frames.preface + Frames.settings + Frames.settingsAck).span.bytes)
      flooded.downBytes = [1]
    }
    try flooded.server.receive(bytes.span.bytes)
    flooded.takeServerEvents()
    flooded.server.writeOutput(to: &flooded.down.outbox)
    _ = flooded.down.take()
  }

  @Test("The server's windows are in its settings and hold a client back no longer than needed")
  func uploads() throws {
    var options = ServerSession.Options()
    options.initialStreamWindowBytes = 65_535
    options.connectionWindowBytes = 65_535
    let pair = Pair(seed: 3, splits: true, server: options)
    for tag in 0..<8 as Range<UInt64> {
      #expect(pair.call(tag, [UInt8](repeating: UInt8(tag), count: 1_000_000)))
    }
    try pair.pump()
    for tag in 0..<8 as Range<UInt64> { #expect(pair.completion(tag)?.status == .ok) }
  }
}
