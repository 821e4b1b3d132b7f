/// A host that somebody configured, and what its name resolved to.
public struct ResolvedHost: Sendable, Equatable {
  /// The host as it was given.
  public var host: NamedHost
  /// Its addresses, each with the port; empty while they are not known.
  public var addresses: [SocketAddress]
  /// Whether it is spoken to through TLS.
  public var usesTLS: Bool

  /// A host whose name was resolved elsewhere. With no addresses given, a `host` that is an address
  /// is used as it stands.
  public init(host: String, port: UInt16, addresses: [SocketAddress] = [], usesTLS: Bool = false) {
    self.host = NamedHost(name: host, port: port)
    self.addresses = addresses
    self.usesTLS = usesTLS
    if addresses.isEmpty, let literal = self.host.literal { self.addresses = [literal] }
  }
}
