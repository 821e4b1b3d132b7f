import Settings
import Testing

@Suite("TOML to a tree")
struct SettingsTreeTests {
  private func tree(_ text: String) throws(SettingsErrors) -> SettingsNode {
    try SettingsTree(parsing: Array(text.utf8), file: "f.toml").root
  }

  private func failure(_ bytes: [UInt8]) -> SettingsError? {
    do throws(SettingsErrors) {
      _ = try SettingsTree(parsing: bytes, file: "f.toml")
      return nil
    } catch {
      return error.errors.first
    }
  }

  @Test("Every kind of value arrives with its place")
  func valuesHavePlaces() throws {
    let root = try tree(
      """
      text = "a\\u0000b"
      [part]
        number = 0x10
        real = 1.5
          flag = true
      day = 2024-02-29
      list = [1, "é", [2]]
      inline = { b = 1, a = 2 }
      """)
    func at(_ line: Int, _ column: Int) -> SettingsPosition {
      SettingsPosition(line: line, column: column)
    }
    #expect(root["text"] == SettingsNode(.string("a\0b"), at: at(1, 8)))
    let part = try #require(root["part"])
    #expect(part.position == at(2, 1))
    #expect(part["number"] == SettingsNode(.integer(16), at: at(3, 12)))
    #expect(part["real"] == SettingsNode(.float(1.5), at: at(4, 10)))
    #expect(part["flag"] == SettingsNode(.boolean(true), at: at(5, 12)))
    #expect(part["day"] == SettingsNode(.dateOrTime, at: at(6, 7)))
    let list = try #require(part["list"]?.elements)
    #expect(list.map(\.position) == [at(7, 9), at(7, 12), at(7, 17)])
    #expect(list[2].elements == [SettingsNode(.integer(2), at: at(7, 18))])
    let inline = try #require(part["inline"]?.entries)
    #expect(inline.map(\.key) == ["b", "a"])
    #expect(inline.map(\.keyPosition) == [at(8, 12), at(8, 19)])
  }

  @Test("Arrays of tables keep their order, and each table the place of its header")
  func arraysOfTables() throws {
    let root = try tree("[[x]]\na = 1\n\n[[x]]\na = 2\n[x.y]\nz = 3\n")
    let elements = try #require(root["x"]?.elements)
    #expect(elements.map(\.position.line) == [1, 4])
    #expect(elements[1]["y"]?["z"]?.value == .integer(3))
  }

  @Test("An empty file and a file of comments are an empty table")
  func emptyFiles() throws {
    for text in ["", "\n", "# nothing", "\u{FEFF}", "\r\n"] {
      #expect(try tree(text).entries == [])
    }
  }

  static let badTexts: [(text: String, line: Int)] = [
    ("a = ", 1), ("a", 1), ("= 1", 1), ("a = 1\na = 2", 2), ("[a]\n[a]", 2), ("a = 1 b = 2", 1),
    ("\n\na = \"x", 3), ("a = 'x\n'", 1), ("a = 99999999999999999999", 1),
    ("a = 0x1ffffffffffffffff", 1),
    ("a = 1__0", 1), ("a = 01", 1), ("a = \"\\q\"", 1), ("a = \"\\uD800\"", 1),
    ("a = \"\\UFFFFFFFF\"", 1), ("a = [1, 2", 1), ("a = {b = 1", 1), ("a = {b = 1,\n}", 1),
    ("[.a]", 1), ("[a.]", 1), ("[a..b]", 1), ("[[a]\n", 1), ("[]", 1), ("é = 1", 1),
    ("a = é", 1), ("a = [\u{A1}]", 1), ("a =\u{A0}1", 1), ("\u{4FF} = 1", 1),
    ("a = [\u{2029}]", 1), ("a = [ \u{2C5F} ]", 1), ("a\0 = 1", 1), ("a = 1\0", 1), ("# \0", 1),
    ("a = \"\0\"", 1), ("a = \u{7F}", 1), ("a.b = 1\na = 2", 2), ("a = 1\n[a]", 2),
    ("a = 1979-02-30", 1), ("a = 1979-05-27T99:00:00Z", 1), ("a = .5", 1), ("a = _1", 1),
    ("a = \"\"\"\"\"\"\"\"\"", 1), ("a = '''''''''", 1), ("a\r = 1", 1), ("\"\"\"k\"\"\" = 1", 1),
  ]

  @Test("What is not TOML is one error with a place", arguments: badTexts)
  func badTextIsAnError(_ bad: (text: String, line: Int)) throws {
    let error = try #require(failure(Array(bad.text.utf8)), "\(bad.text)")
    #expect(error.position.line == bad.line, "\(bad.text.debugDescription): \(error)")
    #expect(error.position.column >= 1)
    #expect(!error.message.isEmpty && error.keyPath.isEmpty)
    #expect(error.message.unicodeScalars.allSatisfy { $0.value >= 0x20 })
  }

  @Test("Invalid UTF-8 is an error with a place")
  func invalidUTF8() throws {
    let sequences: [[UInt8]] = [
      [0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
      [0xE2, 0x82], [0xFE, 0xFF], [0x80],
    ]
    for sequence in sequences {
      for (before, after) in [("a = \"", "\""), ("", " = 1"), ("# ", "\n"), ("a = 1\n", "")] {
        let error = failure(Array(before.utf8) + sequence + Array(after.utf8))
        #expect(error != nil, "\(sequence) in \(before)")
      }
    }
  }

  @Test("Deep nesting, many dots and large files are errors, not a stack overflow")
  func limitsOfDepth() throws {
    let deepKey = Array(repeating: "k", count: 256).joined(separator: ".")
    var nested = "1"
    for _ in 0..<14 { nested = "[\n{\(deepKey) = \(nested)}]" }
    let bad = [
      "a = " + String(repeating: "[", count: 100_000),
      "a = " + String(repeating: "{a=", count: 100_000),
      "[" + Array(repeating: "k", count: 400_000).joined(separator: ".") + "]",
      Array(repeating: "k", count: 400_000).joined(separator: ".") + " = 1",
      "[\(deepKey)]\n\(deepKey) = \(nested)\n",
      "[\(Array(repeating: "k", count: 80).joined(separator: "."))]",
      "#" + String(repeating: "x", count: 1 << 20),
    ]
    for text in bad {
      #expect(failure(Array(text.utf8)) != nil, "\(text.prefix(40))")
    }
    let fine = "[\(Array(repeating: "k", count: 60).joined(separator: "."))]\n#"
    #expect(failure(Array(fine.utf8)) == nil)
    #expect(failure(Array("a = [[[[[[[[[[[[1]]]]]]]]]]]]".utf8)) == nil)
  }

  @Test("Many tables and many keys are read in order")
  func manyKeys() throws {
    let text = (0..<5000).map { "key\($0) = \($0)\n" }.joined()
    let entries = try #require(try tree(text).entries)
    #expect(entries.map(\.key) == (0..<5000).map { "key\($0)" })
    #expect(entries[4999].keyPosition == SettingsPosition(line: 5000, column: 1))
  }
}
