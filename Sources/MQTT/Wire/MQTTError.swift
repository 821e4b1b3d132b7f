/// Why a packet is not accepted. The connection ends with it.
public enum MQTTError: UInt8, Error, BitwiseCopyable, Hashable, Sendable, CaseIterable {
  /// A length has a fifth byte, or in MQTT 5.0 not its shortest form.
  case malformedLength
  /// The packet type is 0, or AUTH in MQTT 3.1.1.
  case unknownPacketType
  /// Reserved bits are not as the specification has them.
  case reservedFlags
  /// A field reaches beyond the end of the packet or of the properties.
  case truncatedPacket
  /// Bytes are left after the last field.
  case trailingBytes
  /// A string is not UTF-8, or has U+0000.
  case invalidString
  /// QoS 3.
  case invalidQoS
  /// DUP with QoS 0.
  case duplicateWithoutQoS
  /// A packet identifier of 0.
  case zeroPacketID
  /// A property that does not exist.
  case unknownProperty
  /// A property that this packet cannot have.
  case misplacedProperty
  /// A property twice that may be there once.
  case duplicateProperty
  /// A property with a value that it cannot have.
  case invalidPropertyValue
  /// The first packet is not CONNECT.
  case connectExpected
  /// A second CONNECT.
  case secondConnect
  /// The protocol name is not "MQTT".
  case unknownProtocol
  /// Neither 3.1.1 nor 5.0, and older than 5.0.
  case oldProtocolVersion
  /// Newer than 5.0.
  case newProtocolVersion
  /// Will QoS or Will Retain that contradict the will flag, or Will QoS 3.
  case invalidWillFlags
  /// A will for a topic that cannot be published to.
  case invalidWillTopic
  /// MQTT 3.1.1: a password without a user name.
  case passwordWithoutUserName
  /// MQTT 3.1.1: no client identifier, but a session to be kept.
  case clientIDMissing
  /// A client identifier above the limit.
  case clientIDTooLong
  /// A will with QoS 2.
  case willQoSNotSupported
  /// A will with RETAIN.
  case willRetainNotSupported
  /// CONNECT asks for extended authentication.
  case authenticationNotSupported
  /// AUTH, or authentication data, without an authentication method.
  case unexpectedAuthentication
  /// A packet that only a server sends (or, at the client, only a client).
  case wrongDirection
  /// PUBLISH with QoS 2.
  case qosNotSupported
  /// PUBLISH with RETAIN where the limits refuse it.
  case retainNotSupported
  /// A topic name with a wildcard.
  case topicWithWildcard
  /// A topic name without a character.
  case emptyTopic
  /// A topic alias of 0.
  case zeroTopicAlias
  /// A topic alias above what was announced.
  case topicAliasNotSupported
  /// A topic alias without a topic, of which none came before.
  case unknownTopicAlias
  /// Topics behind topic aliases that take more memory than there is for them.
  case topicAliasMemory
  /// A payload that is not UTF-8 although its format indicator says so.
  case invalidPayload
  /// A will's payload that is not UTF-8 although its format indicator says so.
  case invalidWillPayload
  /// A reason code that the packet cannot have.
  case invalidReason
  /// PUBLISH from a client with a subscription identifier.
  case subscriptionIdentifierFromClient
  /// A response topic with a wildcard.
  case invalidResponseTopic
  /// More unanswered publishes than were announced.
  case receiveMaximumExceeded
  /// A packet above the announced size.
  case packetTooLarge
  /// SUBSCRIBE or UNSUBSCRIBE without a topic filter.
  case noTopicFilter
  /// A topic filter without a character.
  case emptyTopicFilter
  /// Subscription options that cannot be.
  case invalidSubscriptionOptions
  /// DISCONNECT wants a session to be kept that CONNECT did not want.
  case sessionExpiryRaised
}
