import Glibc

/// A small file, written whole.
enum TextFile {
  /// Whether a file can be written there. One that is there is left as it is.
  static func canWrite(to path: String) -> Bool {
    let isNew = unsafe access(path, F_OK) != 0
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard file >= 0 else { return false }
    close(file)
    if isNew { unsafe _ = unlink(path) }
    return true
  }

  /// Whether it was written.
  static func write(_ text: String, to path: String) -> Bool {
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { return false }
    defer { close(file) }
    let bytes = Array(text.utf8)
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { all in
        unsafe Glibc.write(file, all.baseAddress?.advanced(by: written), bytes.count - written)
      }
      guard count > 0 else { return false }
      written += count
    }
    return true
  }
}
