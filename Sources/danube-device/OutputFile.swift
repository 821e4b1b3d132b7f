import Glibc

/// A file, or the standard output, that lines are written to. They are gathered; `flush` writes.
struct OutputFile: ~Copyable {
  private let descriptor: Int32
  private var gathered: [UInt8] = []
  /// Whether something could not be written: nobody reads any more, or the disk is full.
  private(set) var isIncomplete = false

  /// Makes the file at `path`, or empties it; `-` is the standard output.
  init(_ path: String) throws(DeviceError) {
    descriptor = path == "-" ? 1 : unsafe creat(path, 0o644)
    guard descriptor >= 0 else {
      throw DeviceError(
        message: "\(path) cannot be written (errno \(errno))", exitCode: ExitCode.data)
    }
  }

  deinit {
    if descriptor > 2 { close(descriptor) }
  }

  /// Adds a line.
  mutating func write(line: String) {
    gathered += Array(line.utf8)
    gathered.append(0x0a)
    if gathered.count >= 65_536 { flush() }
  }

  /// Writes what was gathered.
  mutating func flush() {
    if !Self.writeAll(gathered, to: descriptor) { isIncomplete = true }
    gathered.removeAll(keepingCapacity: true)
  }

  /// Writes a text to the standard output.
  static func writeStandardOutput(_ text: String) { _ = writeAll(Array(text.utf8), to: 1) }

  /// Writes a text to the standard error.
  static func writeStandardError(_ text: String) { _ = writeAll(Array(text.utf8), to: 2) }

  private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    unsafe bytes.withUnsafeBytes { memory in
      var offset = 0
      while let base = memory.baseAddress, offset < memory.count {
        let count = unsafe Glibc.write(descriptor, base + offset, memory.count - offset)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        offset += count
      }
      return true
    }
  }
}
