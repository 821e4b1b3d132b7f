import Bytes
import DanubeProtocol
public import IOPort

// Where brokers are: configured seeds, the hosts that look-ups name, and their addresses.
extension DanubeUplink {
  /// Hosts of brokers that nobody configured, at most so many at a time.
  static var hostLimit: Int { 256 }

  /// Hosts whose addresses the uplink waits for, or that may have new ones. Answer each by
  /// ``resolved(_:addresses:)``.
  public var hostsToResolve: [UplinkHost] { wantedHosts }

  /// Whether ``hostsToResolve`` has any.
  public var wantsResolution: Bool { !wantedHosts.isEmpty }

  /// Replaces the seeds, with the addresses they have now. Connections stay.
  public mutating func updateSeeds(_ newSeeds: [UplinkSeed]) {
    for entry in seeds { brokers[entry.broker].isSeed = false }
    seeds = newSeeds.map { seed in
      let authority = Self.authority(host: seed.host, port: seed.port)
      let index = brokers.firstIndex { $0.authority == authority && $0.proxiedURL.isEmpty }
      let broker =
        index ?? addBroker(authority: authority, proxiedURL: [], addresses: seed.addresses)
      brokers[broker].isSeed = true
      brokers[broker].isForgotten = false
      if !seed.addresses.isEmpty { brokers[broker].addresses = seed.addresses }
      return SeedEntry(seed: seed, broker: broker)
    }
    let hosts = seeds.map { UplinkHost(name: $0.seed.host, port: $0.seed.port) }
    wantedHosts.removeAll { hosts.contains($0) }
    seedCursor = seeds.isEmpty ? 0 : seedCursor % seeds.count
    brokersAreDue = true
  }

  /// Tells the addresses of a host, each with its port; none when it has none.
  public mutating func resolved(_ host: UplinkHost, addresses: [SocketAddress]) {
    wantedHosts.removeAll { $0 == host }
    for index in seeds.indices
    where seeds[index].seed.host == host.name && seeds[index].seed.port == host.port {
      let broker = seeds[index].broker
      if addresses.isEmpty {
        lastError = UplinkError(.url, "no address for \(host.name)")
        let pause = brokers[broker].backoff.next()
        brokers[broker].retryAt = max(
          brokers[broker].retryAt, now.advanced(milliseconds: pause))
      } else {
        seeds[index].seed.addresses = addresses
        brokers[broker].addresses = addresses
      }
    }
    if knownHosts.count >= Self.hostLimit { knownHosts.removeAll() }
    knownHosts[host] = addresses.isEmpty ? nil : addresses
    for lane in lanes.indices {
      guard case .resolving(let wanted, let owner, _) = lanes[lane].phase, wanted == host else {
        continue
      }
      if addresses.isEmpty {
        failed(lane, UplinkError(.url, "no address for \(host.name)"))
      } else {
        let authority = Self.authority(host: host.name, port: host.port)
        bind(lane, to: owner, authority: authority, addresses: addresses)
      }
    }
  }

  /// Asks for the addresses of a seed, unless it is an address itself.
  private mutating func want(_ seed: UplinkSeed) {
    let host = UplinkHost(name: seed.host, port: seed.port)
    guard SocketAddress(host: host.name, port: host.port) == nil, !wantedHosts.contains(host)
    else { return }
    wantedHosts.append(host)
  }

  /// Lets a lane wait for the addresses of a host that a look-up named. Answers are not waited for
  /// longer than those of a call, nor for more hosts than there are places.
  private mutating func resolve(_ host: UplinkHost, of lane: Int, owner: TopicOwner) {
    if !wantedHosts.contains(host) {
      guard wantedHosts.count < Self.hostLimit + seeds.count else {
        let text = "no address for \(host.name) yet: too many names wait for theirs"
        return failed(lane, UplinkError(.url, text))
      }
      wantedHosts.append(host)
    }
    let limit = now.advanced(milliseconds: limits.callDeadlineMilliseconds)
    setPhase(.resolving(host, owner: owner, until: limit), of: lane)
  }

  /// The addresses of a host did not come in time. It makes room for others; an answer that comes
  /// all the same is kept for the lane's next look-up.
  mutating func resolvingEnded(_ host: UplinkHost, of lane: Int) {
    let isSeed = seeds.contains { $0.seed.host == host.name && $0.seed.port == host.port }
    if !isSeed { wantedHosts.removeAll { $0 == host } }
    failed(lane, UplinkError(.url, "no address for \(host.name) in time"))
  }

  /// A broker could not be reached: its name may have moved.
  mutating func wantAddresses(ofBroker broker: Int) {
    for entry in seeds where entry.broker == broker { want(entry.seed) }
    let authority = brokers[broker].authority
    let stale = knownHosts.keys.filter {
      Self.authority(host: $0.name, port: $0.port) == authority
    }
    for host in stale { knownHosts[host] = nil }
  }

  // MARK: Seeds

  /// A connection to a seed that can be asked now. Otherwise one is being opened, or
  /// `brokerDeadline` says when to try again.
  mutating func seedConnection(operations: inout OperationQueue) -> SlotID? {
    for offset in seeds.indices {
      let entry = seeds[(seedCursor + offset) % seeds.count]
      if let current = brokers[entry.broker].current {
        return connections[current].isOpen ? current : nil
      }
      if now < brokers[entry.broker].retryAt {
        brokerDeadline = min(brokerDeadline, brokers[entry.broker].retryAt)
      } else if brokers[entry.broker].address == nil {
        want(entry.seed)
      } else if let id = connect(entry.broker, operations: &operations) {
        brokers[entry.broker].current = id
        return nil
      } else {
        brokerDeadline = min(brokerDeadline, brokers[entry.broker].retryAt)
      }
    }
    return nil
  }

  /// The seed failed: the next one is asked first.
  mutating func leaveSeed(_ broker: Int) {
    guard !seeds.isEmpty, seeds[seedCursor].broker == broker else { return }
    seedCursor = (seedCursor + 1) % seeds.count
  }

  // MARK: Owners of topics

  /// Follows the answer to a look-up that came over `id`.
  mutating func follow(_ answer: TopicLookupResponse, _ lane: Int, _ id: SlotID) {
    let asked = connections[id].broker
    let isProxied = answer.isProxy && !answer.brokerURL.isEmpty
    let owner = TopicOwner(brokerURL: answer.brokerURL, isProxied: isProxied)
    if answer.connectURL.isEmpty {
      lanes[lane].brokerURL = answer.brokerURL
      setPhase(.attaching(broker: asked), of: lane)
      return
    }
    guard let place = AdvertisedAddress(answer.connectURL) else {
      return refuse(lane, "not an address: ", answer.connectURL)
    }
    if place.isTLS { return refuse(lane, "TLS is not available yet: ", answer.connectURL) }
    let reached = connections[id].address
    var addresses: [SocketAddress]
    var authority = Self.authority(host: place.host, port: place.port)
    let host = UplinkHost(name: place.host, port: place.port)
    if let literal = SocketAddress(host: place.host, port: place.port) {
      addresses = [literal]
      if literal.isUnspecified {
        // A broker bound to every address advertises that: it means the host we reached it by.
        addresses = [Self.with(place.port, reached)]
        authority = addresses[0].description
      }
    } else if let entry = seeds.first(where: {
      $0.broker == asked && Self.isSameHost($0.seed.host, place.host)
    }) {
      addresses = [Self.with(place.port, reached)]
      authority = Self.authority(host: entry.seed.host, port: place.port)
    } else if let entry = seeds.first(where: {
      Self.isSameHost($0.seed.host, place.host) && !brokers[$0.broker].addresses.isEmpty
    }) {
      addresses = brokers[entry.broker].addresses.map { Self.with(place.port, $0) }
    } else if Self.isSameHost(place.host, "localhost") {
      addresses = [.loopback(port: place.port)]
    } else if let known = knownHosts[host] {
      addresses = known
    } else {
      return resolve(host, of: lane, owner: owner)
    }
    bind(lane, to: owner, authority: authority, addresses: addresses)
  }

  /// Lets a lane create its producer on a broker at `addresses`.
  mutating func bind(
    _ lane: Int, to owner: TopicOwner, authority: String, addresses: [SocketAddress]
  ) {
    let proxiedURL = owner.isProxied ? owner.brokerURL : []
    let index = brokers.firstIndex {
      !$0.isForgotten && $0.proxiedURL == proxiedURL && $0.address == addresses.first
    }
    lanes[lane].brokerURL = owner.brokerURL
    let broker =
      index ?? addBroker(authority: authority, proxiedURL: proxiedURL, addresses: addresses)
    setPhase(.attaching(broker: broker), of: lane)
  }

  private mutating func refuse(_ lane: Int, _ text: String, _ url: [UInt8]) {
    failed(lane, UplinkError(.url, text: Array(text.utf8) + url))
  }

  private mutating func addBroker(
    authority: String, proxiedURL: [UInt8], addresses: [SocketAddress]
  ) -> Int {
    let broker = Broker(
      authority: authority, proxiedURL: proxiedURL, addresses: addresses, isSeed: false,
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
