import Bytes
import GRPC
import IOPort
import Testing

/// Traffic that nobody should send: it may end calls and connections, and must do no more.
@Suite("Malformed input never traps")
struct MalformedInputTests {
  /// What a client and a server really say to each other.
  private static func traffic() throws -> (up: [UInt8], down: [UInt8]) {
    let pair = Pair()
    pair.answer = .none
    for tag in 0..<4 as Range<UInt64> {
      #expect(pair.call(tag, [UInt8](repeating: 3, count: 20 * Int(tag)), timeout: 1_000))
    }
    try pair.pump()
    pair.server.respond(1, message: [1 as UInt8, 2].span.bytes)
    pair.server.fail(3, status: .notFound, message: "no such topic")
    pair.server.openStream(5)
    for _ in 0..<3 {
      pair.server.send(5, head: [1 as UInt8].span.bytes, body: RawSpan(), tail: RawSpan())
      try pair.pump()
    }
    pair.server.endStream(5, status: .ok, message: "")
    pair.client.cancelCall(tag: 3)
    pair.client.sendPing()
    try pair.pump()
    pair.server.shutDown()
    try pair.pump()
    return (pair.upBytes, pair.downBytes)
  }

  private static func mutate(_ bytes: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...6, using: &random) {
      let at = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
      case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
      case 3: bytes.removeSubrange(at..<min(bytes.count, at + 9))
      case 4:
        let end = min(bytes.count, at + Int.random(in: 1...60, using: &random))
        bytes.insert(contentsOf: bytes[at..<end], at: at)
      default: bytes.removeLast(Int.random(in: 0..<min(40, bytes.count), using: &random))
      }
      if bytes.count < 30 { return bytes + Frames.preface }
    }
    return bytes
  }

  private static func randomFrames(_ random: inout SplitMix64) -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0..<Int.random(in: 1...12, using: &random) {
      let payload = (0..<Int.random(in: 0...40, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      let stream = Int32.random(in: 0...9, using: &random)
      if Bool.random(using: &random) {
        bytes += Frames.headers(
          stream, Bool.random(using: &random) ? Frames.requestFields : Frames.responseFields,
          ends: Bool.random(using: &random))
      }
      bytes += Frames.frame(
        type: UInt8.random(in: 0...10, using: &random), flags: UInt8(random.next() & 0x2d),
        stream: stream, payload)
    }
    return bytes
  }

  private static func feedServer(_ bytes: [UInt8], seed: UInt64) {
    let pair = Pair(seed: seed, splits: seed % 3 == 0)
    pair.keepsLogs = false
    do {
      for piece in pair.up.cut(bytes) {
        try pair.server.receive(piece.span.bytes)
        pair.takeServerEvents()
        pair.server.writeOutput(to: &pair.down.outbox)
        _ = pair.down.take()
      }
    } catch {
      pair.server.writeOutput(to: &pair.down.outbox)
      pair.server.abandonAllCalls()
    }
    pair.takeServerEvents()
  }

  private static func feedClient(_ bytes: [UInt8], seed: UInt64) {
    let pair = Pair(seed: seed, splits: seed % 3 == 0)
    pair.keepsLogs = false
    for tag in 0..<4 as Range<UInt64> { _ = pair.call(tag, [1, 2, 3]) }
    pair.client.writeOutput(to: &pair.up.outbox)
    _ = pair.up.take()
    do {
      for piece in pair.down.cut(bytes) {
        try pair.client.receive(piece.span.bytes)
        pair.takeClientEvents()
        _ = pair.call(9, [4])
        pair.client.cancelCall(tag: 9)
        pair.client.writeOutput(to: &pair.up.outbox)
        _ = pair.up.take()
      }
    } catch {
      pair.client.writeOutput(to: &pair.up.outbox)
    }
    pair.client.abandonAllCalls()
    pair.takeClientEvents()
    #expect(pair.completedCount == 4, "seed \(seed): every call completes exactly once")
  }

  @Test("Mutated requests", .timeLimit(.minutes(1)), arguments: 0..<4 as Range<UInt64>)
  func mutatedRequests(part: UInt64) throws {
    let up = try Self.traffic().up
    for seed in (part * 2_000)..<((part + 1) * 2_000) {
      var random = SplitMix64(seed: seed)
      Self.feedServer(Self.mutate(up, &random), seed: seed)
    }
  }

  @Test("Mutated answers", .timeLimit(.minutes(1)), arguments: 0..<4 as Range<UInt64>)
  func mutatedAnswers(part: UInt64) throws {
    let down = try Self.traffic().down
    for seed in (part * 2_000)..<((part + 1) * 2_000) {
      var random = SplitMix64(seed: seed)
      Self.feedClient(Self.mutate(down, &random), seed: seed)
    }
  }

  @Test("Random bytes and random frames", .timeLimit(.minutes(1)))
  func randomBytes() {
    for seed in 0..<3_000 as Range<UInt64> {
      var random = SplitMix64(seed: seed)
      let noise = (0..<Int.random(in: 1...200, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      Self.feedServer(noise, seed: seed)
      Self.feedServer(Frames.preface + Frames.settings + noise, seed: seed)
      Self.feedServer(Frames.preface + Frames.settings + Self.randomFrames(&random), seed: seed)
      Self.feedClient(noise, seed: seed)
      Self.feedClient(Frames.settings + Self.randomFrames(&random), seed: seed)
    }
  }
}
