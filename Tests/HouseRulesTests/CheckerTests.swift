import Testing

/// A rule that cannot fail proves nothing: each checker is shown sources that break it.
@Suite("The checkers of the house rules see violations")
struct CheckerTests {
  private static let document = """
    | `Outside` | ignored | `Everything` |
    <!-- modules:begin -->
    | module | responsibility | may use |
    |---|---|---|
    | `Bytes` | Bytes | – |
    | `CLinux`, `CTOML` | Doors | – |
    | `Records` | Records | `Bytes`, `Metrics` |
    | `Uring` | The kernel | `CLinux` |
    <!-- modules:end -->
    | `After` | ignored | `Everything` |
    """

  private func messages(_ source: String) -> [String] {
    LanguageRules.forbidden(in: SwiftTokens(source), path: "X.swift").map(\.message)
  }

  @Test("Comments and strings are no code, interpolations are")
  func tokens() {
    let source = ##"""
      let a = "unsafe \(unsafe f("x)")) \" unsafe" // unsafe
      /* unsafe /* nested */ unsafe */ let b = #"unsafe \( " \#(g()) "#
      let c = """
        unsafe " \(h) {
        """
      """##
    let texts = SwiftTokens(source).tokens.map(\.text)
    #expect(
      texts == [
        "let", "a", "=", "unsafe", "f", "(", ")", "let", "b", "=", "g", "(", ")", "let", "c", "=",
        "h",
      ])
    #expect(SwiftTokens(source).tokens.last?.line == 4)
  }

  @Test("Unfinished sources end the scan", arguments: ["\"", "/*", "\"\"\"", "#\"\\#(", "\\", "`"])
  func unfinished(source: String) {
    #expect(SwiftTokens(source).tokens.count <= 2)
  }

  @Test(
    "A forbidden construct is seen",
    arguments: [
      "let x = try! f()", "fatalError(\"x\")", "func f(_ x: any Shape)", "let x: [any (A & B)]",
      "func f(_ x: borrowing any ~Copyable)", "Task { f() }", "Task.detached { }",
      "Task<Void, Never> { }", "func f() async {}", "let x = await f()", "actor Store {}",
      "class Base {}", "public class Base {}",
    ])
  func forbidden(source: String) {
    #expect(messages(source).count == 1, "\(messages(source))")
  }

  @Test(
    "What only looks forbidden passes",
    arguments: [
      "let x = try f()", "let x = try? f()", "// fatalError( in a comment", "mode = .async",
      "f(any: 1)", "final class Shared {}", "import class A.B", "let fatalErrorCount = 1",
      "let text = \"any Shape, try! it\"", "protocol P: AnyObject {}", "enum Task: UInt8 {}",
    ])
  func allowed(source: String) {
    #expect(messages(source).isEmpty, "\(messages(source))")
  }

  @Test("`unsafe` in every spelling is found with its line")
  func unsafeLines() {
    let source = """
      let a = unsafe p.pointee
      // unsafe
      @unsafe struct A { nonisolated(unsafe) var b = withUnsafeBytes }
      final class C: @unchecked Sendable {}
      """
    #expect(LanguageRules.unsafeLines(in: SwiftTokens(source)) == [1, 3, 3, 4])
  }

  @Test("The allow list answers for missing, stale, doubled and unsorted entries")
  func allowList() {
    let found = ["Sources/A/A.swift": [3], "Sources/B/B.swift": [], "Sources/C/C.swift": [1]]
    let good = AllowList("# why\nSources/A/A.swift\n\nSources/C/C.swift\n")
    #expect(good.check(against: found).isEmpty)

    let missing = AllowList("Sources/A/A.swift\n").check(against: found)
    #expect(missing.map(\.path) == ["Sources/C/C.swift"])
    #expect(missing.map(\.line) == [1])

    let stale = "Sources/A/A.swift\nSources/B/B.swift\nSources/C/C.swift\nSources/D/D.swift\n"
    let messages = AllowList(stale).check(against: found).map(\.message)
    #expect(
      messages == [
        "Sources/B/B.swift uses no `unsafe`: remove the entry",
        "Sources/D/D.swift uses no `unsafe`: remove the entry",
      ])

    #expect(AllowList("Sources/C/C.swift\nSources/A/A.swift\n").check(against: found).count == 1)
    let doubled = "Sources/A/A.swift\nSources/A/A.swift\nSources/C/C.swift\n"
    #expect(AllowList(doubled).check(against: found).count == 1)
  }

  @Test("The table is read between its markers, a row for several modules too")
  func table() {
    let table = ImportRules(document: Self.document).table
    #expect(
      table == [
        "Bytes": [], "CLinux": [], "CTOML": [], "Records": ["Bytes", "Metrics"],
        "Uring": ["CLinux"],
      ])
  }

  @Test(
    "An import outside the table is seen",
    arguments: [
      ("Records", "import Uring"), ("Bytes", "public import Records"), ("Bytes", "import Glibc"),
      ("Uring", "import Foundation"), ("Uring", "internal import FoundationEssentials"),
      ("Uring", "import Dispatch"), ("Records", "@preconcurrency import Metal"),
      ("Records", "import struct Uring.Ring"), ("Unknown", "import Bytes"),
    ])
  func importOutsideTable(module: String, source: String) {
    let rules = ImportRules(document: Self.document)
    let violations = rules.check(module: module, path: "X.swift", tokens: SwiftTokens(source))
    #expect(violations.count == 1)
  }

  @Test(
    "An import inside the table passes",
    arguments: [
      ("Records", "package import Bytes\n@_exported public import Metrics"),
      ("Uring", "import CLinux\nimport Glibc"), ("Bytes", "import Synchronization"),
      ("Bytes", "// import Foundation"), ("Records", "import struct Bytes.Reader"),
    ])
  func importInsideTable(module: String, source: String) {
    let rules = ImportRules(document: Self.document)
    #expect(rules.check(module: module, path: "X.swift", tokens: SwiftTokens(source)).isEmpty)
  }

  @Test("A module without a row and a row without a module are seen")
  func folders() {
    let rules = ImportRules(document: Self.document)
    #expect(rules.check(folders: ["Bytes", "CLinux", "CTOML", "Records", "Uring"]).isEmpty)
    let messages = rules.check(folders: ["Bytes", "CLinux", "CTOML", "Records", "New"])
    #expect(
      messages.map(\.message) == [
        "Sources/New has no row in the table", "Uring is no folder of Sources",
      ])
  }

  @Test("Long files and long lines are seen at their first excess")
  func fileSizes() {
    func violations(_ source: String) -> [Violation] {
      SizeRules.files(source: source, path: "X.swift")
    }
    #expect(violations(String(repeating: "x\n", count: 400)).isEmpty)
    #expect(violations(String(repeating: "x\n", count: 401)).map(\.line) == [0])
    #expect(violations("\n" + String(repeating: "é", count: 100)).isEmpty)
    #expect(violations("\n" + String(repeating: "é", count: 101)).map(\.line) == [2])
  }

  @Test("Bodies are measured from their declaration to their closing brace")
  func functionLengths() {
    let source = """
      struct S {
        var stored = { 1 }()
        var computed: Int {
          1
        }
        init?(a: Int = { 3 }()) {
          self.init(b: a)
        }
        func f<T>(
          x: T, g: () -> Void = {}
        ) throws(E) -> [T] where T: P {
          func inner() {}
          if x { }
        }
        subscript(i: Int) -> Int { i }
        deinit {}
      }
      protocol P { func required(); init(x: Int); var v: Int { get } }
      """
    let found = SizeRules.functionLengths(in: SwiftTokens(source))
    #expect(
      found.map { "\($0.name) \($0.line) \($0.lines)" } == [
        "computed 3 3", "init 6 3", "f 9 6", "inner 12 1", "subscript 15 1", "deinit 16 1",
        "v 18 1",
      ])
  }

  @Test("A function of 70 lines passes, one of 71 does not")
  func longFunction() {
    func source(_ lines: Int) -> String {
      "func f() {\n" + String(repeating: "  g()\n", count: lines - 2) + "}\n"
    }
    #expect(SizeRules.functions(in: SwiftTokens(source(70)), path: "X.swift").isEmpty)
    let long = SizeRules.functions(in: SwiftTokens(source(71)), path: "X.swift")
    #expect(long.map(\.message) == ["`f` has 71 lines, at most 70"])
  }

  @Test("A place of one machine is seen", arguments: TextRules.privatePlaces)
  func privatePlace(place: String) {
    let violations = TextRules.check(text: "fine\nsee \(place)x", path: "README.md")
    #expect(violations.map(\.line) == [2])
    #expect(TextRules.check(text: "/workshop, shared/, tmp/team", path: "README.md").isEmpty)
  }

  @Test("Relative links are found, others are left alone")
  func links() {
    let page = "[a](docs/a.md#part) ![b](b.png)\n[c](https://example.org) [d](#here)\n[e](../e)"
    let links = TextRules.relativeLinks(in: page)
    #expect(links.map(\.target) == ["docs/a.md", "b.png", "../e"])
    #expect(links.map(\.line) == [1, 1, 3])
  }
}
