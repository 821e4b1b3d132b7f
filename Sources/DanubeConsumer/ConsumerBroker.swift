import IOPort

/// A broker the consumer knows: a seed, or the owner of a topic that a look-up named.
struct ConsumerBroker {
  /// `host:port`, for `:authority` and for people.
  let authority: String
  /// What calls carry in `x-danube-broker-url` when a proxy stands in front of the owner.
  let proxiedURL: [UInt8]
  /// Whether it is reached through TLS.
  let usesTLS: Bool
  /// The host whose certificate it has to show.
  let host: String
  /// Where it can be reached.
  var addresses: AddressRotation
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
    authority: String, proxiedURL: [UInt8], usesTLS: Bool, host: String,
    addresses: [SocketAddress], backoff: Backoff
  ) {
    self.authority = authority
    self.proxiedURL = proxiedURL
    self.usesTLS = usesTLS
    self.host = host
    self.addresses = AddressRotation(addresses)
    self.backoff = backoff
  }
}
