/// How much the admin address gives to its clients.
public struct AdminLimits: BitwiseCopyable, Sendable {
  /// Connections at once; more are closed as they come.
  public let connectionCount: Int
  /// How long a connection may stay without a request, milliseconds.
  public let idleMilliseconds: Int
  /// How long a request may take to arrive, and a response to be taken, milliseconds each.
  public let requestMilliseconds: Int
  /// Bytes of requests sent ahead of their turn.
  public let bufferedBytes: Int

  /// Limits; the defaults suit a scraper or two, a person and a probe.
  public init(
    connectionCount: Int = 16, idleMilliseconds: Int = 30_000, requestMilliseconds: Int = 5_000,
    bufferedBytes: Int = 16 * 1024
  ) {
    precondition(connectionCount > 0 && idleMilliseconds > 0 && requestMilliseconds > 0)
    precondition(bufferedBytes > 0)
    self.connectionCount = connectionCount
    self.idleMilliseconds = idleMilliseconds
    self.requestMilliseconds = requestMilliseconds
    self.bufferedBytes = bufferedBytes
  }
}
