public import Settings

/// What the ingest side may hold at most.
public struct IngestLimits: Sendable, Equatable {
  /// Connections of all listeners, closing ones included.
  public var connections: Int
  /// Memory that packets which are not complete can reserve, over all connections.
  public var reservableInputBytes: Int
  /// Memory for bytes that were received without a reservation, over all connections.
  public var looseInputBytes: Int
  /// Memory for bytes received and not processed, over all connections.
  public var inputBytes: Int { reservableInputBytes + looseInputBytes }
  /// Memory for the topics behind topic aliases, over all connections.
  public var topicAliasBytes: Int
  /// Wills that are kept, those of connections that ended included.
  public var wills: Int
  /// Memory for wills.
  public var willBytes: Int
  /// The longest that a will waits for its device to come back, seconds.
  public var willDelaySeconds: UInt32
  /// How long a will waits for memory for its record before it is dropped, milliseconds.
  public var willWaitMilliseconds: Int
  /// Bytes on their way to one device above which nothing more is read from it.
  public var outboxBytes: Int
  /// How long a connection lingers so that its last packet arrives, milliseconds.
  public var lingerMilliseconds: Int
  /// How long accepting rests after the system had no descriptor left, milliseconds.
  public var acceptPauseMilliseconds: Int

  /// Eight times the buffers that a port has for received bytes (256 of 8 KiB).
  private static let leastLooseInputBytes = 16 << 20

  /// Limits that follow from a configuration.
  public init(configuration: GatewayConfiguration) {
    let sum = configuration.listeners.reduce(0) { $0 + $1.maxConnections }
    // A few more places, so that closing connections don't keep new ones out.
    connections = min(sum + sum / 8 + 16, 1 << 24)
    let largestPacket = configuration.listeners.map(\.largestInputBytes).max() ?? 0
    // The largest packet or request has to fit into what can be reserved.
    reservableInputBytes = max(configuration.limits.memoryBytes / 4, 4 << 20, largestPacket)
    // Devices do not know yet that reading stops: what the port's buffers hold comes in a few
    // times over before the kernel has taken back its receives.
    looseInputBytes = max(configuration.limits.memoryBytes / 4, Self.leastLooseInputBytes)
    topicAliasBytes = max(configuration.limits.memoryBytes / 16, 1 << 20)
    // As many again may wait for their devices.
    wills = min(2 * connections, 1 << 24)
    willBytes = max(configuration.limits.memoryBytes / 8, 1 << 20)
    willDelaySeconds = 86_400
    willWaitMilliseconds = 60_000
    outboxBytes = 16 << 10
    lingerMilliseconds = 1_000
    acceptPauseMilliseconds = 500
  }
}
