import Bytes
import GRPC
import IOPort
import Testing

/// A client whose server is written by hand; the call with tag 1 is stream 1.
private func answer(_ frames: [UInt8]..., splits: Bool = false) throws -> Pair {
  let pair = Pair(seed: 5, splits: splits)
  #expect(pair.call(1, [1]))
  pair.client.writeOutput(to: &pair.up.outbox)
  _ = pair.up.take()
  for bytes in [Frames.settings, Frames.settingsAck] + frames {
    for piece in pair.down.cut(bytes) {
      try pair.client.receive(piece.span.bytes)
      pair.takeClientEvents()
    }
  }
  pair.client.writeOutput(to: &pair.up.outbox)
  pair.takeClientEvents()
  return pair
}

/// How the call of ``answer(_:splits:)`` ends when these bytes come in pieces with these ends, and
/// nothing after them.
private func end(_ bytes: [UInt8], cutAt ends: [Int]) throws -> StatusCode? {
  let pair = try answer()
  var start = 0
  for end in ends {
    // What breaks the protocol throws; what came before it still counts.
    try? pair.feedClient(Array(bytes[start..<end]))
    pair.takeClientEvents()
    start = end
  }
  pair.client.abandonAllCalls()
  pair.takeClientEvents()
  return pair.completion(1)?.status
}

@Suite("What servers answer")
struct ClientProtocolTests {
  @Test(
    "Without grpc-status the HTTP status tells",
    arguments: [
      ("400", .internalError), ("401", .unauthenticated), ("403", .permissionDenied),
      ("404", .unimplemented), ("429", .unavailable), ("502", .unavailable), ("503", .unavailable),
      ("504", .unavailable), ("418", .unknown), ("200", .unknown), ("500", .unknown),
    ] as [(String, StatusCode)])
  func httpStatus(http: String, status: StatusCode) throws {
    let pair = try answer(
      Frames.headers(1, [(":status", http), ("content-type", "text/html")]),
      Frames.data(1, Array("<html>not gRPC at all</html>".utf8), ends: true))
    #expect(pair.clientLog == [.settings, .completed(1, status, "")])
    #expect(!pair.isDraining)
    // Whoever stands before the server has said that: the server may have done something.
    #expect(pair.untouched.isEmpty)
  }

  @Test("grpc-status wins over the HTTP status")
  func statusWins() throws {
    let pair = try answer(
      Frames.headers(
        1, [(":status", "503"), ("grpc-status", "5"), ("grpc-message", "a%20b%zz%2")], ends: true))
    #expect(pair.completion(1)?.status == .notFound)
    #expect(pair.completion(1)?.text == "a b%zz%2")
  }

  @Test(
    "A status that is no known number is unknown", arguments: ["17", "999", "1000", "x", "-1", ""])
  func oddStatus(text: String) throws {
    let pair = try answer(
      Frames.headers(1, Frames.responseFields + [("grpc-status", text)], ends: true))
    #expect(pair.completion(1)?.status == .unknown)
  }

  @Test("A stream that ends without trailers is unknown, its messages were delivered")
  func noTrailers() throws {
    let pair = try answer(
      Frames.headers(1, Frames.responseFields), Frames.data(1, Frames.message([3]), ends: true))
    #expect(pair.clientLog == [.settings, .message(1, [3]), .completed(1, .unknown, "")])
  }

  @Test("An OK after a message that is cut off is an internal error")
  func cutOff() throws {
    let pair = try answer(
      Frames.headers(1, Frames.responseFields), Frames.data(1, [0, 0, 0, 0, 9, 1, 2]),
      Frames.headers(1, [("grpc-status", "0")], ends: true))
    #expect(pair.clientLog == [.settings, .completed(1, .internalError, "")])
  }

  @Test("Messages cross the borders of DATA frames as they like", arguments: [false, true])
  func borders(splits: Bool) throws {
    let messages = (0..<20).map { [UInt8](repeating: UInt8($0), count: $0 * 7) }
    let bytes = messages.flatMap { Frames.message($0) }
    let parts = stride(from: 0, to: bytes.count, by: 11).map {
      Frames.data(1, Array(bytes[$0..<min($0 + 11, bytes.count)]))
    }
    let pair = try answer(
      Frames.headers(1, Frames.responseFields), Array(parts.joined()),
      Frames.headers(1, [("grpc-status", "0")], ends: true), splits: splits)
    #expect(pair.messages(1) == messages)
    #expect(pair.completion(1)?.status == .ok)
  }

  @Test("A compressed message, and a flag that is none, end the call", arguments: [1, 2, 255])
  func compressed(flag: UInt8) throws {
    let pair = try answer(
      Frames.headers(1, Frames.responseFields), Frames.data(1, Frames.message([1], flag: flag)))
    #expect(pair.completion(1)?.status == .internalError)
    #expect(pair.callsInFlight == 0)
  }

  @Test("A length of four billion is refused without taking memory")
  func hugeLength() throws {
    let pair = try answer(
      Frames.headers(1, Frames.responseFields), Frames.data(1, [0, 255, 255, 255, 255, 1]))
    #expect(pair.completion(1)?.status == .resourceExhausted)
    let held = pair.client.heldBytes
    #expect(held < 200_000)
  }

  @Test(
    "The code of a reset is mapped",
    arguments: [
      (0, .internalError), (1, .internalError), (2, .internalError), (3, .internalError),
      (5, .internalError), (7, .unavailable), (8, .cancelled), (0xb, .resourceExhausted),
      (0xc, .permissionDenied), (0xd, .internalError), (0x77, .internalError),
    ] as [(UInt8, StatusCode)])
  func resets(code: UInt8, status: StatusCode) throws {
    let pair = try answer(Frames.reset(1, code: code))
    #expect(pair.clientLog == [.settings, .completed(1, status, "")])
    #expect(pair.canStartCall)
    // REFUSED_STREAM (RFC 9113 §7).
    #expect(pair.untouched == (code == 7 ? [1] : []))
  }

  @Test("A reset after the trailers changes nothing")
  func resetAfterEnd() throws {
    let pair = try answer(
      Frames.headers(1, Frames.responseFields + [("grpc-status", "0")], ends: true),
      Frames.reset(1, code: 0))
    #expect(pair.clientLog == [.settings, .completed(1, .ok, "")])
  }

  @Test("An informational response is not the response")
  func informational() throws {
    let pair = try answer(
      Frames.headers(1, [(":status", "103")]),
      Frames.headers(1, Frames.responseFields), Frames.data(1, Frames.message([8])),
      Frames.headers(1, [("grpc-status", "0")], ends: true))
    #expect(pair.clientLog == [.settings, .message(1, [8]), .completed(1, .ok, "")])
  }

  @Test("Malformed response headers end the call, not the connection")
  func malformedHeaders() throws {
    let pair = try answer(Frames.headers(1, [(":status", "abc"), ("X-Upper", "1")], ends: true))
    #expect(pair.clientLog == [.settings, .completed(1, .internalError, "")])
    #expect(!pair.isDraining)
  }

  @Test("A header list above 16 KiB ends the call")
  func longHeaders() throws {
    let long = (0..<40).map { ("x-\($0)", String(repeating: "a", count: 400)) }
    let block = Frames.block(Frames.responseFields + long)
    let pair = try answer(
      Frames.frame(type: 1, flags: 0, stream: 1, Array(block.prefix(16_000))),
      Frames.frame(type: 9, flags: 4, stream: 1, Array(block.dropFirst(16_000))))
    #expect(pair.completion(1)?.status == .internalError)
    #expect(!pair.isDraining)
  }

  @Test("GOAWAY ends what is above its last stream")
  func goAway() throws {
    let pair = try answer(Frames.goAway(last: 0, code: 0))
    #expect(pair.clientLog == [.settings, .completed(1, .unavailable, ""), .goAway])
    #expect(pair.untouched == [1])
    #expect(pair.isDraining)
  }

  @Test(
    "A broken protocol throws, says why to the server, and stays broken",
    arguments: [
      [9, 9, 9, 0, 0, 0, 0, 0, 0], Frames.frame(type: 0, stream: 0, [1]),
      Frames.frame(type: 5, flags: 4, stream: 1, [0, 0, 0, 2]), Frames.frame(type: 4, [1]),
      Frames.frame(type: 6, [1, 2]),
      Frames.frame(type: 1, flags: 4, stream: 1, [0xff, 0xff, 0xff]),
      Frames.frame(type: 9, flags: 4, stream: 1, [0]), Frames.frame(type: 8, [0, 0, 0, 0]),
    ] as [[UInt8]])
  func violations(bytes: [UInt8]) throws {
    let pair = Pair()
    #expect(pair.call(1, []))
    pair.client.writeOutput(to: &pair.up.outbox)
    _ = pair.up.take()
    try pair.client.receive((Frames.settings + Frames.settingsAck).span.bytes)
    let error = #expect(throws: GRPCError.self) { try pair.feedClient(bytes) }
    #expect(error?.kind == .protocolViolation && error?.code != 0)
    pair.client.writeOutput(to: &pair.up.outbox)
    let last = pair.up.take()
    #expect(last.count > 17)
    #expect(!pair.canStartCall && pair.isDraining)
    #expect(throws: GRPCError.self) { try pair.feedClient(Frames.settings) }
    pair.client.abandonAllCalls()
    pair.takeClientEvents()
    // A header block that is none is the fault of its call, and the connection cannot go on.
    let status: StatusCode = error?.code == 9 ? .internalError : .unavailable
    #expect(pair.completion(1)?.status == status)
  }

  @Test(
    "A bad answer ends the call by itself, whatever ends it in the same bytes, cut anywhere",
    arguments: [
      Frames.goAway(last: 0, code: 0),
      Frames.goAway(last: 0, code: 0) + Frames.goAway(last: 0, code: 0),
      Frames.reset(1, code: 8), Frames.reset(1, code: 7), Frames.frame(type: 6, [1, 2]),
      Frames.data(0, [1]), Frames.headers(0, [(":status", "200")]),
      Frames.frame(type: 1, flags: 4, stream: 1, [0xff, 0xff, 0xff]),
    ] as [[UInt8]])
  func cuts(next: [UInt8]) throws {
    let bad = [
      Frames.headers(1, [(":status", "200"), ("X-Upper", "1")], ends: false),
      Frames.headers(1, Frames.responseFields + [("content-length", "1")])
        + Frames.data(1, [0, 0, 0, 0, 1]),
      // A stream's send window above 2^31 - 1 (RFC 9113 §6.9.1).
      Frames.frame(type: 8, stream: 1, [0x7f, 0xff, 0xff, 0xff]),
    ]
    for (index, bytes) in bad.map({ $0 + next }).enumerated() {
      for first in 1...bytes.count {
        let status = try end(bytes, cutAt: [first, bytes.count])
        #expect(status == .internalError, "answer \(index) cut at \(first)")
      }
      #expect(try end(bytes, cutAt: Array(1...bytes.count)) == .internalError)
    }
  }
}
