import Bytes

@testable import MQTT

/// Packets of one version with about everything in them, from a seed: the value, and its bytes as
/// the encoder writes them.
struct RandomPacket {
  let version: ProtocolVersion
  var random: SeededRandom
  private var encoder: PacketEncoder { PacketEncoder(version: version) }

  init(version: ProtocolVersion, seed: UInt64) {
    self.version = version
    random = SeededRandom(seed: seed)
  }

  mutating func next(_ type: PacketType) -> (packet: CodecPacket, bytes: [UInt8]) {
    var output = GrowableBytes()
    let packet = write(type, into: &output)
    return (packet, array(output))
  }

  private mutating func write(_ type: PacketType, into output: inout GrowableBytes) -> CodecPacket {
    switch type {
    case .connect: return writeConnect(into: &output)
    case .connack:
      let (list, texts) = properties(of: .connack)
      let code = reason(of: .connack).rawValue
      let isPresent = code == 0 && chance()
      encoder.connack(code, isSessionPresent: isPresent, properties: list, into: &output)
      return .connack(isPresent, code, texts)
    case .publish: return writePublish(into: &output)
    case .puback, .pubrec, .pubrel, .pubcomp:
      let (list, texts) = properties(of: PropertyHolder(type))
      let reason = version == .v5 ? reason(of: type) : .success
      let id = packetID()
      encoder.acknowledgement(type, id, reason, properties: list, into: &output)
      return .acknowledgement(type, id, reason, texts)
    case .subscribe:
      let (list, texts) = properties(of: .subscribe)
      let subscriptions = (0...Int.random(in: 0...4, using: &random)).map { _ in
        Subscription(filter: text(1...20), options: options())
      }
      let id = packetID()
      encoder.subscribe(id, subscriptions, properties: list, into: &output)
      return .subscribe(id, subscriptions, texts)
    case .unsubscribe:
      let (list, texts) = properties(of: .unsubscribe)
      let filters = (0...Int.random(in: 0...4, using: &random)).map { _ in text(1...20) }
      let id = packetID()
      encoder.unsubscribe(id, filters, properties: list, into: &output)
      return .unsubscribe(id, filters, texts)
    case .suback, .unsuback:
      let (list, texts) = properties(of: PropertyHolder(type))
      let codes = (0...Int.random(in: 0...4, using: &random)).map { _ in reason(of: type).rawValue }
      let id = packetID()
      if type == .suback {
        encoder.suback(id, codes.span.bytes, properties: list, into: &output)
      } else {
        encoder.unsuback(id, codes.span.bytes, properties: list, into: &output)
      }
      // An UNSUBACK of MQTT 3.1.1 has no codes.
      return .codes(type, id, type == .unsuback && version == .v3_1_1 ? [] : codes, texts)
    case .pingreq:
      encoder.pingreq(into: &output)
      return .empty(type)
    case .pingresp:
      encoder.pingresp(into: &output)
      return .empty(type)
    case .disconnect:
      let (list, texts) = properties(of: .disconnect)
      let reason = version == .v5 ? reason(of: type) : .success
      encoder.disconnect(reason, properties: list, into: &output)
      return .disconnect(reason, texts)
    case .auth:
      var (list, texts) = properties(of: .auth)
      let reason = reason(of: type)
      if !texts.isEmpty || reason != .success,
        !texts.contains(where: { $0.hasPrefix("authenticationMethod") })
      {
        list.append(.authenticationMethod, "m")
        texts.append(describe(.authenticationMethod, "m"))
      }
      encoder.auth(reason, properties: list, into: &output)
      return .auth(reason, texts)
    }
  }

  private mutating func writePublish(into output: inout GrowableBytes) -> CodecPacket {
    let (list, texts) = properties(of: .publish)
    let hasAlias = texts.contains { $0.hasPrefix("topicAlias ") }
    let qos = QoS.allCases.randomElement(using: &random) ?? .atMostOnce
    let message = CodecPacket.Message(
      topic: hasAlias && chance() ? [] : text(1...40), payload: bytes(0...300), qos: qos,
      isRetained: chance(), isDuplicate: qos != .atMostOnce && chance(),
      packetID: qos == .atMostOnce ? 0 : packetID(), properties: texts)
    encoder.publish(
      topic: message.topic.span.bytes, payload: message.payload.span.bytes, qos: qos,
      retain: message.isRetained, duplicate: message.isDuplicate, packetID: message.packetID,
      properties: list, into: &output)
    return .publish(message)
  }

  private mutating func writeConnect(into output: inout GrowableBytes) -> CodecPacket {
    var options = ClientOptions(clientID: "")
    options.clientID = text(0...30)
    options.isCleanStart = chance()
    options.keepAliveSeconds = .random(in: 0...(.max), using: &random)
    if chance() { options.userName = text(0...10) }
    // MQTT 3.1.1 wants a user name beside it.
    if chance(), version == .v5 || options.userName != nil { options.password = bytes(0...10) }
    var texts: [String] = []
    func note(_ id: PropertyID, _ number: UInt32?) {
      if let number { texts.append("\(id) \(number) [] []") }
    }
    options.sessionExpirySeconds = chance() ? .random(in: 0...(.max), using: &random) : nil
    note(.sessionExpiryInterval, options.sessionExpirySeconds)
    options.receiveMaximum = chance() ? .random(in: 1...(.max), using: &random) : nil
    note(.receiveMaximum, options.receiveMaximum.map(UInt32.init))
    options.maximumPacketBytes = chance() ? .random(in: 1...(.max), using: &random) : nil
    note(.maximumPacketSize, options.maximumPacketBytes)
    options.topicAliasMaximum = chance() ? .random(in: 0...(.max), using: &random) : nil
    note(.topicAliasMaximum, options.topicAliasMaximum.map(UInt32.init))
    options.requestsResponseInformation = chance() ? chance() : nil
    note(.requestResponseInformation, options.requestsResponseInformation.map { $0 ? 1 : 0 })
    options.requestsProblemInformation = chance() ? chance() : nil
    note(.requestProblemInformation, options.requestsProblemInformation.map { $0 ? 1 : 0 })
    if chance() {
      let method = text(0...8)
      options.authenticationMethod = method
      texts.append("\(PropertyID.authenticationMethod) 0 \(method) []")
      let data = bytes(0...8)
      options.authenticationData = data
      texts.append("\(PropertyID.authenticationData) 0 \(data) []")
    }
    let users = (0..<Int.random(in: 0...2, using: &random)).map { _ in userProperty() }
    options.userProperties = users
    texts += users.map { "\(PropertyID.userProperty) 0 \($0.name) \($0.value)" }
    var will: CodecPacket.Message?
    if chance() { will = setWill(of: &options) }
    encoder.connect(options, into: &output)
    return .connect(
      version,
      CodecPacket.Connect(
        clientID: options.clientID, isCleanStart: options.isCleanStart,
        keepAliveSeconds: options.keepAliveSeconds, userName: options.userName,
        password: options.password, will: will, properties: version == .v5 ? texts : []))
  }

  private mutating func setWill(of options: inout ClientOptions) -> CodecPacket.Message {
    var will = ClientOptions.Will(topic: "", payload: bytes(0...40))
    will.topic = text(1...20)
    will.qos = QoS.allCases.randomElement(using: &random) ?? .atMostOnce
    will.isRetained = chance()
    var texts: [String] = []
    if chance() {
      will.delaySeconds = 7
      texts.append("\(PropertyID.willDelayInterval) 7 [] []")
    }
    if chance() {
      will.properties.isUTF8 = false
      texts.append("\(PropertyID.payloadFormatIndicator) 0 [] []")
    }
    if chance() {
      will.properties.messageExpirySeconds = 8
      texts.append("\(PropertyID.messageExpiryInterval) 8 [] []")
    }
    if chance() {
      let type = text(0...9)
      will.properties.contentType = type
      texts.append("\(PropertyID.contentType) 0 \(type) []")
    }
    if chance() {
      let data = bytes(0...9)
      will.properties.correlationData = data
      texts.append("\(PropertyID.correlationData) 0 \(data) []")
    }
    if chance() {
      let user = userProperty()
      will.properties.userProperties = [user]
      texts.append("\(PropertyID.userProperty) 0 \(user.name) \(user.value)")
    }
    options.will = will
    return CodecPacket.Message(
      topic: will.topic, payload: will.payload, qos: will.qos, isRetained: will.isRetained,
      isDuplicate: false, packetID: 0, properties: version == .v5 ? texts : [])
  }
}

extension RandomPacket {
  private mutating func chance() -> Bool { .random(using: &random) }

  private mutating func packetID() -> UInt16 { .random(in: 1...(.max), using: &random) }

  private mutating func bytes(_ count: ClosedRange<Int>) -> [UInt8] {
    (0..<Int.random(in: count, using: &random)).map { _ in
      .random(in: 0...255, using: &random)
    }
  }

  /// UTF-8 without NUL and wildcards, of one to about four bytes a character.
  private mutating func text(_ count: ClosedRange<Int>) -> [UInt8] {
    let pieces = ["a", "b", "/", "ü", "€", "🌊", "$", " "]
    return (0..<Int.random(in: count, using: &random)).flatMap { _ in
      Array((pieces.randomElement(using: &random) ?? "a").utf8)
    }
  }

  private mutating func userProperty() -> UserProperty {
    var property = UserProperty(name: "", value: "")
    property.name = text(0...8)
    property.value = text(0...8)
    return property
  }

  private mutating func options() -> SubscriptionOptions {
    let qos = QoS.allCases.randomElement(using: &random) ?? .atMostOnce
    guard version == .v5 else { return SubscriptionOptions(maximumQoS: qos) }
    return SubscriptionOptions(
      maximumQoS: qos, noLocal: chance(), retainAsPublished: chance(),
      retainHandling: SubscriptionOptions.RetainHandling.allCases.randomElement(using: &random)
        ?? .send)
  }

  private mutating func reason(of type: PacketType) -> ReasonCode {
    let allowed = (0...255).map { ReasonCode(rawValue: $0) }.filter { $0.isAllowed(in: type) }
    return allowed.randomElement(using: &random) ?? .success
  }

  /// Any of the properties that a packet may have, each with about half the chance, and the texts
  /// that describe them; MQTT 3.1.1 gets the list and must leave it out.
  private mutating func properties(of holder: PropertyHolder) -> (PropertyList, [String]) {
    var list = PropertyList()
    var texts: [String] = []
    for id in PropertyID.allCases {
      let rule = PropertyRule(id)
      guard !rule.holders.isDisjoint(with: holder), chance() else { continue }
      switch rule.kind {
      case .stringPair:
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          let user = userProperty()
          list.append(user)
          texts.append("\(id) 0 \(user.name) \(user.value)")
        }
      case .string, .binary:
        let value = rule.kind == .string ? text(0...200) : bytes(0...200)
        list.append(id, value)
        texts.append("\(id) 0 \(value) []")
      default:
        let value = number(of: rule.kind, id)
        list.append(id, value)
        texts.append("\(id) \(value) [] []")
      }
    }
    return (list, version == .v5 ? texts : [])
  }

  private mutating func number(of kind: PropertyRule.Kind, _ id: PropertyID) -> UInt32 {
    switch kind {
    case .flag: .random(in: 0...1, using: &random)
    // A topic alias is never 0 [MQTT-3.3.2-8].
    case .uint16: .random(in: (id == .topicAlias ? 1 : 0)...65_535, using: &random)
    case .positive16: .random(in: 1...65_535, using: &random)
    case .uint32:
      [0, .max, .random(in: 0...(.max), using: &random)][Int.random(in: 0...2, using: &random)]
    case .positive32: .random(in: 1...(.max), using: &random)
    default:
      // Each length of a variable byte integer.
      [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455]
        .randomElement(using: &random) ?? 1
    }
  }
}
