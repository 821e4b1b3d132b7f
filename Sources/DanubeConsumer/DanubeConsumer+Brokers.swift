import DanubeProtocol
public import IOPort

// Brokers: the seeds, and the owners that look-ups name.
extension DanubeConsumer {
  /// Hosts whose addresses the consumer waits for, or that may have new ones. Answer each by
  /// ``resolved(_:addresses:)``; a partition that is not answered fails in time, and says so.
  public var hostsToResolve: [NamedHost] { book.wanted }

  /// Replaces the seeds, with the addresses they have now. Connections stay.
  public mutating func updateSeeds(_ newSeeds: [ResolvedHost]) {
    for broker in seedBrokers { brokers[broker].isSeed = false }
    book.setSeeds(newSeeds)
    seedBrokers = book.seeds.map { seed in
      let broker = broker(
        authority: seed.host.authority, proxiedURL: [], usesTLS: seed.usesTLS,
        host: seed.host.name, addresses: seed.addresses)
      brokers[broker].isSeed = true
      return broker
    }
    seedCursor = seedBrokers.isEmpty ? 0 : seedCursor % seedBrokers.count
  }

  /// Tells the addresses of a host, each with its port; none when it has none.
  public mutating func resolved(_ host: NamedHost, addresses: [SocketAddress]) {
    book.resolved(host, addresses: addresses)
    for (seed, broker) in zip(book.seeds, seedBrokers) where seed.host == host {
      if addresses.isEmpty {
        notices.append(.problem("no address for \(host.name)"))
        let retry = now.advanced(milliseconds: brokers[broker].backoff.next())
        brokers[broker].retryAt = max(brokers[broker].retryAt, retry)
      } else {
        brokers[broker].addresses.addresses = addresses
      }
    }
    let place = AddressBook.Place(addresses: addresses, authority: host.authority)
    for partition in partitions.indices {
      guard case .resolving(let wanted, let owner, _) = partitions[partition].phase,
        wanted == host
      else { continue }
      if addresses.isEmpty {
        failed(partition, "no address for \(host.name)")
      } else {
        bind(partition, to: owner, at: place, host: host.name)
      }
    }
  }

  /// A broker could not be reached: its name may have moved.
  mutating func wantAddresses(ofBroker broker: Int) {
    for (seed, entry) in zip(book.seeds, seedBrokers) where entry == broker { book.want(seed.host) }
    book.doubt(authority: brokers[broker].authority)
  }

  // MARK: Seeds

  /// A connection to a seed that can be asked now; without one, the next is being opened as soon as
  /// back-offs allow.
  mutating func seedConnection(operations: inout OperationQueue) -> SlotID? {
    for offset in seedBrokers.indices {
      let seed = (seedCursor + offset) % seedBrokers.count
      let broker = seedBrokers[seed]
      if let id = brokers[broker].connection {
        return connections[id].isOpen ? id : nil
      }
      guard now >= brokers[broker].retryAt else { continue }
      if brokers[broker].addresses.current == nil {
        book.want(book.seeds[seed].host)
      } else {
        connect(broker, operations: &operations)
        if brokers[broker].connection != nil { return nil }
      }
    }
    return nil
  }

  /// When a seed can be tried again, for those who wait for one.
  var seedDeadline: Instant {
    var deadline = Instant.distantFuture
    for index in seedBrokers {
      let broker = brokers[index]
      if broker.connection != nil { return .distantFuture }
      if broker.retryAt > now || broker.addresses.current != nil {
        deadline = min(deadline, broker.retryAt)
      }
    }
    return deadline
  }

  /// The seed failed: the next one is asked first.
  mutating func leaveSeed(_ broker: Int) {
    guard !seedBrokers.isEmpty, seedBrokers[seedCursor] == broker else { return }
    seedCursor = (seedCursor + 1) % seedBrokers.count
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
    guard let advertised = AdvertisedAddress(answer.connectURL) else {
      return failed(partition, "the broker names a place that is no address: \(shown)")
    }
    if let text = objection(toTLS: advertised.isTLS, namedBy: asked) {
      return failed(partition, "\(text): \(shown)")
    }
    let owner = TopicOwner(answer)
    // It goes into a field of every call.
    guard owner.isNamedInFields else {
      let url = String(decoding: answer.brokerURL.prefix(200), as: UTF8.self)
      return failed(partition, "not a URL to name a broker by: \(url)")
    }
    let host = NamedHost(name: advertised.host, port: advertised.port)
    let place = book.locate(host, reached: connections[id].address) { seedBrokers[$0] == asked }
    if let place {
      // Who is bound to every address is the host that we reached.
      let isReached = host.literal?.isUnspecified ?? false
      let name = isReached ? brokers[asked].host : host.name
      return bind(partition, to: owner, at: place, host: name)
    }
    guard book.want(host) else {
      return failed(partition, "no address for \(host.name) yet: too many names wait for theirs")
    }
    let until = now.advanced(milliseconds: limits.connectTimeoutMilliseconds)
    partitions[partition].phase = .resolving(host, owner: owner, until: until)
  }

  /// Lets a partition subscribe at a broker.
  private mutating func bind(
    _ partition: Int, to owner: TopicOwner, at place: AddressBook.Place, host: String
  ) {
    // The seed may be the owner under another name: its connection serves as well.
    let seed =
      owner.proxiedURL.isEmpty
      ? seedBrokers.first { broker in
        brokers[broker].usesTLS == owner.usesTLS
          && brokers[broker].connection.map {
            connections[$0].isOpen && place.addresses.contains(connections[$0].address)
          } ?? false
      } : nil
    partitions[partition].phase = .attaching(
      broker: seed
        ?? broker(
          authority: place.authority, proxiedURL: owner.proxiedURL, usesTLS: owner.usesTLS,
          host: host, addresses: place.addresses))
  }

  /// The entry of a broker, found or made.
  private mutating func broker(
    authority: String, proxiedURL: [UInt8], usesTLS: Bool, host: String,
    addresses: [SocketAddress]
  ) -> Int {
    if let known = brokers.firstIndex(where: {
      !$0.isForgotten && $0.authority == authority && $0.proxiedURL == proxiedURL
        && $0.usesTLS == usesTLS
    }) {
      if !addresses.isEmpty { brokers[known].addresses.addresses = addresses }
      return known
    }
    let broker = ConsumerBroker(
      authority: authority, proxiedURL: proxiedURL, usesTLS: usesTLS, host: host,
      addresses: addresses, backoff: makeBackoff())
    if let free = brokers.firstIndex(where: \.isForgotten) {
      brokers[free] = broker
      return free
    }
    brokers.append(broker)
    return brokers.count - 1
  }
}
