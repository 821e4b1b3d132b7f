/// A place that holds properties.
struct PropertyHolder: OptionSet {
  let rawValue: UInt16

  static let will = PropertyHolder(rawValue: 1 << 0)
  static let connect = PropertyHolder(rawValue: 1 << 1)
  static let connack = PropertyHolder(rawValue: 1 << 2)
  static let publish = PropertyHolder(rawValue: 1 << 3)
  static let puback = PropertyHolder(rawValue: 1 << 4)
  static let pubrec = PropertyHolder(rawValue: 1 << 5)
  static let pubrel = PropertyHolder(rawValue: 1 << 6)
  static let pubcomp = PropertyHolder(rawValue: 1 << 7)
  static let subscribe = PropertyHolder(rawValue: 1 << 8)
  static let suback = PropertyHolder(rawValue: 1 << 9)
  static let unsubscribe = PropertyHolder(rawValue: 1 << 10)
  static let unsuback = PropertyHolder(rawValue: 1 << 11)
  static let disconnect = PropertyHolder(rawValue: 1 << 14)
  static let auth = PropertyHolder(rawValue: 1 << 15)

  static let message: PropertyHolder = [.publish, .will]
  static let greeting: PropertyHolder = [.connect, .connack]
  static let answers: PropertyHolder = [
    .connack, .puback, .pubrec, .pubrel, .pubcomp, .suback, .unsuback, .disconnect, .auth,
  ]
  static let all = PropertyHolder(rawValue: 0b1100_1111_1111_1111)

  /// The holder of the properties of a packet; nothing for the two that have none.
  init(_ type: PacketType) {
    self = PropertyHolder(rawValue: 1 << UInt16(type.rawValue)).intersection(.all)
  }

  init(rawValue: UInt16) { self.rawValue = rawValue }
}

/// What one row of the table of properties says (MQTT 5.0 §2.2.2.2, table 2-4).
struct PropertyRule {
  enum Kind: BitwiseCopyable {
    /// One byte, 0 or 1.
    case flag
    case uint16
    case uint32
    /// Two bytes, not 0.
    case positive16
    /// Four bytes, not 0.
    case positive32
    /// A variable byte integer, not 0.
    case positiveVariable
    case string
    case binary
    case stringPair
  }

  let kind: Kind
  let holders: PropertyHolder
  let mayRepeat: Bool

  private init(_ kind: Kind, _ holders: PropertyHolder, mayRepeat: Bool = false) {
    self.kind = kind
    self.holders = holders
    self.mayRepeat = mayRepeat
  }

  init(_ id: PropertyID) {
    self =
      switch id {
      case .payloadFormatIndicator: PropertyRule(.flag, .message)
      case .messageExpiryInterval: PropertyRule(.uint32, .message)
      case .contentType: PropertyRule(.string, .message)
      case .responseTopic: PropertyRule(.string, .message)
      case .correlationData: PropertyRule(.binary, .message)
      case .subscriptionIdentifier:
        // Once in a SUBSCRIBE: the view of that packet looks after it.
        PropertyRule(.positiveVariable, [.publish, .subscribe], mayRepeat: true)
      case .sessionExpiryInterval: PropertyRule(.uint32, [.connect, .connack, .disconnect])
      case .assignedClientIdentifier: PropertyRule(.string, .connack)
      case .serverKeepAlive: PropertyRule(.uint16, .connack)
      case .authenticationMethod: PropertyRule(.string, [.connect, .connack, .auth])
      case .authenticationData: PropertyRule(.binary, [.connect, .connack, .auth])
      case .requestProblemInformation: PropertyRule(.flag, .connect)
      case .willDelayInterval: PropertyRule(.uint32, .will)
      case .requestResponseInformation: PropertyRule(.flag, .connect)
      case .responseInformation: PropertyRule(.string, .connack)
      case .serverReference: PropertyRule(.string, [.connack, .disconnect])
      case .reasonString: PropertyRule(.string, .answers)
      case .receiveMaximum: PropertyRule(.positive16, .greeting)
      case .topicAliasMaximum: PropertyRule(.uint16, .greeting)
      case .topicAlias: PropertyRule(.uint16, .publish)
      case .maximumQoS: PropertyRule(.flag, .connack)
      case .retainAvailable: PropertyRule(.flag, .connack)
      case .userProperty: PropertyRule(.stringPair, .all, mayRepeat: true)
      case .maximumPacketSize: PropertyRule(.positive32, .greeting)
      case .wildcardSubscriptionAvailable: PropertyRule(.flag, .connack)
      case .subscriptionIdentifiersAvailable: PropertyRule(.flag, .connack)
      case .sharedSubscriptionAvailable: PropertyRule(.flag, .connack)
      }
  }
}
