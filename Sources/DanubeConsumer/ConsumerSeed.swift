public import IOPort

/// A broker that the user names: where look-ups go.
public struct ConsumerSeed: Sendable, Equatable {
  /// The host as it was given, a name or an address without brackets.
  public var host: String
  /// The port.
  public var port: UInt16
  /// What the host resolved to, each with the port; empty while that is not known.
  public var addresses: [SocketAddress]

  /// A seed whose name was resolved elsewhere. An address needs no resolving: with none given, a
  /// `host` that is one is used as it stands.
  public init(host: String, port: UInt16, addresses: [SocketAddress] = []) {
    self.host = host
    self.port = port
    if addresses.isEmpty, let literal = SocketAddress(host: host, port: port) {
      self.addresses = [literal]
    } else {
      self.addresses = addresses
    }
  }
}

/// A host whose addresses a consumer asks for.
public struct ConsumerHost: Sendable, Hashable {
  /// The name.
  public var name: String
  /// The port to connect to.
  public var port: UInt16

  /// A host by its name.
  public init(name: String, port: UInt16) {
    self.name = name
    self.port = port
  }
}
