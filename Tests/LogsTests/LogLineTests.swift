import Bytes
import Foundation
import Testing

@testable import Logs

/// A channel, its drain and what came out.
struct Lines: ~Copyable {
  var channel: LogChannel
  let drain: LogDrain

  init(
    _ format: LogDrain.Format = .text, threshold: LogThreshold = LogThreshold(.debug),
    capacity: Int = 64, marksPriority: Bool = false
  ) {
    channel = LogChannel(
      threshold: threshold, capacity: capacity, repeatIntervalMilliseconds: 1_000)
    drain = LogDrain(format: format, marksPriority: marksPriority)
  }

  /// Everything written since the last call.
  mutating func take(at unixMilliseconds: UInt64 = 0) -> String {
    var output = GrowableBytes()
    while drain.drain(&channel.source, into: &output, at: unixMilliseconds, limit: 7) {}
    return output.bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
  }
}

@Suite("Log lines")
struct LogLineTests {
  /// 2026-11-21T10:00:00.123Z
  private let time: UInt64 = 1_795_255_200_123

  @Test("A line of text names time, level, event, message and fields")
  func text() {
    var lines = Lines()
    lines.channel.logger.log(.info, "mqtt.listener", at: time) { fields in
      fields.add("address", "127.0.0.1:1883")
      fields.add("connections", 12)
      fields.add("open", true)
    }
    lines.channel.logger.log(.warning, "mqtt.closed", at: time, message: "keep alive ran out")
    let text = lines.take()
    #expect(
      text == """
        2026-11-21T10:00:00.123Z info  mqtt.listener address=127.0.0.1:1883 connections=12 open=true
        2026-11-21T10:00:00.123Z warn  mqtt.closed: keep alive ran out

        """)
  }

  @Test("A line of JSON is one object")
  func json() {
    var lines = Lines(.json)
    lines.channel.logger.log(.error, "danube.away", at: time, message: "refused") { fields in
      fields.add("topic", "/default/\"a\"\n\\\u{1}é")
      fields.add("attempt", -3)
      fields.add("retry", false)
    }
    let text = lines.take()
    #expect(
      text == #"{"time":"2026-11-21T10:00:00.123Z","level":"error","event":"danube.away","#
        + #""message":"refused","topic":"/default/\"a\"\n\\\u0001é","attempt":-3,"retry":false}"#
        + "\n")
  }

  @Test(
    "Values that are no plain word are quoted; nothing ends a line or commands a terminal",
    arguments: [
      ("plain/é-1", "plain/é-1"), ("", #""""#), ("a b", #""a b""#), ("a=b", #""a=b""#),
      ("a\"b", #""a\"b""#), ("a\\b", #""a\\b""#), ("a\r\nb\tc", #""a\r\nb\tc""#),
      ("\u{1b}[31m", #""\u001b[31m""#), ("\u{9b}x", #""\u009bx""#), ("\u{202e}x", #""\u202ex""#),
      ("\u{7f}", #""\u007f""#), ("🦢", "🦢"),
    ])
  func escapes(value: String, shown: String) {
    var lines = Lines()
    lines.channel.logger.log(.info, "e", at: 0) { $0.add("v", value) }
    let text = lines.take()
    #expect(text == "1970-01-01T00:00:00.000Z info  e v=\(shown)\n")
  }

  @Test("Bytes that are no UTF-8 are replaced")
  func invalidText() {
    var lines = Lines()
    lines.channel.logger.log(.info, "e", at: 0) { fields in
      ([0x61, 0xff, 0x62] as [UInt8]).withUnsafeBytes { fields.add("v", $0.bytes) }
    }
    let text = lines.take()
    #expect(text.hasSuffix(" v=a\u{fffd}b\n"))
  }

  @Test("Whatever bytes a device sends, a line is one line of ASCII-safe JSON that others can read")
  func anyBytes() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var state = seed
    func random(_ limit: UInt64) -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (state >> 33) % limit
    }
    var values = (0...255).map { [UInt8($0), 0x61, UInt8($0)] }
    for _ in 0..<300 { values.append((0..<random(250)).map { _ in UInt8(random(256)) }) }
    for value in values {
      var lines = Lines(.json)
      lines.channel.logger.log(.info, "e", at: 0) { fields in
        value.withUnsafeBytes { fields.add("v", $0.bytes) }
        fields.add("n", 7)
      }
      let text = lines.take()
      #expect(text.utf8.filter { $0 == 0x0a }.count == 1 && text.hasSuffix("}\n"), "seed \(seed)")
      #expect(text.utf8.allSatisfy { $0 >= 0x20 || $0 == 0x0a }, "seed \(seed)")
      let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
      let shown = try #require(object?["v"] as? String, "seed \(seed)")
      #expect(object?["n"] as? Int == 7)
      let expected = String(decoding: value, as: UTF8.self)
      if value.count <= 192 { #expect(shown == expected, "seed \(seed)") }
    }
  }

  @Test("Lines for the journal begin with their priority")
  func priority() {
    for (level, mark) in [(LogLevel.debug, 7), (.info, 6), (.warning, 4), (.error, 3)] {
      for format in [LogDrain.Format.text, .json] {
        var lines = Lines(format, marksPriority: true)
        lines.channel.logger.log(level, "e", at: 0)
        let text = lines.take()
        #expect(text.hasPrefix(format == .text ? "<\(mark)>1970-" : "<\(mark)>{\"time\":"))
      }
    }
    #expect(JournalStream.matches("8:4711", device: 8, inode: 4711))
    for other in ["", "8:471", "8:47110", "08:4711", "8", "4711:8"] {
      #expect(!JournalStream.matches(other, device: 8, inode: 4711))
    }
  }

  @Test("Levels are known by the names that people use")
  func levelNames() {
    for (name, level) in [
      ("debug", LogLevel.debug), ("TRACE", .debug), ("Info", .info), ("warn", .warning),
      ("WARNING", .warning), ("error", .error),
    ] {
      #expect(LogLevel(named: name) == level)
      #expect(LogLevel(named: "\(level.word)") == level)
    }
    for name in ["", "off", "info ", "err"] { #expect(LogLevel(named: name) == nil) }
  }

  @Test("A long value is cut at a character and ends in an ellipsis")
  func longValues() {
    for unit in ["x", "é", "€", "🦢"] {
      for padding in 0..<5 {
        let value =
          String(repeating: "a", count: padding) + String(repeating: unit, count: 200)
        var lines = Lines()
        lines.channel.logger.log(.info, "e", at: 0) { $0.add("v", value) }
        let text = lines.take()
        let shown = text.dropFirst("1970-01-01T00:00:00.000Z info  e v=".count).dropLast()
        #expect(shown.hasSuffix("…"))
        #expect(value.hasPrefix(shown.dropLast()))
        #expect((189...192).contains(shown.utf8.count))
      }
    }
    var lines = Lines()
    let fits = String(repeating: "x", count: 192)
    lines.channel.logger.log(.info, "e", at: 0) { $0.add("v", fits) }
    let text = lines.take()
    #expect(text.hasSuffix("=\(fits)\n"))
  }

  @Test("Fields without room are cut or left out, and the line says so; numbers are never cut")
  func fullLine() {
    for format in [LogDrain.Format.text, .json] {
      var lines = Lines(format)
      lines.channel.logger.log(.info, "e", at: 0) { fields in
        for _ in 0..<4 { fields.add("text", String(repeating: "x", count: 192)) }
        for _ in 0..<40 { fields.add("number", 1_234_567_890_123) }
      }
      let text = lines.take()
      #expect(text.hasSuffix(format == .text ? " …\n" : ",\"cut\":true}\n"))
      let count = text.ranges(of: "number").count
      #expect(text.ranges(of: "1234567890123").count == count)
    }
  }

  @Test("A record is 512 bytes")
  func recordSize() {
    #expect(MemoryLayout<LogRecord>.stride == 512)
  }

  @Test(
    "Times are those of the calendar",
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (951_782_399_999, "2000-02-28T23:59:59.999Z"),
      (951_782_400_000, "2000-02-29T00:00:00.000Z"), (951_868_800_000, "2000-03-01T00:00:00.000Z"),
      (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
      (1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
      (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
      (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
      (.max, "9999-12-31T23:59:59.999Z"),
    ] as [(UInt64, String)])
  func times(unixMilliseconds: UInt64, text: String) {
    #expect(UTCTime(unixMilliseconds: unixMilliseconds).text == text)
  }
}
