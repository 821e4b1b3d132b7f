/// One place where a rule is broken, and what to do about it.
struct Violation: Equatable, CustomStringConvertible {
  let path: String
  /// The line, from 1; 0 when the file as a whole is meant.
  let line: Int
  let message: String

  var description: String {
    line == 0 ? "\(path): \(message)" : "\(path):\(line): \(message)"
  }
}
