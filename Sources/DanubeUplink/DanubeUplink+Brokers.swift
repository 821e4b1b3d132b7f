import Bytes
import DanubeProtocol
public import IOPort

// Brokers: configured seeds, and the owners that look-ups name.
extension DanubeUplink {
  /// Hosts whose addresses the uplink waits for, or that may have new ones. Answer each by
  /// ``resolved(_:addresses:)``.
  public var hostsToResolve: [NamedHost] { book.wanted }

  /// Whether ``hostsToResolve`` has any.
  public var wantsResolution: Bool { !book.wanted.isEmpty }

  /// Replaces the seeds, with the addresses they have now. Connections stay.
  public mutating func updateSeeds(_ newSeeds: [ResolvedHost]) {
    for broker in seedBrokers { brokers[broker].isSeed = false }
    book.setSeeds(newSeeds)
    seedBrokers = book.seeds.map { seed in
      let authority = seed.host.authority
      let index = brokers.firstIndex {
        $0.authority == authority && $0.proxiedURL.isEmpty && $0.usesTLS == seed.usesTLS
      }
      let broker =
        index
        ?? addBroker(
          authority: authority, proxiedURL: [], usesTLS: seed.usesTLS, host: seed.host.name,
          addresses: seed.addresses)
      brokers[broker].isSeed = true
      brokers[broker].isForgotten = false
      if !seed.addresses.isEmpty { brokers[broker].addresses.addresses = seed.addresses }
      return broker
    }
    seedCursor = seedBrokers.isEmpty ? 0 : seedCursor % seedBrokers.count
    brokersAreDue = true
  }

  /// Tells the addresses of a host, each with its port; none when it has none.
  public mutating func resolved(_ host: NamedHost, addresses: [SocketAddress]) {
    book.resolved(host, addresses: addresses)
    for (seed, broker) in zip(book.seeds, seedBrokers) where seed.host == host {
      if addresses.isEmpty {
        lastError = UplinkError(.url, "no address for \(host.name)")
        let pause = brokers[broker].backoff.next()
        brokers[broker].retryAt = max(
          brokers[broker].retryAt, now.advanced(milliseconds: pause))
      } else {
        brokers[broker].addresses.addresses = addresses
      }
    }
    let place = AddressBook.Place(addresses: addresses, authority: host.authority)
    for lane in lanes.indices {
      guard case .resolving(let wanted, let owner, _) = lanes[lane].phase, wanted == host else {
        continue
      }
      if addresses.isEmpty {
        failed(lane, UplinkError(.url, "no address for \(host.name)"))
      } else {
        bind(lane, to: owner, at: place, host: host.name)
      }
    }
  }

  /// Lets a lane wait for the addresses of a host that a look-up named. Answers are not waited for
  /// longer than those of a call, nor for more hosts than there are places.
  private mutating func resolve(_ host: NamedHost, of lane: Int, owner: TopicOwner) {
    guard book.want(host) else {
      let text = "no address for \(host.name) yet: too many names wait for theirs"
      return failed(lane, UplinkError(.url, text))
    }
    let limit = now.advanced(milliseconds: limits.callDeadlineMilliseconds)
    setPhase(.resolving(host, owner: owner, until: limit), of: lane)
  }

  /// The addresses of a host did not come in time. It makes room for others; an answer that comes
  /// all the same is kept for the lane's next look-up.
  mutating func resolvingEnded(_ host: NamedHost, of lane: Int) {
    book.stopWanting(host)
    failed(lane, UplinkError(.url, "no address for \(host.name) in time"))
  }

  /// A broker could not be reached: its name may have moved.
  mutating func wantAddresses(ofBroker broker: Int) {
    for (seed, entry) in zip(book.seeds, seedBrokers) where entry == broker { book.want(seed.host) }
    book.doubt(authority: brokers[broker].authority)
  }

  // MARK: Seeds

  /// A connection to a seed that can be asked now. Otherwise one is being opened, or
  /// `brokerDeadline` says when to try again.
  mutating func seedConnection(operations: inout OperationQueue) -> SlotID? {
    for offset in seedBrokers.indices {
      let seed = (seedCursor + offset) % seedBrokers.count
      let broker = seedBrokers[seed]
      if let current = brokers[broker].current {
        return connections[current].isOpen ? current : nil
      }
      if now < brokers[broker].retryAt {
        brokerDeadline = min(brokerDeadline, brokers[broker].retryAt)
      } else if brokers[broker].addresses.current == nil {
        book.want(book.seeds[seed].host)
      } else if let id = connect(broker, operations: &operations) {
        brokers[broker].current = id
        return nil
      } else {
        brokerDeadline = min(brokerDeadline, brokers[broker].retryAt)
      }
    }
    return nil
  }

  /// The seed failed: the next one is asked first.
  mutating func leaveSeed(_ broker: Int) {
    guard !seedBrokers.isEmpty, seedBrokers[seedCursor] == broker else { return }
    seedCursor = (seedCursor + 1) % seedBrokers.count
  }

  // MARK: Owners of topics

  /// Whether a broker's URL does not say which broker it is: 0.0.0.0, as they are set up.
  static func isNameless(_ url: [UInt8]) -> Bool {
    guard let address = AdvertisedAddress(url) else { return false }
    let host = NamedHost(name: address.host, port: address.port)
    return host.literal?.isUnspecified ?? false
  }

  /// Follows the answer to a look-up that came over `id`.
  mutating func follow(_ answer: TopicLookupResponse, _ lane: Int, _ id: SlotID) {
    let asked = connections[id].broker
    if answer.connectURL.isEmpty {
      lanes[lane].brokerURL = answer.brokerURL
      setPhase(.attaching(broker: asked), of: lane)
      return
    }
    guard let advertised = AdvertisedAddress(answer.connectURL) else {
      return refuse(lane, "not an address: ", answer.connectURL)
    }
    if let text = objection(toTLS: advertised.isTLS, namedBy: asked) {
      return refuse(lane, "\(text): ", answer.connectURL)
    }
    let owner = TopicOwner(answer)
    // It goes into a field of every call.
    guard owner.isNamedInFields else {
      return refuse(lane, "not a URL to name a broker by: ", answer.brokerURL)
    }
    let host = NamedHost(name: advertised.host, port: advertised.port)
    let place = book.locate(host, reached: connections[id].address) { seedBrokers[$0] == asked }
    if let place {
      // Who is bound to every address is the host that we reached.
      let isReached = host.literal?.isUnspecified ?? false
      if isReached, answer.lookupType == .redirect,
        lanes[lane].strayRedirects + 1 < seedBrokers.count,
        owner.proxiedURL.isEmpty, place.addresses.first == connections[id].address
      {
        // Another one of that name: only the broker itself can say that it is the one. When all say
        // the same, one of them means itself.
        lanes[lane].strayRedirects += 1
        leaveSeed(asked)
        let text = "the owner of the topic is another broker that calls itself "
        return refuse(lane, text, answer.connectURL)
      }
      bind(lane, to: owner, at: place, host: isReached ? brokers[asked].host : host.name)
    } else {
      resolve(host, of: lane, owner: owner)
    }
  }

  /// Lets a lane create its producer on a broker.
  private mutating func bind(
    _ lane: Int, to owner: TopicOwner, at place: AddressBook.Place, host: String
  ) {
    let index = brokers.firstIndex {
      !$0.isForgotten && $0.proxiedURL == owner.proxiedURL && $0.usesTLS == owner.usesTLS
        && $0.addresses.current == place.addresses.first
        && Self.isOne($0.host, host)
    }
    lanes[lane].brokerURL = owner.brokerURL
    let broker =
      index
      ?? addBroker(
        authority: place.authority, proxiedURL: owner.proxiedURL, usesTLS: owner.usesTLS,
        host: host, addresses: place.addresses)
    setPhase(.attaching(broker: broker), of: lane)
  }

  /// Whether two hosts with one address are one broker. What stands there may lead to many, by the
  /// names in certificates or in `:authority`.
  private static func isOne(_ first: String, _ second: String) -> Bool {
    let isName = [first, second].contains { NamedHost(name: $0, port: 0).literal == nil }
    return !isName || first.lowercased() == second.lowercased()
  }

  private mutating func refuse(_ lane: Int, _ text: String, _ url: [UInt8]) {
    failed(lane, UplinkError(.url, text: Array(text.utf8) + withoutToken(url)))
  }

  private mutating func addBroker(
    authority: String, proxiedURL: [UInt8], usesTLS: Bool, host: String,
    addresses: [SocketAddress]
  ) -> Int {
    let broker = Broker(
      authority: authority, proxiedURL: proxiedURL, usesTLS: usesTLS, host: host,
      addresses: addresses,
      backoff: Backoff(
        minimumMilliseconds: limits.backoffMinimumMilliseconds,
        maximumMilliseconds: limits.backoffMaximumMilliseconds, seed: random.next()))
    if let free = brokers.firstIndex(where: \.isForgotten) {
      brokers[free] = broker
      return free
    }
    brokers.append(broker)
    return brokers.count - 1
  }

  /// Lets entries be reused that nothing refers to: owners come and go with every move of a topic.
  mutating func forgetUnused() {
    for index in brokers.indices where !brokers[index].isSeed && !brokers[index].isForgotten {
      if brokers[index].laneCount > 0 { continue }
      brokers[index].isForgotten = !(0..<connections.upperBound).contains { place in
        connections.tenant(at: place).map { connections[$0].broker == index } ?? false
      }
    }
  }
}
