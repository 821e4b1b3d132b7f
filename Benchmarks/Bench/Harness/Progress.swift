import Glibc
import Uring

/// One line of standard error that says what is going on; lines of their own where it is no
/// terminal.
enum Progress {
  /// Replaces the line.
  static func show(_ text: String) {
    if isatty(STDERR_FILENO) == 1 {
      StandardStreams.writeStandardError("\r\u{1B}[K\(text)")
    } else {
      StandardStreams.writeStandardError("bench: \(text)\n")
    }
  }

  /// Takes the line away.
  static func end() {
    if isatty(STDERR_FILENO) == 1 { StandardStreams.writeStandardError("\r\u{1B}[K") }
  }
}
