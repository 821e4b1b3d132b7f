public import Settings

/// What the ingest side may hold at most.
public struct IngestLimits: Sendable, Equatable {
  /// Connections of all listeners, closing ones included.
  public var connections: Int
  /// Bytes received and not processed, over all connections.
  public var inputBytes: Int
  /// Bytes on their way to one device above which nothing more is read from it.
  public var outboxBytes: Int
  /// How long a connection lingers so that its last packet arrives, milliseconds.
  public var lingerMilliseconds: Int
  /// How long accepting rests after the system had no descriptor left, milliseconds.
  public var acceptPauseMilliseconds: Int

  /// Limits that follow from a configuration.
  public init(configuration: GatewayConfiguration) {
    let sum = configuration.listeners.reduce(0) { $0 + $1.maxConnections }
    // A few more places, so that closing connections don't keep new ones out.
    connections = min(sum + sum / 8 + 16, 1 << 24)
    inputBytes = max(configuration.limits.memoryBytes / 2, 8 << 20)
    outboxBytes = 16 << 10
    lingerMilliseconds = 1_000
    acceptPauseMilliseconds = 500
  }
}
