/// Why a scenario has no figures.
enum BenchError: Error, Equatable {
  /// What was counted or read back is not what was sent: the bench fails.
  case mismatch(String)
  /// It could not be measured: something is missing, or the system said no. The bench fails, too.
  case failed(String)

  /// In words.
  var message: String {
    switch self {
    case .mismatch(let text): "counts do not match: \(text)"
    case .failed(let text): text
    }
  }
}

extension BenchError {
  /// Throws a mismatch unless both are equal.
  static func expect<Value: Equatable>(
    _ what: String, _ actual: Value, is expected: Value
  ) throws(BenchError) {
    guard actual != expected else { return }
    throw .mismatch("\(what): \(actual) instead of \(expected)")
  }
}
