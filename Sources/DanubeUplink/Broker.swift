import IOPort

/// A broker the uplink knows: a configured seed, or the owner of a topic that a look-up named.
struct Broker {
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
  /// The connection that takes calls, or is being opened to.
  var current: SlotID?
  /// The connection that is being opened to replace the current one before that one ends.
  var successor: SlotID?
  var backoff: Backoff
  /// No new connection before this.
  var retryAt = Instant(nanoseconds: 0)
  /// Lanes that are bound to it: attaching, creating or ready.
  var laneCount = 0
  /// Lanes whose CreateProducer waits for the connection, in turn. One that is not attaching here
  /// any more is passed over.
  var attaching = RingQueue<Int>()
  /// Entries are reused when nothing refers to them: their index must stay what it is until then.
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
