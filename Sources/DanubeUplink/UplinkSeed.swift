public import IOPort

/// A broker that the configuration names: where look-ups go.
public struct UplinkSeed: Sendable, Equatable {
  /// The host as configured, a name or an address without brackets.
  public var host: String
  /// The port.
  public var port: UInt16
  /// What the host resolved to, each with the port; empty while that is not known.
  public var addresses: [SocketAddress]

  /// A seed whose name was resolved elsewhere.
  public init(host: String, port: UInt16, addresses: [SocketAddress]) {
    self.host = host
    self.port = port
    self.addresses = addresses
  }
}
