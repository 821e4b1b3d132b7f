/// Why an operation failed. Details beyond the kind stay in `code`.
public struct IOError: Error, BitwiseCopyable, Sendable, Equatable {
  /// What a caller can decide on.
  public enum Kind: UInt8, BitwiseCopyable, Sendable {
    /// The owner cancelled the operation, or closed its descriptor.
    case cancelled
    /// The peer reset the connection, or it broke.
    case connectionReset
    /// Nobody listens there.
    case connectionRefused
    /// No route, host or network down.
    case unreachable
    /// The kernel gave up waiting.
    case timedOut
    /// The address is taken.
    case addressInUse
    /// The address is not one of this machine's.
    case addressNotAvailable
    /// Not allowed (a port below 1024, a sandbox).
    case notPermitted
    /// No descriptors, buffers or memory left; passes when some are free again.
    case resourcesExhausted
    /// No space left on the disk, or none that we may use (quota).
    case noSpace
    /// The file system can only be read.
    case readOnly
    /// The disk could not read or write.
    case deviceFailed
    /// There is no such file.
    case notFound
    /// There is such a file already.
    case alreadyExists
    /// The kernel or the file system lacks something the port needs.
    case notSupported
    /// Anything else.
    case other
  }

  /// What kind of failure it is.
  public let kind: Kind
  /// The system's error number, 0 when there is none.
  public let code: Int32

  /// Whether it says nothing of the file that could not be used: that works as soon as somebody
  /// gives the process the right to, or there are descriptors and memory again.
  public var mayPass: Bool { kind == .notPermitted || kind == .resourcesExhausted }

  /// An error of a kind, with the system's error number for the log.
  public init(_ kind: Kind, code: Int32 = 0) {
    self.kind = kind
    self.code = code
  }
}
