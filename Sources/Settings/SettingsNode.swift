/// A value of a settings file with its place in it.
public struct SettingsNode: Sendable, Equatable {
  /// Where the value begins; for a table made by a `[header]`, where the header begins.
  public var position: SettingsPosition
  /// The value.
  public var value: Value

  /// What a value can be in TOML 1.0.
  public enum Value: Sendable, Equatable {
    /// A string in any of TOML's four notations.
    case string(String)
    /// An integer.
    case integer(Int64)
    /// A floating point number, infinities and NaN included.
    case float(Double)
    /// `true` or `false`.
    case boolean(Bool)
    /// A date, a time or both. No setting uses one: its content is not kept.
    case dateOrTime
    /// An array, or an array of tables.
    case array([SettingsNode])
    /// A table, in the order of the file.
    case table([SettingsEntry])
  }

  /// A value at a place.
  public init(_ value: Value, at position: SettingsPosition = .start) {
    self.value = value
    self.position = position
  }

  /// The entries of a table in the order of the file; nil for anything else.
  public var entries: [SettingsEntry]? {
    if case .table(let entries) = value { entries } else { nil }
  }

  /// The elements of an array; nil for anything else.
  public var elements: [SettingsNode]? {
    if case .array(let elements) = value { elements } else { nil }
  }

  /// The value of `key` if this is a table that has it. Linear in the number of keys.
  public subscript(key: String) -> SettingsNode? {
    entries?.first { $0.key == key }?.node
  }
}

/// A key of a table with its value.
public struct SettingsEntry: Sendable, Equatable {
  /// The key, without quotes.
  public var key: String
  /// Where the key begins.
  public var keyPosition: SettingsPosition
  /// The value.
  public var node: SettingsNode

  /// A key with its value.
  public init(key: String, keyPosition: SettingsPosition = .start, node: SettingsNode) {
    self.key = key
    self.keyPosition = keyPosition
    self.node = node
  }
}

extension SettingsNode {
  /// The value as an error message shows it: short, printable, with its kind.
  var shown: String {
    switch value {
    case .string(let text): quoted(text)
    case .integer(let number): "\(number)"
    case .float(let number): "\(number)"
    case .boolean(let flag): "\(flag)"
    case .dateOrTime: "a date or time"
    case .array: "a list"
    case .table: "a table"
    }
  }
}
