/// What a variable of the environment does to the configuration, or that it does nothing.
public struct EnvironmentNote: Sendable, Equatable, CustomStringConvertible {
  /// What there is to say.
  public enum Kind: Sendable, Equatable {
    /// It sets a key, given as `section.key`.
    case sets(String)
    /// It does nothing, for this reason (a clause); the nearest variable that exists.
    case ignored(reason: String, suggestion: String?)
  }

  /// The name of the variable.
  public let variable: String
  /// What there is to say.
  public let kind: Kind

  /// Whether somebody should look at it.
  public var isWarning: Bool {
    if case .ignored = kind { true } else { false }
  }

  /// The reason and the suggestion of what is ignored; empty for others.
  public var reason: String {
    guard case .ignored(let reason, let suggestion) = kind else { return "" }
    return reason + (suggestion.map { "; did you mean \($0)?" } ?? "")
  }

  /// One line without a value: a value may be a secret in the wrong place.
  public var description: String {
    let name = printable(variable, limit: 80)
    switch kind {
    case .sets(let key): return "\(name) sets \(key)"
    case .ignored: return "\(name) is ignored: \(reason)"
    }
  }
}
