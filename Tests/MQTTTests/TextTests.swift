import Testing

@testable import MQTT

@Suite("Strings [MQTT-1.5.4-1] [MQTT-1.5.4-2]")
struct TextTests {
  @Test(
    "Ill-formed sequences are invalid, at any place of a string",
    arguments: [
      "80", "BF", "C0 80", "C1 BF", "C2", "C2 41", "E0 9F BF", "E0 A0", "E1 80", "E1 80 41",
      "ED A0 80", "ED BF BF", "EE 80", "F0 8F BF BF", "F0 90 80", "F1 80 80 41", "F4 90 80 80",
      "F5 80 80 80", "FF", "00",
    ])
  func invalid(sequence: String) {
    for before in 0..<20 {
      for after in [0, 1, 8, 9] {
        let bytes =
          Array(repeating: UInt8(ascii: "a"), count: before) + hex(sequence)
          + Array(repeating: UInt8(ascii: "b"), count: after)
        #expect(bytes.textContent == .invalid, "\(bytes.hex)")
      }
    }
  }

  @Test(
    "Well-formed ones are fine, with the first and last of each length",
    arguments: [
      "", "7F", "C2 80", "DF BF", "E0 A0 80", "ED 9F BF", "EE 80 80", "EF BF BF", "EF BB BF",
      "F0 90 80 80", "F4 8F BF BF", "01", "22", "24", "2A", "2C",
    ])
  func valid(sequence: String) {
    for before in 0..<20 {
      for after in [0, 1, 8, 9] {
        let bytes =
          Array(repeating: UInt8(0x01), count: before) + hex(sequence)
          + Array(repeating: UInt8(0x7F), count: after)
        #expect(bytes.textContent == .plain, "\(bytes.hex)")
      }
    }
  }

  @Test("Wildcards are seen at any place")
  func wildcards() {
    for length in 1..<30 {
      for place in 0..<length {
        for wildcard in "+#".utf8 {
          var bytes = Array(repeating: UInt8(ascii: "/"), count: length)
          bytes[place] = wildcard
          #expect(bytes.textContent == .wildcards)
        }
      }
    }
  }

  @Test("A payload may have NUL, and is UTF-8 or not as the standard library says")
  func payloads() {
    let seed: UInt64 = 78
    var random = SeededRandom(seed: seed)
    let pieces = [
      "61", "62 63 64 65 66 67 68 69 6A", "00", "C3 A4", "E2 82 AC", "F0 9F 8C 8A", "80",
      "ED A0 80", "C3", "F4 90 80 80",
    ].map(hex)
    var validCount = 0
    for _ in 0..<20_000 {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 0...12, using: &random) {
        let limit = Bool.random(using: &random) ? 6 : pieces.count
        bytes += pieces[Int.random(in: 0..<limit, using: &random)]
      }
      let isValid = String(validating: bytes, as: UTF8.self) != nil
      if isValid { validCount += 1 }
      if bytes.span.bytes.isUTF8 != isValid { Issue.record("seed \(seed): \(bytes.hex)") }
    }
    #expect(validCount > 5_000 && validCount < 19_000)
    let isEmptyFine = RawSpan().isUTF8
    #expect(isEmptyFine)
  }

  @Test("It agrees with the standard library on random bytes")
  func random() {
    let seed: UInt64 = 77
    var random = SeededRandom(seed: seed)
    let pieces = [
      "61", "62 63", "C3 A4", "E2 82 AC", "F0 9F 8C 8A", "80", "ED A0", "C3", "E2 82", "2B", "00",
    ].map(hex)
    for _ in 0..<20_000 {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 0...12, using: &random) {
        // Mostly from the valid end of the list.
        let limit = Bool.random(using: &random) ? 5 : pieces.count
        bytes += pieces[Int.random(in: 0..<limit, using: &random)]
      }
      let isValid = String(validating: bytes, as: UTF8.self) != nil && !bytes.contains(0)
      let content = bytes.textContent
      if (content != .invalid) != isValid {
        Issue.record("seed \(seed): \(bytes.hex) is \(content)")
      }
      if isValid, (content == .wildcards) != bytes.contains(UInt8(ascii: "+")) {
        Issue.record("seed \(seed): \(bytes.hex) is \(content)")
      }
    }
  }
}

extension [UInt8] {
  fileprivate var textContent: TextContent { span.bytes.textContent() }
}
