/// Exit codes, after sysexits(3).
enum ExitCode {
  static let success: Int32 = 0
  /// Something was not acknowledged, or did not arrive.
  static let incomplete: Int32 = 1
  static let usage: Int32 = 64
  static let data: Int32 = 65
  static let unavailable: Int32 = 69
}
