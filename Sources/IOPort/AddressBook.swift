/// Where hosts are: the configured ones (seeds), those that peers name, and the names that somebody
/// else has to resolve, because resolving blocks.
public struct AddressBook: Sendable {
  /// Names besides those of seeds that are wanted, or remembered, at a time.
  public static let hostLimit = 256

  /// The configured hosts.
  public private(set) var seeds: [ResolvedHost] = []
  /// Hosts whose addresses are wanted; each is to be answered by ``resolved(_:addresses:)``.
  public private(set) var wanted: [NamedHost] = []
  private var known: [NamedHost: [SocketAddress]] = [:]

  /// A book without seeds.
  public init() {}

  /// Replaces the seeds. One that comes without addresses keeps those it had.
  public mutating func setSeeds(_ newSeeds: [ResolvedHost]) {
    let old = seeds
    seeds = newSeeds
    for index in seeds.indices where seeds[index].addresses.isEmpty {
      let host = seeds[index].host
      seeds[index].addresses = old.first { $0.host == host }?.addresses ?? []
    }
    let hosts = seeds.map(\.host)
    wanted.removeAll { hosts.contains($0) }
  }

  private func isSeed(_ host: NamedHost) -> Bool { seeds.contains { $0.host == host } }

  /// Asks for the addresses of a host, unless it is an address itself or they are wanted already.
  /// False when too many are wanted; there is a place for every seed.
  @discardableResult
  public mutating func want(_ host: NamedHost) -> Bool {
    if wanted.contains(host) || host.literal != nil { return true }
    guard wanted.count < Self.hostLimit + seeds.count || isSeed(host) else { return false }
    wanted.append(host)
    return true
  }

  /// Nobody waits for the addresses of a host any more. Those of a seed stay wanted, and an answer
  /// that comes all the same is kept.
  public mutating func stopWanting(_ host: NamedHost) {
    if !isSeed(host) { wanted.removeAll { $0 == host } }
  }

  /// Takes the addresses of a host, each with its port; none when it has none. A seed keeps those
  /// it had then.
  public mutating func resolved(_ host: NamedHost, addresses: [SocketAddress]) {
    wanted.removeAll { $0 == host }
    if known.count >= Self.hostLimit { known.removeAll() }
    known[host] = addresses.isEmpty ? nil : addresses
    for index in seeds.indices where seeds[index].host == host && !addresses.isEmpty {
      seeds[index].addresses = addresses
    }
  }

  /// A host could not be reached: its name may have moved, and is asked for again.
  public mutating func doubt(authority: String) {
    for host in known.keys.filter({ $0.authority == authority }) { known[host] = nil }
  }

  /// Where a host is that a peer named.
  public struct Place: Sendable, Equatable {
    /// Its addresses, at least one.
    public var addresses: [SocketAddress]
    /// `host:port`, for `:authority` and for people.
    public var authority: String

    /// A place.
    public init(addresses: [SocketAddress], authority: String) {
      self.addresses = addresses
      self.authority = authority
    }
  }

  /// Finds a host that a peer named, which itself was reached at `reached`; nil when its name has
  /// to be resolved first. `isPeer` tells whether a seed, by its index, is that peer.
  public func locate(
    _ host: NamedHost, reached: SocketAddress, isPeer: (Int) -> Bool
  ) -> Place? {
    var here = reached
    here.port = host.port
    if let literal = host.literal {
      // Who is bound to every address advertises that: it means the host we reached it by.
      return literal.isUnspecified
        ? Place(addresses: [here], authority: here.description)
        : Place(addresses: [literal], authority: host.authority)
    }
    if let index = seeds.indices.first(where: { isPeer($0) && seeds[$0].host.isNamed(host.name) }) {
      let seed = NamedHost(name: seeds[index].host.name, port: host.port)
      return Place(addresses: [here], authority: seed.authority)
    }
    if let seed = seeds.first(where: { $0.host.isNamed(host.name) && !$0.addresses.isEmpty }) {
      let addresses = seed.addresses.map { address in
        var result = address
        result.port = host.port
        return result
      }
      return Place(addresses: addresses, authority: host.authority)
    }
    if host.isNamed("localhost") {
      return Place(addresses: [.loopback(port: host.port)], authority: host.authority)
    }
    return known[host].map { Place(addresses: $0, authority: host.authority) }
  }
}
