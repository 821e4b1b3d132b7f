/// The addresses of one host, tried in turn.
public struct AddressRotation: Sendable {
  /// The addresses.
  public var addresses: [SocketAddress]
  private var index = 0

  /// Begins with the first address.
  public init(_ addresses: [SocketAddress]) { self.addresses = addresses }

  /// The address to connect to now; nil when there is none.
  public var current: SocketAddress? {
    addresses.isEmpty ? nil : addresses[index % addresses.count]
  }

  /// Lets the next connection try the next address.
  public mutating func advance() { index = addresses.isEmpty ? 0 : (index + 1) % addresses.count }
}
