/// How large a file, a function and a line may be.
enum SizeRules {
  static let maximumFileLines = 400
  static let maximumFunctionLines = 70
  static let maximumColumns = 100

  /// Files and lines that are too long; for Swift and C alike.
  static func files(source: String, path: String) -> [Violation] {
    var lines = source.split(separator: "\n", omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    var violations: [Violation] = []
    if lines.count > maximumFileLines {
      let message = "\(lines.count) lines, at most \(maximumFileLines): split by topic"
      violations.append(Violation(path: path, line: 0, message: message))
    }
    // A line of at most that many bytes has no more characters; counting those is slow.
    for (index, text) in lines.enumerated()
    where text.utf8.count > maximumColumns && text.count > maximumColumns {
      let message = "\(text.count) columns, at most \(maximumColumns)"
      violations.append(Violation(path: path, line: index + 1, message: message))
    }
    return violations
  }

  /// Functions, initialisers, subscripts and computed properties that do not fit a screen.
  static func functions(in tokens: SwiftTokens, path: String) -> [Violation] {
    functionLengths(in: tokens).filter { $0.lines > maximumFunctionLines }.map {
      let message = "`\($0.name)` has \($0.lines) lines, at most \(maximumFunctionLines)"
      return Violation(path: path, line: $0.line, message: message)
    }
  }

  /// Every body with the line of its declaration and its length up to the closing brace.
  static func functionLengths(
    in tokens: SwiftTokens
  ) -> [(name: String, line: Int, lines: Int)] {
    tokens.tokens.indices.compactMap { index in
      guard let name = declaredName(at: index, in: tokens),
        let open = bodyStart(after: index, in: tokens),
        let close = closingBrace(of: open, in: tokens)
      else { return nil }
      let first = tokens.tokens[index].line
      return (name, first, tokens.tokens[close].line - first + 1)
    }
  }

  private static func declaredName(at index: Int, in tokens: SwiftTokens) -> String? {
    let previous = tokens.text(index - 1)
    let next = tokens.text(index + 1)
    guard previous != ".", previous != "`" else { return nil }
    switch tokens.text(index) {
    case "func", "var": return next
    case "init" where ["(", "?", "<"].contains(next): return "init"
    case "deinit" where next == "{": return "deinit"
    case "subscript" where next == "(" || next == "<": return "subscript"
    default: return nil
    }
  }

  /// The `{` of the body, or nil for a declaration without one (a protocol's, a stored property).
  private static func bodyStart(after index: Int, in tokens: SwiftTokens) -> Int? {
    let isVariable = tokens.text(index) == "var"
    var depth = 0
    for candidate in (index + 1)..<tokens.tokens.count {
      switch tokens.text(candidate) {
      case "(", "[": depth += 1
      case ")", "]":
        depth -= 1
        if depth < 0 { return nil }
      case "{" where depth == 0: return candidate
      case "}" where depth == 0: return nil
      // A stored property has no body of its own; its initial value may hold any brace.
      case "=" where isVariable && depth == 0: return nil
      case let text where depth == 0 && startsDeclaration(text): return nil
      default: continue
      }
    }
    return nil
  }

  private static func startsDeclaration(_ text: String) -> Bool {
    switch text {
    case "func", "var", "let", "case", "struct", "enum", "extension", "typealias", "deinit",
      "subscript", "guard", "if", "for", "while", "return", "switch":
      true
    default: false
    }
  }

  private static func closingBrace(of open: Int, in tokens: SwiftTokens) -> Int? {
    var depth = 0
    for index in open..<tokens.tokens.count {
      if tokens.text(index) == "{" { depth += 1 }
      if tokens.text(index) == "}" {
        depth -= 1
        if depth == 0 { return index }
      }
    }
    return nil
  }
}
