import Bytes
import MQTT

/// A packet of any type as a value: what was encoded and what was decoded must be the same.
enum CodecPacket: Equatable {
  struct Message: Equatable {
    var topic: [UInt8]
    var payload: [UInt8]
    var qos: QoS
    var isRetained: Bool
    var isDuplicate: Bool
    var packetID: UInt16
    var properties: [String]
  }

  struct Connect: Equatable {
    var clientID: [UInt8]
    var isCleanStart: Bool
    var keepAliveSeconds: UInt16
    var userName: [UInt8]?
    var password: [UInt8]?
    var will: Message?
    var properties: [String]
  }

  case connect(ProtocolVersion, Connect)
  case connack(Bool, UInt8, [String])
  case publish(Message)
  case acknowledgement(PacketType, UInt16, ReasonCode, [String])
  case subscribe(UInt16, [Subscription], [String])
  case unsubscribe(UInt16, [[UInt8]], [String])
  case codes(PacketType, UInt16, [UInt8], [String])
  case empty(PacketType)
  case disconnect(ReasonCode, [String])
  case auth(ReasonCode, [String])

  init(_ view: borrowing PacketView) {
    switch view {
    case .connect(let view): self = .connect(view.version, Connect(view))
    case .connack(let view):
      self = .connack(view.isSessionPresent, view.code, describe(view.properties))
    case .publish(let view): self = .publish(Message(view))
    case .acknowledgement(let view):
      self = .acknowledgement(view.type, view.packetID, view.reason, describe(view.properties))
    case .subscribe(let view):
      var subscriptions: [Subscription] = []
      var iterator = view.makeIterator()
      while let next = iterator.next() {
        subscriptions.append(Subscription(filter: array(next.filter), options: next.options))
      }
      precondition(subscriptions.count == view.filterCount)
      self = .subscribe(view.packetID, subscriptions, describe(view.properties))
    case .unsubscribe(let view):
      var filters: [[UInt8]] = []
      var iterator = view.makeIterator()
      while let next = iterator.next() { filters.append(array(next.filter)) }
      precondition(filters.count == view.filterCount)
      self = .unsubscribe(view.packetID, filters, describe(view.properties))
    case .suback(let view):
      self = .codes(.suback, view.packetID, array(view.codes), describe(view.properties))
    case .unsuback(let view):
      self = .codes(.unsuback, view.packetID, array(view.codes), describe(view.properties))
    case .pingreq: self = .empty(.pingreq)
    case .pingresp: self = .empty(.pingresp)
    case .disconnect(let view): self = .disconnect(view.reason, describe(view.properties))
    case .auth(let view): self = .auth(view.reason, describe(view.properties))
    }
  }

  /// All of `bytes` as one packet; nil where it is not complete, or more than one.
  static func decode(
    _ bytes: [UInt8], _ version: ProtocolVersion
  ) throws(MQTTError) -> CodecPacket? {
    var byteCount = 0
    guard
      let view = try PacketView.first(
        in: bytes.span.bytes, version: version, byteCount: &byteCount)
    else {
      precondition(byteCount == 0)
      return nil
    }
    return byteCount == bytes.count ? CodecPacket(view) : nil
  }
}

extension CodecPacket.Message {
  init(_ view: PublishView) {
    self.init(
      topic: array(view.topic), payload: array(view.payload), qos: view.qos,
      isRetained: view.isRetained, isDuplicate: view.isDuplicate, packetID: view.packetID,
      properties: describe(view.properties))
  }
}

extension CodecPacket.Connect {
  init(_ view: ConnectView) {
    self.init(
      clientID: array(view.clientID), isCleanStart: view.isCleanStart,
      keepAliveSeconds: view.keepAliveSeconds, properties: describe(view.properties))
    if let name = view.userName { userName = array(name) }
    if let word = view.password { password = array(word) }
    if let view = view.will {
      will = CodecPacket.Message(
        topic: array(view.topic), payload: array(view.payload), qos: view.qos,
        isRetained: view.isRetained, isDuplicate: false, packetID: 0,
        properties: describe(view.properties))
    }
  }
}
