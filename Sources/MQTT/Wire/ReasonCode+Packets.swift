extension ReasonCode {
  /// Whether a packet of this type may carry the code in MQTT 5.0 (§2.4, table 2-6; [MQTT-3.2.2-8]
  /// [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.9.3-2] [MQTT-3.11.3-2]
  /// [MQTT-3.14.2-1] [MQTT-3.15.2-1]). False for packets that have none.
  public func isAllowed(in type: PacketType) -> Bool {
    switch type {
    case .connack: isConnackReason
    case .puback, .pubrec: isPublishReason
    case .pubrel, .pubcomp: self == .success || self == .packetIdentifierNotFound
    case .suback: isSubackReason
    case .unsuback:
      self == .noSubscriptionExisted
        || isSubackReason
          && rawValue != 0x01 && rawValue != 0x02 && rawValue < 0x97
    case .disconnect: isDisconnectReason
    case .auth: [0x00, 0x18, 0x19].contains(rawValue)
    case .connect, .publish, .subscribe, .unsubscribe, .pingreq, .pingresp: false
    }
  }

  private var isConnackReason: Bool {
    switch rawValue {
    case 0x00, 0x80...0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99...0x9D, 0x9F: true
    default: false
    }
  }

  private var isPublishReason: Bool {
    switch rawValue {
    case 0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99: true
    default: false
    }
  }

  private var isSubackReason: Bool {
    switch rawValue {
    case 0x00...0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2: true
    default: false
    }
  }

  private var isDisconnectReason: Bool {
    switch rawValue {
    case 0x00, 0x04, 0x80...0x83, 0x87, 0x89, 0x8B...0x90, 0x93...0xA2: true
    default: false
    }
  }
}
