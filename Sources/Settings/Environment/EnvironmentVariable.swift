/// A variable of the environment, as the process got it.
public struct EnvironmentVariable: Sendable, Equatable {
  /// The name.
  public var name: String
  /// The value; an empty one counts as not set.
  public var value: String

  /// A variable with its value.
  public init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}
