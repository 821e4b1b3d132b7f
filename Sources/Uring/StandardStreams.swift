import CLinux
import Synchronization

/// The process's standard output and standard error.
///
/// What can't be written to the standard output is not told to each who writes: a command looks at
/// ``outputProblem`` before it ends, and says so.
public enum StandardStreams {
  /// The first error of a write to the standard output; 0: none.
  private static let outputError = Atomic<Int32>(0)

  /// Why something could not be written to the standard output, such as a full disk; nil when all
  /// was, or when its reader did not want more.
  public static var outputProblem: String? {
    let code = outputError.load(ordering: .relaxed)
    return code == 0 ? nil : KernelError.text(code)
  }

  /// Writes all of `bytes` to the standard output; false when no more of it is taken.
  @discardableResult
  public static func writeStandardOutput(_ bytes: [UInt8]) -> Bool { writeAll(bytes, to: 1) }

  /// Writes a text to the standard output; false when no more of it is taken.
  @discardableResult
  public static func writeStandardOutput(_ text: String) -> Bool {
    writeAll(Array(text.utf8), to: 1)
  }

  /// Writes a text to the standard error; false when nobody reads it any more.
  @discardableResult
  public static func writeStandardError(_ text: String) -> Bool {
    writeAll(Array(text.utf8), to: 2)
  }

  /// Writes all of `bytes` to the standard error; false when nobody reads it any more.
  @discardableResult
  public static func writeStandardError(_ bytes: [UInt8]) -> Bool { writeAll(bytes, to: 2) }

  /// Writes what the standard error takes without waiting, and tells how many bytes that were. When
  /// nobody reads it any more it takes everything, and it is lost.
  public static func writeStandardErrorIfReady(_ bytes: RawSpan) -> Int {
    var offset = 0
    while offset < bytes.byteCount {
      var ready = pollfd(fd: 2, events: Int16(POLLOUT), revents: 0)
      guard unsafe poll(&ready, 1, 0) == 1 else { return offset }
      // A pipe that is ready takes PIPE_BUF bytes at once (pipe(7)).
      let end = min(offset + 4_096, bytes.byteCount)
      let count = unsafe bytes.extracting(offset..<end).withUnsafeBytes { memory in
        unsafe write(2, memory.baseAddress, memory.count)
      }
      if count < 0, clinux_errno() == EINTR { continue }
      guard count > 0 else { return bytes.byteCount }
      offset += count
    }
    return offset
  }

  /// Whether the standard output is a terminal.
  public static var isTerminal: Bool { isatty(1) == 1 }

  /// Whether the standard error is a terminal.
  public static var isErrorTerminal: Bool { isatty(2) == 1 }

  /// The numbers of the file behind the standard error; nil when it is closed.
  public static var errorFile: (device: UInt64, inode: UInt64)? {
    var status = stat()
    guard unsafe fstat(2, &status) == 0 else { return nil }
    return (UInt64(status.st_dev), UInt64(status.st_ino))
  }

  private static func writeAll(_ bytes: [UInt8], to fileDescriptor: Int32) -> Bool {
    unsafe bytes.withUnsafeBytes { memory in
      var offset = 0
      while offset < memory.count {
        guard let base = memory.baseAddress else { return true }
        let count = unsafe write(fileDescriptor, base + offset, memory.count - offset)
        if count < 0 {
          let code = clinux_errno()
          if code == EINTR { continue }
          // Nobody reads it any more: that is theirs to decide.
          if fileDescriptor == 1, code != EPIPE { outputError.store(code, ordering: .relaxed) }
          return false
        }
        offset += count
      }
      return true
    }
  }
}
