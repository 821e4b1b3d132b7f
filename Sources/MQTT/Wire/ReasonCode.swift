/// A reason code (MQTT 5.0 §2.4). MQTT 3.1.1 has none: ``connackReturnCode`` tells what fits there.
public struct ReasonCode: BitwiseCopyable, Hashable, Sendable {
  /// The byte on the wire.
  public let rawValue: UInt8

  /// Any byte; unknown ones from 0x80 are errors like the known ones.
  @inlinable
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Whether the code reports a failure: 0x80 and above.
  @inlinable public var isError: Bool { rawValue >= 0x80 }

  /// 0x00, also "normal disconnection".
  public static let success = ReasonCode(rawValue: 0x00)
  /// 0x04, in a DISCONNECT: the client wishes its will to be published.
  public static let disconnectWithWill = ReasonCode(rawValue: 0x04)
  /// 0x10, in a PUBACK: the message was accepted, and nobody is there to get it.
  public static let noMatchingSubscribers = ReasonCode(rawValue: 0x10)
  /// 0x11, in an UNSUBACK.
  public static let noSubscriptionExisted = ReasonCode(rawValue: 0x11)
  /// 0x80
  public static let unspecifiedError = ReasonCode(rawValue: 0x80)
  /// 0x81
  public static let malformedPacket = ReasonCode(rawValue: 0x81)
  /// 0x82
  public static let protocolError = ReasonCode(rawValue: 0x82)
  /// 0x83
  public static let implementationSpecificError = ReasonCode(rawValue: 0x83)
  /// 0x84
  public static let unsupportedProtocolVersion = ReasonCode(rawValue: 0x84)
  /// 0x85
  public static let clientIdentifierNotValid = ReasonCode(rawValue: 0x85)
  /// 0x86
  public static let badUserNameOrPassword = ReasonCode(rawValue: 0x86)
  /// 0x87
  public static let notAuthorized = ReasonCode(rawValue: 0x87)
  /// 0x88
  public static let serverUnavailable = ReasonCode(rawValue: 0x88)
  /// 0x89
  public static let serverBusy = ReasonCode(rawValue: 0x89)
  /// 0x8A
  public static let banned = ReasonCode(rawValue: 0x8A)
  /// 0x8B
  public static let serverShuttingDown = ReasonCode(rawValue: 0x8B)
  /// 0x8C
  public static let badAuthenticationMethod = ReasonCode(rawValue: 0x8C)
  /// 0x8D
  public static let keepAliveTimeout = ReasonCode(rawValue: 0x8D)
  /// 0x8E
  public static let sessionTakenOver = ReasonCode(rawValue: 0x8E)
  /// 0x8F
  public static let topicFilterInvalid = ReasonCode(rawValue: 0x8F)
  /// 0x90
  public static let topicNameInvalid = ReasonCode(rawValue: 0x90)
  /// 0x91
  public static let packetIdentifierInUse = ReasonCode(rawValue: 0x91)
  /// 0x92
  public static let packetIdentifierNotFound = ReasonCode(rawValue: 0x92)
  /// 0x93
  public static let receiveMaximumExceeded = ReasonCode(rawValue: 0x93)
  /// 0x94
  public static let topicAliasInvalid = ReasonCode(rawValue: 0x94)
  /// 0x95
  public static let packetTooLarge = ReasonCode(rawValue: 0x95)
  /// 0x96
  public static let messageRateTooHigh = ReasonCode(rawValue: 0x96)
  /// 0x97
  public static let quotaExceeded = ReasonCode(rawValue: 0x97)
  /// 0x98
  public static let administrativeAction = ReasonCode(rawValue: 0x98)
  /// 0x99
  public static let payloadFormatInvalid = ReasonCode(rawValue: 0x99)
  /// 0x9A
  public static let retainNotSupported = ReasonCode(rawValue: 0x9A)
  /// 0x9B
  public static let qosNotSupported = ReasonCode(rawValue: 0x9B)
  /// 0x9C
  public static let useAnotherServer = ReasonCode(rawValue: 0x9C)
  /// 0x9D
  public static let serverMoved = ReasonCode(rawValue: 0x9D)
  /// 0x9E
  public static let sharedSubscriptionsNotSupported = ReasonCode(rawValue: 0x9E)
  /// 0x9F
  public static let connectionRateExceeded = ReasonCode(rawValue: 0x9F)
  /// 0xA0
  public static let maximumConnectTime = ReasonCode(rawValue: 0xA0)
  /// 0xA1
  public static let subscriptionIdentifiersNotSupported = ReasonCode(rawValue: 0xA1)
  /// 0xA2
  public static let wildcardSubscriptionsNotSupported = ReasonCode(rawValue: 0xA2)

  /// Itself where a PUBACK may carry it (MQTT 5.0 §3.4.2.1, table 3-4); else 0x83.
  var inPuback: ReasonCode {
    switch self {
    case .success, .noMatchingSubscribers, .unspecifiedError, .implementationSpecificError,
      .notAuthorized, .topicNameInvalid, .packetIdentifierInUse, .quotaExceeded,
      .payloadFormatInvalid:
      self
    default: .implementationSpecificError
    }
  }

  /// The return code of a CONNACK of MQTT 3.1.1 (§3.2.2.3) that says the same; nil where there is
  /// none, and the connection is closed without a CONNACK.
  ///
  /// What will not change by trying again (a will with QoS 2) is 5, "not authorized": clients give
  /// up on it, while 3, "server unavailable", makes them come back for ever.
  public var connackReturnCode: UInt8? {
    switch self {
    case .success: 0
    case .unsupportedProtocolVersion: 1
    case .clientIdentifierNotValid: 2
    case .serverUnavailable, .serverBusy, .serverShuttingDown, .quotaExceeded,
      .connectionRateExceeded, .useAnotherServer, .serverMoved:
      3
    case .badUserNameOrPassword: 4
    case .notAuthorized, .banned, .badAuthenticationMethod, .qosNotSupported,
      .retainNotSupported, .administrativeAction:
      5
    default: nil
    }
  }
}
