/// A place in a settings file.
public struct SettingsPosition: Sendable, Equatable, Comparable {
  /// The line, counted from 1.
  public var line: Int
  /// The column in Unicode code points, counted from 1.
  public var column: Int

  /// The place at `line` and `column`, both counted from 1.
  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  /// The first character of a file: where things that are missing are reported.
  public static let start = SettingsPosition(line: 1, column: 1)

  /// The order of reading.
  public static func < (left: SettingsPosition, right: SettingsPosition) -> Bool {
    (left.line, left.column) < (right.line, right.column)
  }
}
