import Bytes
import Foundation
import Testing

@testable import Logs

@Suite("The way of log lines")
struct LogFlowTests {
  @Test("Below the threshold nothing is made; the threshold moves while the loop runs")
  func threshold() {
    let threshold = LogThreshold()
    var lines = Lines(threshold: threshold)
    var calls = 0
    lines.channel.logger.log(.debug, "a", at: 0) { _ in calls += 1 }
    #expect(calls == 0)
    threshold.level = .debug
    lines.channel.logger.log(.debug, "a", at: 0) { _ in calls += 1 }
    #expect(calls == 1)
    threshold.level = .error
    lines.channel.logger.log(.warning, "b", at: 0) { _ in calls += 1 }
    lines.channel.logger.log(.error, "c", at: 0) { _ in calls += 1 }
    #expect(calls == 2)
    let text = lines.take()
    #expect(text.split(separator: "\n").count == 2)
    #expect(threshold.level == .error)
  }

  @Test("One line of an event within an interval; the next one counts those left out")
  func repeats() {
    var lines = Lines()
    for time: UInt64 in 100..<150 { lines.channel.logger.log(.info, "a", at: time) }
    lines.channel.logger.log(.info, "b", at: 149)
    lines.channel.logger.log(.info, "a", at: 1_099)
    let first = lines.take()
    #expect(first.split(separator: "\n").map { $0.dropFirst(25) } == ["info  a", "info  b"])
    lines.channel.logger.log(.info, "a", at: 1_100)
    lines.channel.logger.log(.info, "a", at: 2_100)
    let second = lines.take()
    #expect(
      second.split(separator: "\n").map { $0.dropFirst(25) } == [
        "info  a suppressed=50", "info  a",
      ]
    )
  }

  @Test("A flood of one message does not hide another one of the same event")
  func messages() {
    var lines = Lines()
    for time: UInt64 in 100..<150 {
      lines.channel.logger.log(.warning, "a", at: time, message: "garbage")
    }
    for _ in 0..<2 { lines.channel.logger.log(.warning, "a", at: 150, message: "QoS 2") }
    lines.channel.logger.advance(to: 1_200)
    let text = lines.take()
    #expect(
      text.split(separator: "\n").map { $0.dropFirst(25) } == [
        "warn  a: garbage", "warn  a: QoS 2",
        "warn  a: more of the same of=garbage suppressed=49",
        "warn  a: more of the same of=\"QoS 2\" suppressed=1",
      ])
  }

  @Test("What was left out is told when its interval is over, also without another line")
  func settled() {
    var lines = Lines()
    for level in [LogLevel.info, .warning, .info] {
      lines.channel.logger.log(level, "a", at: 0)
      lines.channel.logger.log(.info, "b", at: 0)
    }
    lines.channel.logger.advance(to: 999)
    _ = lines.take()
    lines.channel.logger.advance(to: 1_000)
    let text = lines.take()
    #expect(
      text.split(separator: "\n").map { $0.dropFirst(25) } == [
        "warn  a: more of the same suppressed=2", "info  b: more of the same suppressed=2",
      ])
    lines.channel.logger.advance(to: 9_000)
    let nothing = lines.take()
    #expect(nothing == "")
  }

  @Test("Lines that are not limited all come; a clock set back silences nobody")
  func unlimited() {
    var lines = Lines()
    for _ in 0..<3 { lines.channel.logger.log(.info, "a", at: 5_000, repeats: .all) }
    lines.channel.logger.log(.info, "a", at: 5_000)
    lines.channel.logger.log(.info, "a", at: 4_000)
    let text = lines.take()
    #expect(text.split(separator: "\n").count == 5)
  }

  @Test("The table of events stays bounded, and forgets the oldest")
  func manyEvents() {
    var limit = RepeatLimit(intervalMilliseconds: 1_000)
    let events: [StaticString] = [
      "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l",
    ]
    let kinds = events.flatMap { event in events.map { (event: event, message: $0) } }
      .prefix(RepeatLimit.capacity + 1)
    for (index, kind) in kinds.enumerated() {
      let (event, message) = kind
      #expect(limit.admit(event, message, level: .info, at: UInt64(index)) == 0)
      #expect(limit.admit(event, message, level: .info, at: UInt64(index)) == nil)
    }
    #expect(limit.admit("a", "a", level: .info, at: 150) == 0)
    let (event, message) = kinds[RepeatLimit.capacity]
    #expect(limit.admit(event, message, level: .info, at: 150) == nil)
    var settled = 0
    while limit.takeSettled(at: 10_000) != nil { settled += 1 }
    #expect(settled == RepeatLimit.capacity - 1)
  }

  @Test("A full ring loses lines, counts them and tells")
  func drops() {
    var lines = Lines(capacity: 4)
    for number in 0..<10 {
      lines.channel.logger.log(.info, "a", at: 0, repeats: .all) { $0.add("n", number) }
    }
    let text = lines.take(at: 1_000)
    let shown = text.split(separator: "\n").map { $0.dropFirst(25) }
    #expect(shown.count == 5)
    #expect(shown.first == "info  a n=0")
    #expect(
      shown.last == "warn  log.dropped: lines were lost because the log's ring was full count=6")
    let count = lines.channel.source.droppedCount
    #expect(count == 6)
    let again = lines.take()
    #expect(again == "")
  }

  @Test("The writer is woken for a line and only for one")
  func doorbell() {
    var lines = Lines()
    let asleep = lines.channel.source.prepareToSleep()
    #expect(asleep)
    let idle = lines.channel.logger.needsWakeUp()
    #expect(!idle)
    lines.channel.logger.log(.info, "a", at: 0)
    let rings = lines.channel.logger.needsWakeUp()
    #expect(rings)
    let again = lines.channel.logger.needsWakeUp()
    #expect(!again)
    lines.channel.source.wakeUp()
    let sleepsOnLines = lines.channel.source.prepareToSleep()
    #expect(!sleepsOnLines)
  }

  @Test("Lines cross threads whole and in order", .timeLimit(.minutes(1)))
  func threads() {
    let channel = LogChannel(threshold: LogThreshold(), capacity: 64)
    let count = 20_000
    let box = LoggerBox(channel.logger)
    let thread = Thread {
      for number in 0..<count {
        box.logger.log(.info, "a", at: 0, repeats: .all) { $0.add("n", number) }
      }
    }
    var source = channel.source
    thread.start()
    var output = GrowableBytes()
    let drain = LogDrain(format: .text)
    while !thread.isFinished {
      _ = drain.drain(&source, into: &output, at: 0)
    }
    while drain.drain(&source, into: &output, at: 0) {}
    let text = output.bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    var next = 0
    var seen: UInt64 = 0
    for line in text.split(separator: "\n") where line.contains(" a n=") {
      let number = Int(line.split(separator: "=").last ?? "") ?? -1
      #expect(number >= next)
      next = number + 1
      seen += 1
    }
    #expect(seen + source.droppedCount == UInt64(count))
  }
}

/// Carries a logger to its thread.
private final class LoggerBox: @unchecked Sendable {
  var logger: Logger

  init(_ logger: consuming Logger) { self.logger = logger }
}
