import IOPort

/// A broker the consumer knows: a seed, or the owner of a topic that a look-up named.
struct ConsumerBroker {
  /// `host:port`, for `:authority` and for people.
  let authority: String
  /// What calls carry in `x-danube-broker-url` when a proxy stands in front of the owner.
  let proxiedURL: [UInt8]
  /// Where it can be reached, tried in turn.
  var addresses: [SocketAddress]
  var addressIndex = 0
  /// Whether look-ups may go there.
  var isSeed = false
  /// The connection that is open or being opened.
  var connection: SlotID?
  var backoff: Backoff
  /// No new connection before this.
  var retryAt = Instant(nanoseconds: 0)
  /// The entry may be reused: nothing refers to it.
  var isForgotten = false

  init(
    authority: String, proxiedURL: [UInt8], addresses: [SocketAddress], backoff: Backoff
  ) {
    self.authority = authority
    self.proxiedURL = proxiedURL
    self.addresses = addresses
    self.backoff = backoff
  }

  /// The address to connect to now; nil while the name is not resolved.
  var address: SocketAddress? {
    addresses.isEmpty ? nil : addresses[addressIndex % addresses.count]
  }

  /// Lets the next connection try the next address.
  mutating func rotateAddress() {
    addressIndex = addresses.isEmpty ? 0 : (addressIndex + 1) % addresses.count
  }
}

/// A seed and its entry among the brokers.
struct ConsumerSeedEntry {
  var seed: ConsumerSeed
  var broker: Int
}

/// Who serves a topic, by the answer to a look-up.
struct TopicOwner {
  let brokerURL: [UInt8]
  /// Whether a proxy stands in front of it.
  let isProxied: Bool
}
