/// Which module may import which: the table of docs/ARCHITECTURE.md, enforced.
struct ImportRules {
  static let documentPath = "docs/ARCHITECTURE.md"

  /// Module → the modules of this package it may import.
  let table: [String: Set<String>]

  /// Reads the rows ``| `Module` | what it does | `A`, `B` |`` between the two markers of the page.
  init(document: String) {
    var table: [String: Set<String>] = [:]
    var isInside = false
    for line in document.split(separator: "\n") {
      if line.contains("<!-- modules:begin -->") { isInside = true }
      if line.contains("<!-- modules:end -->") { isInside = false }
      let cells = line.split(separator: "|", omittingEmptySubsequences: false)
      guard isInside, cells.count == 5 else { continue }
      let mayUse = Set(Self.quoted(cells[3]))
      for module in Self.quoted(cells[1]) { table[module] = mayUse }
    }
    self.table = table
  }

  /// What `module` imports against what the table lets it import.
  func check(module: String, path: String, tokens: SwiftTokens) -> [Violation] {
    guard let mayUse = table[module] else {
      return [
        Violation(
          path: path, line: 0, message: "\(module) has no row in \(Self.documentPath): add one")
      ]
    }
    return Self.imports(in: tokens).compactMap { name, line in
      guard !mayUse.contains(name), !Self.isPlatform(name, allowedIn: module) else { return nil }
      return Violation(path: path, line: line, message: Self.message(module, name))
    }
  }

  /// The folders of `Sources` and the rows of the table name the same modules.
  func check(folders: [String]) -> [Violation] {
    let undocumented = Set(folders).subtracting(table.keys).sorted()
    let gone = Set(table.keys).subtracting(folders).sorted()
    return undocumented.map {
      Violation(path: Self.documentPath, line: 0, message: "Sources/\($0) has no row in the table")
    }
      + gone.map {
        Violation(path: Self.documentPath, line: 0, message: "\($0) is no folder of Sources")
      }
  }

  /// Module names after `import`, with any attribute, access level or kind of symbol before them.
  static func imports(in tokens: SwiftTokens) -> [(name: String, line: Int)] {
    let kinds: Set = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
    return tokens.tokens.indices.compactMap { index in
      guard tokens.text(index) == "import", tokens.text(index - 1) != "`" else { return nil }
      let isKind = kinds.contains(tokens.text(index + 1))
      return (tokens.text(index + (isKind ? 2 : 1)), tokens.tokens[index].line)
    }
  }

  /// Modules of the toolchain. Only what makes system calls sees the C library.
  private static func isPlatform(_ name: String, allowedIn module: String) -> Bool {
    switch name {
    case "Swift", "Synchronization": true
    case "Glibc": ["Uring", "danube-gateway", "danube-device"].contains(module)
    default: false
    }
  }

  private static func message(_ module: String, _ name: String) -> String {
    if name.hasPrefix("Foundation") { return "Foundation costs 8 to 12 MB: none of it in Sources" }
    if name == "Dispatch" { return "no Dispatch: the loops own their threads" }
    return "\(module) may not import \(name) (see the table in \(documentPath))"
  }

  private static func quoted(_ cell: Substring) -> [String] {
    cell.split(separator: "`", omittingEmptySubsequences: false).enumerated()
      .compactMap { $0.offset % 2 == 1 ? String($0.element) : nil }
  }
}
