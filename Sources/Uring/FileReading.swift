import CLinux

/// Whole small files, read at once: configuration, and what the kernel says about itself.
public enum FileReading {
  /// Why a file was not read.
  public enum Failure: Error, Equatable, Sendable {
    /// A call failed with this error number.
    case failed(code: Int32)
    /// The file holds more than the limit.
    case tooLarge

    /// The cause in words.
    public var message: String {
      switch self {
      case .failed(let code): KernelError.text(code)
      case .tooLarge: "the file is too large"
      }
    }
  }

  /// The bytes of the file at `path`, at most `limitBytes`.
  public static func readFile(_ path: String, limitBytes: Int) throws(Failure) -> [UInt8] {
    let fileDescriptor = unsafe clinux_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard fileDescriptor >= 0 else { throw .failed(code: clinux_errno()) }
    defer { Sockets.close(fileDescriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 * 1_024)
    while true {
      let count = unsafe read(fileDescriptor, &chunk, chunk.count)
      if count < 0, clinux_errno() == EINTR { continue }
      guard count >= 0 else { throw .failed(code: clinux_errno()) }
      if count == 0 { return bytes }
      guard bytes.count + count <= limitBytes else { throw .tooLarge }
      bytes += chunk[..<count]
    }
  }

  /// What `kernel.io_uring_disabled` says; nil where it can't be read.
  static func ioUringDisabled() -> Int? {
    let path = "/proc/sys/kernel/io_uring_disabled"
    // Unreadable, as on kernels before 6.6, means unknown.
    guard let bytes = try? readFile(path, limitBytes: 64) else { return nil }
    return Int(String(decoding: bytes.filter { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self))
  }
}
