import GRPC
import IOPort
import Testing

@Suite("Pings of silent connections")
struct KeepaliveTests {
  /// What gRPC's C core and Go's server do with their defaults: a ping within 300 s of the one
  /// before is a strike, the third strike ends the connection, and a message that the server sends
  /// forgives all (gRFC A8).
  private struct Policy {
    var lastPing: Instant?
    var strikes = 0
    var isOver: Bool { strikes > 2 }

    mutating func pinged(at now: Instant) {
      if let lastPing, now < lastPing.advanced(milliseconds: 300_000) { strikes += 1 }
      lastPing = now
    }

    mutating func sentMessage() {
      lastPing = nil
      strikes = 0
    }
  }

  private static func at(_ milliseconds: Int) -> Instant {
    Instant(nanoseconds: 0).advanced(milliseconds: milliseconds)
  }

  /// The milliseconds at which pings leave, all answered 1 ms later, and calls end in vain.
  private func pings(
    untilMilliseconds end: Int, expiries: Set<Int> = [], answers: Set<Int> = []
  ) -> [Int] {
    var keepalive = Keepalive(intervalMilliseconds: 5_000, at: Self.at(0))
    var sent: [Int] = []
    for now in stride(from: 0, to: end, by: 100) {
      if answers.contains(now) {
        keepalive.heard(at: Self.at(now))
        keepalive.answered()
      }
      if expiries.contains(now) { keepalive.doubt() }
      let verdict = keepalive.check(at: Self.at(now), hasCalls: true)
      #expect(verdict != .lost)
      if verdict == .ping {
        sent.append(now)
        keepalive.heard(at: Self.at(now + 1))
      }
    }
    return sent
  }

  @Test("Without messages there is one ping at once and one every 310 s")
  func spaced() {
    #expect(pings(untilMilliseconds: 700_000) == [5_000, 315_000, 625_000])
  }

  @Test("A call without an answer allows one more, not one each time")
  func doubted() {
    let expiries = Set(stride(from: 10_000, to: 700_000, by: 10_000))
    #expect(
      pings(untilMilliseconds: 700_000, expiries: expiries) == [5_000, 10_100, 320_100, 630_100])
  }

  @Test("A message of the server allows both again")
  func answered() {
    let sent = pings(
      untilMilliseconds: 100_000, expiries: [20_000, 40_000, 60_000, 80_000], answers: [50_000])
    #expect(sent == [5_000, 20_000, 55_000, 60_100])
  }

  @Test("A ping without an answer means that the connection is lost, also without calls")
  func lost() {
    var keepalive = Keepalive(intervalMilliseconds: 5_000, at: Self.at(0))
    #expect(keepalive.deadline(hasCalls: false) == nil)
    #expect(keepalive.deadline(hasCalls: true) == Self.at(5_000))
    #expect(keepalive.check(at: Self.at(4_999), hasCalls: true) == .wait)
    #expect(keepalive.check(at: Self.at(5_000), hasCalls: true) == .ping)
    #expect(keepalive.deadline(hasCalls: false) == Self.at(10_000))
    keepalive.callsBegin(at: Self.at(9_000))
    #expect(keepalive.check(at: Self.at(9_999), hasCalls: false) == .wait)
    #expect(keepalive.check(at: Self.at(10_000), hasCalls: false) == .lost)
  }

  @Test("A connection that dies after its first answer is found when a call ends in vain")
  func diesLater() {
    var keepalive = Keepalive(intervalMilliseconds: 5_000, at: Self.at(0))
    #expect(keepalive.check(at: Self.at(5_000), hasCalls: true) == .ping)
    keepalive.heard(at: Self.at(5_001))
    keepalive.doubt()
    // The call was the only one: the question is asked all the same.
    #expect(keepalive.deadline(hasCalls: false) == Self.at(10_001))
    #expect(keepalive.check(at: Self.at(10_001), hasCalls: false) == .ping)
    #expect(keepalive.check(at: Self.at(15_001), hasCalls: false) == .lost)
  }

  @Test("No server that follows gRFC A8 ends a connection for its pings", arguments: 0..<200)
  func policy(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var keepalive = Keepalive(intervalMilliseconds: 5_000, at: Self.at(0))
    var policy = Policy()
    var pingCount = 0
    let answerOdds = [20, 200, 5_000, 1 << 40][Int.random(in: 0..<4, using: &random)]
    let expiryOdds = [20, 100, 1 << 40][Int.random(in: 0..<3, using: &random)]
    for step in 0..<20_000 {
      let now = Self.at(step * 500)
      if Int.random(in: 0..<answerOdds, using: &random) == 0 {
        policy.sentMessage()
        keepalive.heard(at: now)
        keepalive.answered()
      }
      if Int.random(in: 0..<expiryOdds, using: &random) == 0 { keepalive.doubt() }
      let hasCalls = Int.random(in: 0..<3, using: &random) > 0
      switch keepalive.check(at: now, hasCalls: hasCalls) {
      case .wait: break
      case .ping:
        pingCount += 1
        // The way takes up to 9 s, for a packet that is lost a few times.
        policy.pinged(
          at: now.advanced(milliseconds: Int.random(in: 0...9_000, using: &random)))
        keepalive.heard(at: now)
      case .lost: Issue.record("lost, seed \(seed)")
      }
    }
    #expect(!policy.isOver, "seed \(seed)")
    #expect(pingCount > 0, "seed \(seed)")
  }
}
