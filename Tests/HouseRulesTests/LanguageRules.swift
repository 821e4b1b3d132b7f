/// What the product's code does not do, whatever the module.
enum LanguageRules {
  /// The lines of `tokens` that use the keyword `unsafe` or switch a check off (`@unchecked`).
  static func unsafeLines(in tokens: SwiftTokens) -> [Int] {
    tokens.tokens.filter { $0.text == "unsafe" || $0.text == "unchecked" }
      .map(\.line)
  }

  /// Constructs that are forbidden everywhere in `Sources`.
  static func forbidden(in tokens: SwiftTokens, path: String) -> [Violation] {
    tokens.tokens.indices.compactMap { index in
      forbiddenMessage(at: index, in: tokens).map {
        Violation(path: path, line: tokens.tokens[index].line, message: $0)
      }
    }
  }

  private static func forbiddenMessage(at index: Int, in tokens: SwiftTokens) -> String? {
    let previous = tokens.text(index - 1)
    let next = tokens.text(index + 1)
    // `.async`, `async:` and backticked words are names, not keywords.
    let isName = previous == "." || previous == "`" || next == ":"
    switch tokens.text(index) {
    case "try" where next == "!":
      return "try! traps on an operating error: throw it, or handle it"
    case "fatalError" where next == "(":
      return "fatalError is for nothing here: precondition for programmer errors, else throw"
    case "any" where !isName && isTypeStart(next):
      return "an existential allocates and dispatches at run time: use a generic or an enum"
    case "Task" where previous != "." && ["{", "(", ".", "<"].contains(next):
      return "no Swift concurrency: the loops own their threads"
    case "async" where !isName, "await" where !isName:
      return "no Swift concurrency: the loops own their threads"
    case "actor" where !isName && isTypeStart(next):
      return "no Swift concurrency: the loops own their threads"
    case "class" where !isName && isTypeStart(next) && !["final", "import"].contains(previous):
      return "no class hierarchies: make it a struct, or final where identity is shared"
    default:
      return nil
    }
  }

  private static func isTypeStart(_ text: String) -> Bool {
    guard let first = text.first else { return false }
    return first.isUppercase || first == "(" || first == "~"
  }
}
