import DanubeProtocol
public import IOPort

// Where brokers are: the seeds, the hosts that look-ups name, and their addresses.
extension DanubeConsumer {
  private static var hostLimit: Int { 256 }

  /// Hosts whose addresses the consumer waits for, or that may have new ones. Answer each by
  /// ``resolved(_:addresses:)``; a partition that is not answered fails in time, and says so.
  public var hostsToResolve: [ConsumerHost] { wantedHosts }

  /// Replaces the seeds, with the addresses they have now. Connections stay.
  public mutating func updateSeeds(_ newSeeds: [ConsumerSeed]) {
    for entry in seeds { brokers[entry.broker].isSeed = false }
    seeds = newSeeds.map { seed in
      let authority = Self.authority(host: seed.host, port: seed.port)
      let broker = broker(authority: authority, proxiedURL: [], addresses: seed.addresses)
      brokers[broker].isSeed = true
      return ConsumerSeedEntry(seed: seed, broker: broker)
    }
    let hosts = seeds.map { ConsumerHost(name: $0.seed.host, port: $0.seed.port) }
    wantedHosts.removeAll { hosts.contains($0) }
    seedCursor = seeds.isEmpty ? 0 : seedCursor % seeds.count
  }

  /// Tells the addresses of a host, each with its port; none when it has none.
  public mutating func resolved(_ host: ConsumerHost, addresses: [SocketAddress]) {
    wantedHosts.removeAll { $0 == host }
    for index in seeds.indices
    where seeds[index].seed.host == host.name && seeds[index].seed.port == host.port {
      let broker = seeds[index].broker
      if addresses.isEmpty {
        notices.append(.problem("no address for \(host.name)"))
        let retry = now.advanced(milliseconds: brokers[broker].backoff.next())
        brokers[broker].retryAt = max(brokers[broker].retryAt, retry)
      } else {
        seeds[index].seed.addresses = addresses
        brokers[broker].addresses = addresses
      }
    }
    if knownHosts.count >= Self.hostLimit { knownHosts.removeAll() }
    knownHosts[host] = addresses.isEmpty ? nil : addresses
    for partition in partitions.indices {
      guard case .resolving(let wanted, let owner, _) = partitions[partition].phase,
        wanted == host
      else { continue }
      if addresses.isEmpty {
        failed(partition, "no address for \(host.name)")
      } else {
        let authority = Self.authority(host: host.name, port: host.port)
        bind(partition, to: owner, authority: authority, addresses: addresses)
      }
    }
  }

  private mutating func want(_ host: ConsumerHost) {
    guard SocketAddress(host: host.name, port: host.port) == nil, !wantedHosts.contains(host),
      wantedHosts.count < Self.hostLimit
    else { return }
    wantedHosts.append(host)
  }

  /// A broker could not be reached: its name may have moved.
  mutating func wantAddresses(ofBroker broker: Int) {
    for entry in seeds where entry.broker == broker {
      want(ConsumerHost(name: entry.seed.host, port: entry.seed.port))
    }
    let authority = brokers[broker].authority
    for host in Array(knownHosts.keys)
    where Self.authority(host: host.name, port: host.port) == authority {
      knownHosts[host] = nil
    }
  }

  // MARK: Seeds

  /// A connection to a seed that can be asked now; without one, the next is being opened as soon as
  /// back-offs allow.
  mutating func seedConnection(operations: inout OperationQueue) -> SlotID? {
    for offset in seeds.indices {
      let entry = seeds[(seedCursor + offset) % seeds.count]
      if let id = brokers[entry.broker].connection {
        return connections[id].isOpen ? id : nil
      }
      guard now >= brokers[entry.broker].retryAt else { continue }
      if brokers[entry.broker].address == nil {
        want(ConsumerHost(name: entry.seed.host, port: entry.seed.port))
      } else {
        connect(entry.broker, operations: &operations)
        if brokers[entry.broker].connection != nil { return nil }
      }
    }
    return nil
  }

  /// When a seed can be tried again, for those who wait for one.
  var seedDeadline: Instant {
    var deadline = Instant.distantFuture
    for entry in seeds {
      let broker = brokers[entry.broker]
      if broker.connection != nil { return .distantFuture }
      if broker.retryAt > now || broker.address != nil { deadline = min(deadline, broker.retryAt) }
    }
    return deadline
  }

  /// The seed failed: the next one is asked first.
  mutating func leaveSeed(_ broker: Int) {
    guard !seeds.isEmpty, seeds[seedCursor].broker == broker else { return }
    seedCursor = (seedCursor + 1) % seeds.count
  }

  // MARK: Owners of topics

  /// Follows the answer to a look-up that came over `id`.
  mutating func follow(_ answer: TopicLookupResponse, _ partition: Int, _ id: SlotID) {
    let asked = connections[id].broker
    if answer.connectURL.isEmpty {
      partitions[partition].phase = .attaching(broker: asked)
      return
    }
    let shown = String(decoding: answer.connectURL.prefix(256), as: UTF8.self)
    guard let place = AdvertisedAddress(answer.connectURL) else {
      return failed(partition, "the broker names a place that is no address: \(shown)")
    }
    if place.isTLS { return failed(partition, "TLS is not available yet: \(shown)") }
    let owner = TopicOwner(
      brokerURL: answer.brokerURL, isProxied: answer.isProxy && !answer.brokerURL.isEmpty)
    let reached = connections[id].address
    var addresses: [SocketAddress]
    var authority = Self.authority(host: place.host, port: place.port)
    let host = ConsumerHost(name: place.host, port: place.port)
    if let literal = SocketAddress(host: place.host, port: place.port) {
      addresses = [literal]
      if literal.isUnspecified {
        // A broker bound to every address advertises that: it means the host we reached it by.
        addresses = [Self.with(place.port, reached)]
        authority = addresses[0].description
      }
    } else if seeds.contains(where: {
      $0.broker == asked && Self.isSameHost($0.seed.host, place.host)
    }) {
      addresses = [Self.with(place.port, reached)]
    } else if let entry = seeds.first(where: {
      Self.isSameHost($0.seed.host, place.host) && !brokers[$0.broker].addresses.isEmpty
    }) {
      addresses = brokers[entry.broker].addresses.map { Self.with(place.port, $0) }
    } else if Self.isSameHost(place.host, "localhost") {
      addresses = [.loopback(port: place.port)]
    } else if let known = knownHosts[host] {
      addresses = known
    } else {
      want(host)
      let until = now.advanced(milliseconds: limits.connectTimeoutMilliseconds)
      partitions[partition].phase = .resolving(host, owner: owner, until: until)
      return
    }
    bind(partition, to: owner, authority: authority, addresses: addresses)
  }

  /// Lets a partition subscribe at a broker at `addresses`.
  private mutating func bind(
    _ partition: Int, to owner: TopicOwner, authority: String, addresses: [SocketAddress]
  ) {
    // The seed may be the owner under another name: its connection serves as well.
    let seed =
      owner.isProxied
      ? nil
      : seeds.first { seed in
        brokers[seed.broker].connection.map {
          connections[$0].isOpen && addresses.contains(connections[$0].address)
        } ?? false
      }
    let proxiedURL = owner.isProxied ? owner.brokerURL : []
    partitions[partition].phase = .attaching(
      broker: seed?.broker
        ?? broker(authority: authority, proxiedURL: proxiedURL, addresses: addresses))
  }

  /// The entry of a broker, found or made.
  private mutating func broker(
    authority: String, proxiedURL: [UInt8], addresses: [SocketAddress]
  ) -> Int {
    if let known = brokers.firstIndex(where: {
      !$0.isForgotten && $0.authority == authority && $0.proxiedURL == proxiedURL
    }) {
      if !addresses.isEmpty { brokers[known].addresses = addresses }
      return known
    }
    let broker = ConsumerBroker(
      authority: authority, proxiedURL: proxiedURL, addresses: addresses, backoff: makeBackoff())
    if let free = brokers.firstIndex(where: \.isForgotten) {
      brokers[free] = broker
      return free
    }
    brokers.append(broker)
    return brokers.count - 1
  }

  static func authority(host: String, port: UInt16) -> String {
    host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  private static func with(_ port: UInt16, _ address: SocketAddress) -> SocketAddress {
    var result = address
    result.port = port
    return result
  }

  private static func isSameHost(_ left: String, _ right: String) -> Bool {
    left.lowercased() == right.lowercased()
  }
}
