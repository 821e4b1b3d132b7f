/// Something in a settings file that a person has to change.
public struct SettingsError: Sendable, Equatable, CustomStringConvertible {
  /// The file as its caller named it.
  public var file: String
  /// Where in the file.
  public var position: SettingsPosition
  /// The key, such as `listen[0].address`; empty when the error belongs to no key.
  public var keyPath: String
  /// What is wrong: a clause without a full stop.
  public var message: String
  /// The nearest known key or value.
  public var suggestion: String?
  /// What to do about it: sentences.
  public var remedy: String

  /// An error at a place.
  public init(
    file: String, position: SettingsPosition, keyPath: String, message: String,
    suggestion: String? = nil, remedy: String
  ) {
    self.file = file
    self.position = position
    self.keyPath = keyPath
    self.message = message
    self.suggestion = suggestion
    self.remedy = remedy
  }

  /// One line: `file:line:column: key: what is wrong; did you mean "this"? What to do.` For a value
  /// from the environment it begins with `environment variable NAME: `.
  public var description: String {
    var line =
      position.variable.isEmpty
      ? "\(file):\(position.line):\(position.column): "
      : "environment variable \(printable(position.variable, limit: 80)): "
    if !keyPath.isEmpty { line += "\(keyPath): " }
    line += message
    if let suggestion {
      line += "; did you mean \(quoted(suggestion))?"
    } else {
      line += "."
    }
    if !remedy.isEmpty { line += " \(remedy)" }
    return line
  }
}

/// All that is wrong in a settings file, in the order of its lines. Never empty when thrown.
public struct SettingsErrors: Error, Sendable, Equatable, CustomStringConvertible {
  /// The errors in the order of their places.
  public var errors: [SettingsError]
  /// Whether there are more errors than these.
  public var isCut: Bool

  /// The errors, which are put in the order of their places.
  public init(_ errors: [SettingsError], isCut: Bool = false) {
    // The sort of the standard library is not documented to be stable: the index makes it so.
    self.errors = errors.enumerated()
      .sorted { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) }
      .map(\.element)
    self.isCut = isCut
  }

  /// One error a line (an example in a remedy may take more), without a line break at the end.
  public var description: String {
    let lines = errors.map(\.description).joined(separator: "\n")
    return isCut ? lines + "\nThere are more errors: correct these first." : lines
  }
}
