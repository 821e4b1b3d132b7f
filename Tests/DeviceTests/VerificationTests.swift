import Testing

@testable import danube_device

@Suite("Whether all that was acknowledged arrived")
struct VerificationTests {
  private func verdict(manifest: [String], received: [String]) -> Verification.Verdict {
    var verification = Verification()
    for line in manifest {
      let isTaken = verification.takeManifestLine(Array(line.utf8))
      #expect(isTaken, "\(line)")
    }
    for line in received { verification.takeReceivedLine(Array(line.utf8)) }
    return verification.verdict()
  }

  /// A record as `danube-gateway tail --json` prints it.
  private func record(_ device: String, _ sequence: Int) -> String {
    "{\"topic\":\"/default/t\",\"offset\":7,\"publish_time_ms\":1,\"key\":\"k\",\"producer\":\"p\","
      + "\"payload\":\"{\\\"device\\\":\\\"\(device)\\\",\\\"sequence\\\":\(sequence),"
      + "\\\"temperature\\\":21.5}\",\"attributes\":{\"device\":\"other\"}}"
  }

  @Test("Everything once and in order is no fault")
  func good() {
    let verdict = verdict(
      manifest: ["a-1 1", "a-1 2", "b-1 1"],
      received: [record("a-1", 1), record("b-1", 1), record("a-1", 2)])
    #expect(verdict == Verification.Verdict(acknowledged: 3, arrived: 3))
    #expect(verdict.faults(VerifyOptions(isOrdered: true)).isEmpty)
    #expect(verdict.text([]).contains("OK"))
  }

  @Test("A lost message is a fault, and named")
  func lost() {
    let verdict = verdict(manifest: ["a-1 1", "a-1 2"], received: [record("a-1", 1)])
    #expect(verdict.missing == 1 && verdict.examples == ["a-1 2 is missing"])
    let faults = verdict.faults(VerifyOptions(allowsDuplicates: true))
    #expect(faults.count == 1)
    #expect(verdict.text(faults).contains("FAILED: 1 of 2 acknowledged are missing"))
  }

  @Test("A message that came twice is a fault unless that is allowed")
  func duplicated() {
    let verdict = verdict(
      manifest: ["a-1 1"], received: [record("a-1", 1), record("a-1", 1), record("a-1", 1)])
    #expect(verdict.duplicated == 2 && verdict.missing == 0 && verdict.disordered == 0)
    #expect(verdict.faults(VerifyOptions()).count == 1)
    #expect(verdict.faults(VerifyOptions(allowsDuplicates: true)).isEmpty)
  }

  @Test("Another order is a fault where order is asked for, within a device only")
  func disordered() {
    let verdict = verdict(
      manifest: ["a-1 1", "a-1 2", "b-1 1"],
      received: [record("a-1", 2), record("b-1", 1), record("a-1", 1), record("a-1", 2)])
    #expect(verdict.disordered == 1 && verdict.duplicated == 1)
    #expect(verdict.faults(VerifyOptions(allowsDuplicates: true)).isEmpty)
    #expect(verdict.faults(VerifyOptions(allowsDuplicates: true, isOrdered: true)).count == 1)
  }

  @Test("What arrived without an acknowledgement is allowed: its answer may have been lost")
  func unacknowledged() {
    let verdict = verdict(manifest: ["a-1 1"], received: [record("a-1", 1), record("a-1", 2)])
    #expect(verdict.unacknowledged == 1 && verdict.arrived == 2)
    #expect(verdict.faults(VerifyOptions(isOrdered: true)).isEmpty)
  }

  @Test("Nothing acknowledged proves nothing")
  func nothing() {
    #expect(verdict(manifest: [], received: []).faults(VerifyOptions()).count == 1)
    #expect(verdict(manifest: [], received: [record("a", 1)]).faults(VerifyOptions()).count == 1)
  }

  @Test("Bare readings count as well, other lines are foreign")
  func lines() {
    let reading = SensorReading(device: "a-1", sequence: 3, unixMilliseconds: 0)
    let verdict = verdict(
      manifest: ["a-1 3"],
      received: [
        String(decoding: reading.payload(minimumByteCount: 300), as: UTF8.self), "", "21.5",
        "{\"payload\":\"21.5\"}", "{\"payload_hex\":\"ff\"}", "{\"device\":1,\"sequence\":2}",
        "{\"device\":\"a\",\"sequence\":1.5}", "{\"device\":\"a-1\",\"sequence\":3",
      ])
    #expect(verdict.arrived == 1 && verdict.foreign == 7 && verdict.missing == 0)
  }

  @Test(
    "A manifest with another line is not used", arguments: ["", "a", "a 0", "a b", " 1", "a 1 2"])
  func manifest(line: String) {
    var verification = Verification()
    let isTaken = verification.takeManifestLine(Array(line.utf8))
    #expect(!isTaken)
  }
}

@Suite("What devices send, and how JSON is read back")
struct SensorReadingTests {
  @Test("A payload is JSON with device, sequence and time, and has the size asked for")
  func payload() throws {
    for size in [0, 1, 100, 150, 1_000] {
      for sequence in [1, 99, 1_000_000] {
        let reading = SensorReading(
          device: "hall-7", sequence: sequence, unixMilliseconds: 1_763_719_200_123)
        let payload = reading.payload(minimumByteCount: size)
        let members = try #require(JSONScanner.object(payload))
        #expect(members["device"] == .text("hall-7"))
        #expect(members["sequence"] == .number("\(sequence)"))
        #expect(members["time"] == .text("2025-11-21T10:00:00.123Z"))
        let natural = reading.payload(minimumByteCount: 0).count
        if size > natural + 13 { #expect(payload.count == size) }
        #expect(payload.count >= size && payload.count <= max(size, natural + 13))
        guard case .number(let text) = members["temperature"] else {
          Issue.record("no temperature")
          continue
        }
        let temperature = try #require(Double(text))
        #expect(temperature >= 18 && temperature <= 24)
      }
    }
  }

  @Test(
    "Times are those of the calendar",
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (951_782_399_999, "2000-02-28T23:59:59.999Z"),
      (951_782_400_000, "2000-02-29T00:00:00.000Z"), (951_868_800_000, "2000-03-01T00:00:00.000Z"),
      (1_735_689_599_000, "2024-12-31T23:59:59.000Z"),
      (4_107_542_400_001, "2100-03-01T00:00:00.001Z"),
    ] as [(UInt64, String)])
  func times(milliseconds: UInt64, text: String) {
    #expect(SensorReading.timeText(milliseconds) == text)
  }

  @Test("Texts, numbers and everything else are read")
  func json() {
    let text = """
       { "a" : "x\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00é" , "b":-1.5e3,"c":[1,{"a":2},[]],
      "d":{"e":{}},"f":true,"g":false,"h":null,"a2":"","b":7 }\n
      """
    #expect(
      JSONScanner.object(Array(text.utf8)) == [
        "a": .text("x\"\\/\u{8}\u{c}\n\r\té😀é"), "b": .number("7"), "c": .other, "d": .other,
        "f": .other, "g": .other, "h": .other, "a2": .text(""),
      ])
    #expect(JSONScanner.object(Array("{}".utf8)) == [:])
  }

  @Test(
    "What is not one JSON object gives nothing",
    arguments: [
      "", "{", "}", "[]", "1", "\"a\"", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1 \"b\":2}",
      "{\"a\":tru}", "{\"a\":\"x}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\uD83D\"}",
      "{\"a\":\"\\uD83D\\u0041\"}", "{\"a\":\"\\uDE00\"}", "{\"a\":\"\u{1}\"}", "{\"a\":1}x",
      "{\"a\":[1,]}", "{\"a\":[1", "{a:1}",
    ])
  func notJSON(text: String) {
    #expect(JSONScanner.object(Array(text.utf8)) == nil)
  }

  @Test("Nesting has a limit")
  func depth() {
    for opening in ["[", "{\"a\":"] {
      let text = "{\"a\":" + String(repeating: opening, count: 100_000)
      #expect(JSONScanner.object(Array(text.utf8)) == nil)
    }
  }

  @Test("Whatever is cut off or flipped is read without a trap")
  func damage() {
    let whole = SensorReading(device: "a", sequence: 1, unixMilliseconds: 0)
      .payload(minimumByteCount: 200)
    for length in 0..<whole.count { #expect(JSONScanner.object(Array(whole[..<length])) == nil) }
    for index in whole.indices {
      for bit in 0..<8 {
        var damaged = whole
        damaged[index] ^= 1 << UInt8(bit)
        _ = JSONScanner.object(damaged)
      }
    }
  }
}
