/// What a SUBSCRIBE asks for with a filter (MQTT 5.0 §3.8.3.1).
///
/// | bits | meaning |
/// |---|---|
/// | 0–1 | the largest QoS |
/// | 2 | no local |
/// | 3 | retain as published |
/// | 4–5 | retain handling |
/// | 6–7 | reserved |
///
/// MQTT 3.1.1 has the QoS alone.
public struct SubscriptionOptions: BitwiseCopyable, Hashable, Sendable {
  /// When messages that are retained are sent.
  public enum RetainHandling: UInt8, BitwiseCopyable, Hashable, Sendable, CaseIterable {
    /// At each SUBSCRIBE.
    case send = 0
    /// At a SUBSCRIBE of what was not subscribed to before.
    case sendIfNew = 1
    /// Never.
    case doNotSend = 2
  }

  /// The byte on the wire.
  public let rawValue: UInt8

  /// Nil where a reserved bit is set, and for the QoS 3 and the retain handling 3, which do not
  /// exist [MQTT-3.8.3-5] (3.1.1: [MQTT-3-8.3-4]).
  public init?(rawValue: UInt8, version: ProtocolVersion = .v5) {
    let reserved: UInt8 = version == .v5 ? 0b1100_0000 : 0b1111_1100
    if rawValue & reserved != 0 || rawValue & 0b11 == 3 || rawValue & 0b11_0000 == 0b11_0000 {
      return nil
    }
    self.rawValue = rawValue
  }

  /// Options of MQTT 5.0.
  public init(
    maximumQoS: QoS, noLocal: Bool = false, retainAsPublished: Bool = false,
    retainHandling: RetainHandling = .send
  ) {
    rawValue =
      maximumQoS.rawValue | (noLocal ? 0b100 : 0) | (retainAsPublished ? 0b1000 : 0)
      | retainHandling.rawValue << 4
  }

  /// The largest QoS that messages are sent with.
  public var maximumQoS: QoS { QoS(rawValue: rawValue & 0b11) ?? .atMostOnce }
  /// Whether the client's own messages are not sent to it.
  public var noLocal: Bool { rawValue & 0b100 != 0 }
  /// Whether messages keep the RETAIN flag that they were published with.
  public var retainAsPublished: Bool { rawValue & 0b1000 != 0 }
  /// When messages that are retained are sent.
  public var retainHandling: RetainHandling {
    RetainHandling(rawValue: (rawValue >> 4) & 0b11) ?? .send
  }
}
