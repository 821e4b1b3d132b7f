/// How large the parts of a ``Uring`` are, fixed when it is made.
public struct UringLimits: Sendable, Equatable {
  /// Operations handed to the kernel in one call at most; 64 bytes each.
  public var submissionEntries = 512
  /// Completions that find place before the kernel has to set some aside; 16 bytes each.
  public var completionEntries = 4_096
  /// Buffers for received bytes, rounded up to a power of two, at most 32,768.
  public var receiveBufferCount = 256
  /// Bytes of one such buffer. Memory is touched only when traffic needs it.
  public var receiveBufferBytes = 16 * 1_024
  /// Connections the kernel holds for us between two accepts.
  public var backlog = 1_024
  /// Bytes the kernel buffers for each socket's receiving side; nil leaves it to the kernel.
  public var socketReceiveBytes: Int?
  /// Kernel threads for what can't be done without blocking, for each of two classes of work.
  public var workerCount = 4

  /// The limits as they stand by default: about 100 KiB at rest, 4 MiB of buffers at most.
  public init() {}
}
