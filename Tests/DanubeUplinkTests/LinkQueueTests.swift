import IOPort
import Testing

@testable import DanubeUplink

@Suite("What a link takes")
struct LinkQueueTests {
  private static func at(_ milliseconds: Int) -> Instant {
    Instant(nanoseconds: 1_000_000_000).advanced(milliseconds: milliseconds)
  }

  /// Keeps a link full that takes so many bytes a second, for so long, with measures as they are
  /// due; the limit in the end.
  private func fill(
    _ link: inout LinkQueue, bytesPerSecond rate: Int, from start: Int, milliseconds: Int
  ) -> Int {
    var departed = Double(link.departedBytes)
    for now in start..<start + milliseconds {
      departed = min(departed + Double(rate) / 1_000, Double(link.sentBytes))
      if link.roomBytes > 0 { link.sent(link.roomBytes) }
      link.setFull(true)
      guard let next = link.nextMeasure(quietSince: nil), Self.at(now) >= next else { continue }
      link.beginMeasure()
      _ = link.measured(
        Int(link.sentBytes) - Int(departed), quietSince: Self.at(0), at: Self.at(now))
    }
    return link.limitBytes
  }

  @Test("The queue becomes what leaves in a second", arguments: [20_000, 50_000, 500_000])
  func follows(rate: Int) {
    var link = LinkQueue(at: Self.at(0))
    let limit = fill(&link, bytesPerSecond: rate, from: 0, milliseconds: 20_000)
    #expect((rate * 3 / 4...rate * 5 / 4).contains(limit))
    // And follows when that changes.
    let wide = fill(&link, bytesPerSecond: 10 * rate, from: 20_000, milliseconds: 20_000)
    #expect(wide > 7 * rate || wide == LinkQueue.mostBytes)
    let narrow = fill(&link, bytesPerSecond: rate / 2, from: 40_000, milliseconds: 60_000)
    #expect(narrow < rate * 3 / 4 && narrow >= LinkQueue.leastBytes)
  }

  @Test("A link that empties its queue at once is wide within a few measures")
  func wide() {
    var link = LinkQueue(at: Self.at(0))
    var measures = 0
    for now in 0..<400 where link.limitBytes < LinkQueue.mostBytes {
      link.sent(link.roomBytes)
      link.setFull(true)
      guard let next = link.nextMeasure(quietSince: nil), Self.at(now) >= next else { continue }
      measures += 1
      link.beginMeasure()
      _ = link.measured(0, quietSince: Self.at(0), at: Self.at(now))
    }
    #expect(link.limitBytes == LinkQueue.mostBytes && measures < 10)
  }

  @Test("Bytes that leave are a sign of life while others wait behind them, and only then")
  func life() {
    var link = LinkQueue(at: Self.at(0))
    link.sent(40_000)
    let quiet = Self.at(10)
    #expect(link.nextMeasure(quietSince: quiet) == Self.at(1_010))
    #expect(link.nextMeasure(quietSince: nil) == nil)
    func measure(_ count: Int, _ now: Int) -> Bool {
      link.beginMeasure()
      #expect(link.nextMeasure(quietSince: quiet) == nil)
      return link.measured(count, quietSince: quiet, at: Self.at(now))
    }
    // The first one only tells where it stands.
    #expect(!measure(30_000, 1_010))
    #expect(measure(20_000, 2_010))
    #expect(!measure(20_000, 3_010))
    #expect(measure(1_000, 4_010))
    // What was sent later left at once: somebody's kernel takes it.
    #expect(!measure(0, 5_010))
    #expect(link.nextMeasure(quietSince: quiet) == nil)
    link.sent(100)
    #expect(!measure(0, 6_010))
  }

  @Test("Batches grow while they take less than a second, and shrink when they take longer")
  func pace() {
    var pace = BatchPace()
    let start = pace.batchBytes
    var now = 0
    func acknowledge(_ bytes: Int, after milliseconds: Int) {
      let sentAt = Self.at(now)
      now += milliseconds
      pace.acknowledged(bytes, sentAt: sentAt, at: Self.at(now), mostWindow: 8)
    }
    // Small ones say nothing.
    for _ in 0..<10 { acknowledge(500, after: 100) }
    #expect(pace.batchBytes == start && pace.window == 8)
    for _ in 0..<4 { acknowledge(pace.batchBytes, after: 50) }
    #expect(pace.batchBytes == 1 << 20)
    acknowledge(pace.batchBytes, after: 8_000)
    #expect((100_000..<150_000).contains(pace.batchBytes) && pace.window == 4)
    for _ in 0..<4 { acknowledge(500, after: 8_000) }
    #expect(pace.batchBytes == start && pace.window == 1)
    acknowledge(start, after: 500)
    #expect(pace.batchBytes > start && pace.window == 2)
    pace.expired()
    #expect(pace.window == 1)
  }
}
