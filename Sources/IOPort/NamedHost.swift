/// A host by its name, or by an address without brackets, and a port there.
public struct NamedHost: Sendable, Hashable {
  /// The name.
  public var name: String
  /// The port to connect to.
  public var port: UInt16

  /// A host by its name.
  public init(name: String, port: UInt16) {
    self.name = name
    self.port = port
  }

  /// `name:port`, an IPv6 address in brackets.
  public var authority: String {
    name.utf8.contains(UInt8(ascii: ":")) ? "[\(name)]:\(port)" : "\(name):\(port)"
  }

  /// The address, when the name is one and needs no resolving.
  public var literal: SocketAddress? { SocketAddress(host: name, port: port) }

  /// Whether a name is this host's: letters' case does not count (RFC 4343).
  func isNamed(_ other: String) -> Bool { name.lowercased() == other.lowercased() }
}
