import Testing

/// The rules of docs/style.md and docs/ARCHITECTURE.md, held against the tree as it is.
@Suite("The house rules hold")
struct HouseRulesTests {
  /// The product's Swift files with their tokens.
  private static let sources: [(path: String, module: String, tokens: SwiftTokens)] =
    SourceTree.files(under: "Sources", endingIn: ".swift").map { path in
      let text = (try? SourceTree.text(path)) ?? ""
      return (path, String(path.split(separator: "/")[1]), SwiftTokens(text))
    }

  private func expectNone(
    _ violations: [Violation], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for violation in violations {
      Issue.record("\(violation.description)", sourceLocation: sourceLocation)
    }
  }

  @Test("The tree was found and read")
  func treeIsRead() throws {
    #expect(SourceTree.exists("Package.swift"))
    #expect(Self.sources.count > 15)
    #expect(Self.sources.contains { $0.path == "Sources/danube-gateway/Main.swift" })
    #expect(SourceTree.files.contains("LICENSE"))
  }

  @Test("Modules import what the architecture lets them, and no Foundation")
  func importTable() throws {
    let rules = ImportRules(document: try SourceTree.text(ImportRules.documentPath))
    #expect(rules.table.count > 15, "the table's markers are gone, or its rows changed shape")
    expectNone(rules.check(folders: SourceTree.modules))
    for source in Self.sources {
      expectNone(rules.check(module: source.module, path: source.path, tokens: source.tokens))
    }
  }

  @Test("`unsafe` stands in the listed files and in no other")
  func unsafeOnlyWhereListed() throws {
    let lines = Self.sources.map { ($0.path, LanguageRules.unsafeLines(in: $0.tokens)) }
    let list = AllowList(try SourceTree.text(AllowList.path))
    expectNone(list.check(against: Dictionary(uniqueKeysWithValues: lines)))
  }

  @Test("No trap on input, no existential, no class hierarchy, no Swift concurrency in Sources")
  func forbiddenConstructs() {
    for source in Self.sources {
      expectNone(LanguageRules.forbidden(in: source.tokens, path: source.path))
    }
  }

  @Test(
    "Files, functions and lines keep their size", arguments: ["Sources", "Tests", "Benchmarks"])
  func sizes(folder: String) throws {
    for path in SourceTree.files(under: folder, endingIn: ".swift", ".h", ".c", ".cpp") {
      let text = try SourceTree.text(path)
      expectNone(SizeRules.files(source: text, path: path))
      if path.hasSuffix(".swift") {
        expectNone(SizeRules.functions(in: SwiftTokens(text), path: path))
      }
    }
  }

  @Test("No file names a place of one machine")
  func noPrivatePlaces() throws {
    for path in SourceTree.files {
      expectNone(TextRules.check(text: try SourceTree.text(path), path: path))
    }
  }

  @Test("Links between the pages lead somewhere")
  func linksLead() throws {
    for path in SourceTree.files where path.hasSuffix(".md") {
      let folder = path.split(separator: "/").dropLast().map { $0 + "/" }.joined()
      for link in TextRules.relativeLinks(in: try SourceTree.text(path)) {
        #expect(SourceTree.exists(folder + link.target), "\(path):\(link.line): \(link.target)")
      }
    }
  }
}
