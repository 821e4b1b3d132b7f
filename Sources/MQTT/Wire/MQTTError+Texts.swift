extension MQTTError {
  /// What MQTT 5.0 calls it, for the CONNACK or DISCONNECT that answers.
  public var reasonCode: ReasonCode {
    switch self {
    case .malformedLength, .unknownPacketType, .reservedFlags, .truncatedPacket, .trailingBytes,
      .invalidString, .invalidQoS, .unknownProperty, .misplacedProperty, .invalidWillFlags:
      .malformedPacket
    case .duplicateWithoutQoS, .zeroPacketID, .duplicateProperty, .invalidPropertyValue,
      .connectExpected, .secondConnect, .passwordWithoutUserName, .unexpectedAuthentication,
      .wrongDirection, .emptyTopic, .unknownTopicAlias, .subscriptionIdentifierFromClient,
      .invalidResponseTopic, .noTopicFilter, .emptyTopicFilter, .invalidSubscriptionOptions,
      .sessionExpiryRaised, .invalidReason:
      .protocolError
    case .unknownProtocol, .oldProtocolVersion, .newProtocolVersion: .unsupportedProtocolVersion
    case .clientIDMissing, .clientIDTooLong: .clientIdentifierNotValid
    case .willQoSNotSupported, .qosNotSupported: .qosNotSupported
    case .willRetainNotSupported, .retainNotSupported: .retainNotSupported
    case .authenticationNotSupported: .badAuthenticationMethod
    case .topicWithWildcard, .invalidWillTopic: .topicNameInvalid
    case .zeroTopicAlias, .topicAliasNotSupported: .topicAliasInvalid
    case .topicAliasMemory: .quotaExceeded
    case .invalidPayload, .invalidWillPayload: .payloadFormatInvalid
    case .receiveMaximumExceeded: .receiveMaximumExceeded
    case .packetTooLarge: .packetTooLarge
    }
  }

  /// The value of a metric's label: stable, lower case, unique.
  public var label: StaticString {
    switch self {
    case .malformedLength: "malformed_length"
    case .unknownPacketType: "unknown_packet_type"
    case .reservedFlags: "reserved_flags"
    case .truncatedPacket: "truncated_packet"
    case .trailingBytes: "trailing_bytes"
    case .invalidString: "invalid_string"
    case .invalidQoS: "invalid_qos"
    case .duplicateWithoutQoS: "dup_without_qos"
    case .zeroPacketID: "zero_packet_id"
    case .unknownProperty: "unknown_property"
    case .misplacedProperty: "misplaced_property"
    case .duplicateProperty: "duplicate_property"
    case .invalidPropertyValue: "invalid_property_value"
    case .connectExpected: "connect_expected"
    case .secondConnect: "second_connect"
    case .unknownProtocol: "unknown_protocol"
    case .oldProtocolVersion: "old_protocol_version"
    case .newProtocolVersion: "new_protocol_version"
    case .invalidWillFlags: "invalid_will_flags"
    case .invalidWillTopic: "invalid_will_topic"
    case .passwordWithoutUserName: "password_without_user_name"
    case .clientIDMissing: "client_id_missing"
    case .clientIDTooLong: "client_id_too_long"
    case .willQoSNotSupported: "will_qos_not_supported"
    case .willRetainNotSupported: "will_retain_not_supported"
    case .authenticationNotSupported: "authentication_not_supported"
    case .unexpectedAuthentication: "unexpected_authentication"
    case .wrongDirection: "wrong_direction"
    case .qosNotSupported: "qos_not_supported"
    case .retainNotSupported: "retain_not_supported"
    case .topicWithWildcard: "topic_with_wildcard"
    case .emptyTopic: "empty_topic"
    case .zeroTopicAlias: "zero_topic_alias"
    case .topicAliasNotSupported: "topic_alias_not_supported"
    case .unknownTopicAlias: "unknown_topic_alias"
    case .topicAliasMemory: "topic_alias_memory"
    case .invalidPayload: "invalid_payload"
    case .invalidWillPayload: "invalid_will_payload"
    case .invalidReason: "invalid_reason"
    case .subscriptionIdentifierFromClient: "subscription_identifier_from_client"
    case .invalidResponseTopic: "invalid_response_topic"
    case .receiveMaximumExceeded: "receive_maximum_exceeded"
    case .packetTooLarge: "packet_too_large"
    case .noTopicFilter: "no_topic_filter"
    case .emptyTopicFilter: "empty_topic_filter"
    case .invalidSubscriptionOptions: "invalid_subscription_options"
    case .sessionExpiryRaised: "session_expiry_raised"
    }
  }

  /// A short text for a log line and for the reason string of MQTT 5.0.
  public var text: StaticString {
    switch self {
    case .malformedLength: "a length is malformed"
    case .unknownPacketType: "the packet type does not exist"
    case .reservedFlags: "reserved flags are wrong"
    case .truncatedPacket: "a field reaches beyond the end of its packet"
    case .trailingBytes: "the packet is longer than its fields"
    case .invalidString: "a string is not UTF-8 or has a NUL"
    case .invalidQoS: "QoS 3 does not exist"
    case .duplicateWithoutQoS: "DUP with QoS 0"
    case .zeroPacketID: "the packet identifier is 0"
    case .unknownProperty: "a property does not exist"
    case .misplacedProperty: "a property does not belong in this packet"
    case .duplicateProperty: "a property is there twice"
    case .invalidPropertyValue: "a property has a value it cannot have"
    case .connectExpected: "the first packet is not CONNECT"
    case .secondConnect: "a second CONNECT"
    case .unknownProtocol: "the protocol name is not MQTT"
    case .oldProtocolVersion: "only MQTT 3.1.1 and 5.0 are spoken here, not older ones"
    case .newProtocolVersion: "only MQTT 3.1.1 and 5.0 are spoken here, not newer ones"
    case .invalidWillFlags: "the flags of the will contradict each other"
    case .invalidWillTopic: "the topic of the will is empty or has a wildcard"
    case .passwordWithoutUserName: "a password without a user name"
    case .clientIDMissing: "an empty client identifier needs a clean session"
    case .clientIDTooLong: "the client identifier is too long"
    case .willQoSNotSupported: "a will with QoS 2 is not supported, at most QoS 1"
    case .willRetainNotSupported: "a will with RETAIN is not supported"
    case .authenticationNotSupported: "extended authentication is not supported"
    case .unexpectedAuthentication: "authentication without an authentication method"
    case .wrongDirection: "a packet that only the other side sends"
    case .qosNotSupported: "QoS 2 is not supported, at most QoS 1"
    case .retainNotSupported: "RETAIN is not supported"
    case .topicWithWildcard: "a topic name with a wildcard"
    case .emptyTopic: "an empty topic name"
    case .zeroTopicAlias: "the topic alias is 0"
    case .topicAliasNotSupported: "the topic alias is above the topic alias maximum"
    case .unknownTopicAlias: "no topic came with the topic alias before"
    case .topicAliasMemory: "the topics behind topic aliases take too much memory"
    case .invalidPayload: "the payload is not UTF-8 as its format indicator says"
    case .invalidWillPayload: "the will is not UTF-8 as its format indicator says"
    case .invalidReason: "a reason code that the packet cannot have"
    case .subscriptionIdentifierFromClient: "a subscription identifier from a client"
    case .invalidResponseTopic: "the response topic has a wildcard"
    case .receiveMaximumExceeded: "more unanswered messages than the receive maximum"
    case .packetTooLarge: "the packet is larger than the maximum"
    case .noTopicFilter: "no topic filter"
    case .emptyTopicFilter: "an empty topic filter"
    case .invalidSubscriptionOptions: "subscription options that cannot be"
    case .sessionExpiryRaised: "DISCONNECT raises a session expiry of 0"
    }
  }
}
