/// A property of MQTT 5.0 (§2.2.2.2); the raw value is its identifier on the wire.
public enum PropertyID: UInt8, BitwiseCopyable, Hashable, Sendable, CaseIterable {
  /// 0: bytes, 1: UTF-8.
  case payloadFormatIndicator = 0x01
  /// Seconds.
  case messageExpiryInterval = 0x02
  /// A string.
  case contentType = 0x03
  /// A topic name.
  case responseTopic = 0x08
  /// Bytes.
  case correlationData = 0x09
  /// 1 to 268,435,455.
  case subscriptionIdentifier = 0x0B
  /// Seconds; 0xFFFFFFFF means for ever.
  case sessionExpiryInterval = 0x11
  /// A string.
  case assignedClientIdentifier = 0x12
  /// Seconds.
  case serverKeepAlive = 0x13
  /// A string.
  case authenticationMethod = 0x15
  /// Bytes.
  case authenticationData = 0x16
  /// 0 or 1.
  case requestProblemInformation = 0x17
  /// Seconds.
  case willDelayInterval = 0x18
  /// 0 or 1.
  case requestResponseInformation = 0x19
  /// A string.
  case responseInformation = 0x1A
  /// A string.
  case serverReference = 0x1C
  /// A string.
  case reasonString = 0x1F
  /// 1 to 65,535.
  case receiveMaximum = 0x21
  /// 0 to 65,535.
  case topicAliasMaximum = 0x22
  /// 1 to 65,535.
  case topicAlias = 0x23
  /// 0 or 1.
  case maximumQoS = 0x24
  /// 0 or 1.
  case retainAvailable = 0x25
  /// Two strings, any number of times.
  case userProperty = 0x26
  /// Bytes, from 1.
  case maximumPacketSize = 0x27
  /// 0 or 1.
  case wildcardSubscriptionAvailable = 0x28
  /// 0 or 1.
  case subscriptionIdentifiersAvailable = 0x29
  /// 0 or 1.
  case sharedSubscriptionAvailable = 0x2A
}
