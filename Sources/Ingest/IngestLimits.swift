public import Settings

/// What the ingest side may hold at most.
public struct IngestLimits: Sendable, Equatable {
  /// Connections of all listeners, closing ones included.
  public var connections: Int
  /// Memory for bytes received and not processed, over all connections: half of it can be
  /// reserved, the other half holds what was received without a reservation.
  public var inputBytes: Int
  /// The part of `inputBytes` that packets which are not complete can reserve.
  public var reservableInputBytes: Int { inputBytes - looseInputBytes }
  /// The part of `inputBytes` for bytes that have no reservation.
  public var looseInputBytes: Int { inputBytes / 2 }
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
    let largestPacket = configuration.listeners.map(\.maxPacketBytes).max() ?? 0
    // The largest packet has to fit into the half that can be reserved.
    inputBytes = max(configuration.limits.memoryBytes / 2, 8 << 20, 2 * largestPacket)
    outboxBytes = 16 << 10
    lingerMilliseconds = 1_000
    acceptPauseMilliseconds = 500
  }
}
