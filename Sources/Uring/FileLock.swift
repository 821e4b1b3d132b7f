import CLinux

/// The exclusive use of a data directory by one process, for as long as the value lives.
///
/// The lock is one of the kernel's (`flock` on `DIRECTORY/lock`): it ends with the process, however
/// that ends, and the file itself means nothing. It holds the owner's process id, for the message.
public struct FileLock: ~Copyable {
  private let fileDescriptor: Int32

  /// Why there is no lock.
  public enum Failure: Error, Equatable, Sendable {
    /// Another process holds it; its id where the file tells.
    case held(path: String, processID: Int32?)
    /// The directory or the file can't be made. `path` is the one; `code` the error number.
    case failed(path: String, code: Int32)

    /// Cause and remedy.
    public var message: String {
      switch self {
      case .held(let path, let processID):
        """
        \(path) is locked by another gateway\(processID.map { " (process \($0))" } ?? ""); \
        remedy: stop that one, or give this one a data_dir of its own
        """
      case .failed(let path, let code):
        "\(path) can't be used: \(KernelError.text(code)); remedy: make it writable for the gateway"
      }
    }
  }

  /// Makes the directory with its parents where it is missing, and takes the lock.
  public init(directory: String) throws(Failure) {
    try Self.makeDirectories(directory)
    let path = directory + "/lock"
    let fileDescriptor = unsafe clinux_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard fileDescriptor >= 0 else { throw .failed(path: path, code: clinux_errno()) }
    guard flock(fileDescriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = clinux_errno()
      Sockets.close(fileDescriptor)
      if code == EWOULDBLOCK { throw .held(path: path, processID: Self.holder(path)) }
      throw .failed(path: path, code: code)
    }
    let text = Array("\(getpid())\n".utf8)
    // What the file says is for the message only: a full disk must not keep the gateway away.
    _ = ftruncate(fileDescriptor, 0)
    _ = unsafe pwrite(fileDescriptor, text, text.count, 0)
    self.fileDescriptor = fileDescriptor
  }

  /// Takes the lock of a folder itself, by whatever name it was reached. Nothing is made in it. A
  /// file system that has no such locks gives none.
  public init(folder: String) throws(Failure) {
    let fileDescriptor = unsafe clinux_open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    self.fileDescriptor = fileDescriptor
    if fileDescriptor >= 0, flock(fileDescriptor, LOCK_EX | LOCK_NB) != 0,
      clinux_errno() == EWOULDBLOCK
    {
      throw .held(path: folder, processID: nil)
    }
  }

  deinit { if fileDescriptor >= 0 { Sockets.close(fileDescriptor) } }

  /// Whether a process holds the lock of a directory. Nothing is made or written to find out.
  public static func isHeld(directory: String) -> Bool { isHeld(path: directory + "/lock") }

  /// Whether a process holds the lock of a folder itself.
  public static func isHeld(folder: String) -> Bool { isHeld(path: folder) }

  /// The path of a file or folder without links and dots; nil when there is none.
  public static func resolvedPath(_ path: String) -> String? {
    guard let resolved = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }

  private static func isHeld(path: String) -> Bool {
    let fileDescriptor = unsafe clinux_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard fileDescriptor >= 0 else { return false }
    defer { Sockets.close(fileDescriptor) }
    // Shared, and for a moment only.
    return flock(fileDescriptor, LOCK_SH | LOCK_NB) != 0 && clinux_errno() == EWOULDBLOCK
  }

  /// Makes a directory with its parents where it is missing.
  public static func makeDirectories(_ path: String) throws(Failure) {
    var prefix = ""
    for part in path.split(separator: "/", omittingEmptySubsequences: false) {
      prefix += prefix.isEmpty && part.isEmpty ? "/" : String(part)
      if !part.isEmpty, unsafe mkdir(prefix, 0o755) != 0, clinux_errno() != EEXIST {
        throw .failed(path: prefix, code: clinux_errno())
      }
      if prefix.utf8.last != UInt8(ascii: "/") { prefix += "/" }
    }
  }

  private static func holder(_ path: String) -> Int32? {
    // An unreadable file only makes the message shorter.
    guard let bytes = try? FileReading.readFile(path, limitBytes: 64) else { return nil }
    return Int32(String(decoding: bytes.prefix { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self))
  }
}
