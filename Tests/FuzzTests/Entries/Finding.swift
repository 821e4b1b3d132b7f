/// What an input led to and should not have.
public struct Finding: Error, CustomStringConvertible {
  /// What was expected, and what came.
  public let description: String

  init(_ description: String) { self.description = description }
}

/// Throws unless `condition` holds.
func require(_ condition: Bool, _ message: @autoclosure () -> String) throws(Finding) {
  if !condition { throw Finding(message()) }
}
