/// What a port has done so far and how full it is, for metrics.
public struct PortStatistics: BitwiseCopyable, Sendable, Equatable {
  /// Time spent in waits, nanoseconds, since the port was made.
  public var waitedNanoseconds: UInt64 = 0
  /// Buffers for received bytes that are in use: given to the kernel at least once.
  public var receiveBuffers = 0
  /// Buffers for received bytes there can be.
  public var receiveBufferLimit = 0
  /// Times that a receive found no buffer.
  public var receiveBufferShortages: UInt64 = 0
  /// System calls made, since the port was made.
  public var systemCalls: UInt64 = 0

  /// Nothing done yet.
  public init() {}
}
