/// Why a value is not acceptable, before it is known in which file and under which key it stands.
public struct SettingsProblem: Error, Sendable, Equatable {
  /// What is wrong: a clause without a full stop.
  public var message: String
  /// What was probably meant, in place of what is there.
  public var suggestion: String?
  /// What to do about it: sentences. Empty: the key's own example is shown.
  public var remedy: String
  /// The place if it is not the value's own, as for an element of a list.
  public var position: SettingsPosition?
  /// The path from the value to the place, such as `[2]` or `.room`.
  public var subpath: String

  /// A problem with a value.
  public init(
    _ message: String, suggestion: String? = nil, remedy: String = "",
    at position: SettingsPosition? = nil, subpath: String = ""
  ) {
    self.message = message
    self.suggestion = suggestion
    self.remedy = remedy
    self.position = position
    self.subpath = subpath
  }
}
