/// A place in a settings file, or a variable of the environment.
public struct SettingsPosition: Sendable, Equatable, Comparable {
  /// The line, counted from 1.
  public var line: Int
  /// The column in Unicode code points, counted from 1.
  public var column: Int

  /// The variable of the environment in whose value this is; empty for a place in the file.
  public var variable = ""

  /// The place at `line` and `column`, both counted from 1.
  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  /// The value of a variable of the environment; it has line and column 0.
  public init(variable: String) {
    line = 0
    column = 0
    self.variable = variable
  }

  /// The first character of a file: where things that are missing are reported.
  public static let start = SettingsPosition(line: 1, column: 1)

  /// The order of reading.
  public static func < (left: SettingsPosition, right: SettingsPosition) -> Bool {
    (left.line, left.column) < (right.line, right.column)
  }
}
