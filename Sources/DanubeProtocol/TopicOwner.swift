/// Who serves a topic, by the answer to a look-up.
public struct TopicOwner: Equatable, Sendable {
  /// What goes into `msg_id.broker_addr`.
  public let brokerURL: [UInt8]
  /// What calls carry in `x-danube-broker-url` because a proxy stands in front of the owner; empty
  /// without one.
  public let proxiedURL: [UInt8]
  /// Whether it is reached through TLS.
  public let usesTLS: Bool

  /// The owner that an answer names.
  public init(_ answer: TopicLookupResponse) {
    brokerURL = answer.brokerURL
    proxiedURL = answer.isProxy ? answer.brokerURL : []
    usesTLS = AdvertisedAddress(answer.connectURL)?.isTLS ?? false
  }

  /// Whether what calls carry of it can stand in a field of HTTP: at most 2,048 visible characters
  /// of ASCII.
  public var isNamedInFields: Bool {
    proxiedURL.count <= 2_048 && proxiedURL.allSatisfy { (0x21...0x7e).contains($0) }
  }
}
