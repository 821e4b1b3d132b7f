import Foundation

/// Protobuf as these tests need it, written apart from the gateway's own so that both are checked.
struct Proto {
  enum Value: Equatable {
    case varint(UInt64)
    case bytes([UInt8])
  }

  private(set) var fields: [(number: Int, value: Value)] = []

  init() {}

  /// Every field of `bytes` in the order of the wire; nil for what is no protobuf.
  init?(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      guard let tag = Self.takeVarint(&rest), tag >> 3 > 0 else { return nil }
      switch tag & 7 {
      case 0:
        guard let value = Self.takeVarint(&rest) else { return nil }
        fields.append((Int(tag >> 3), .varint(value)))
      case 2:
        guard let count = Self.takeVarint(&rest), count <= rest.count else { return nil }
        fields.append((Int(tag >> 3), .bytes(Array(rest.prefix(Int(count))))))
        rest = rest.dropFirst(Int(count))
      default: return nil
      }
    }
  }

  var encoded: [UInt8] {
    var output: [UInt8] = []
    for (number, value) in fields {
      switch value {
      case .varint(let value):
        Self.appendVarint(UInt64(number) << 3, to: &output)
        Self.appendVarint(value, to: &output)
      case .bytes(let bytes):
        Self.appendVarint(UInt64(number) << 3 | 2, to: &output)
        Self.appendVarint(UInt64(bytes.count), to: &output)
        output += bytes
      }
    }
    return output
  }

  func with(_ number: Int, _ value: UInt64) -> Proto {
    var copy = self
    copy.fields.append((number, .varint(value)))
    return copy
  }

  func with(_ number: Int, _ text: String) -> Proto {
    with(number, Array(text.utf8))
  }

  func with(_ number: Int, _ message: Proto) -> Proto {
    with(number, message.encoded)
  }

  func with(_ number: Int, _ bytes: [UInt8]) -> Proto {
    var copy = self
    copy.fields.append((number, .bytes(bytes)))
    return copy
  }

  /// The last scalar wins; 0 when there is none.
  func number(_ number: Int) -> UInt64 {
    for case (number, .varint(let value)) in fields.reversed() { return value }
    return 0
  }

  /// The last value wins; nil when there is none.
  func optionalBytes(_ number: Int) -> [UInt8]? {
    for case (number, .bytes(let value)) in fields.reversed() { return value }
    return nil
  }

  func text(_ number: Int) -> String {
    String(decoding: optionalBytes(number) ?? [], as: UTF8.self)
  }

  /// A sub-message; when it is there several times, they are merged, as protobuf says.
  func message(_ number: Int) -> Proto? {
    var merged: Proto?
    for case (number, .bytes(let value)) in fields {
      guard let part = Proto(value) else { return nil }
      merged = merged ?? Proto()
      merged?.fields += part.fields
    }
    return merged
  }

  /// A `map<string, string>`.
  func textMap(_ number: Int) -> [String: String] {
    var map: [String: String] = [:]
    for case (number, .bytes(let value)) in fields {
      guard let entry = Proto(value) else { continue }
      map[entry.text(1)] = entry.text(2)
    }
    return map
  }

  private static func takeVarint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= UInt64(byte & 0x7f) << shift
      if byte & 0x80 == 0 { return value }
    }
    return nil
  }

  private static func appendVarint(_ value: UInt64, to output: inout [UInt8]) {
    var rest = value
    while rest >= 0x80 {
      output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    output.append(UInt8(rest))
  }
}

/// Danube's method paths.
enum DanubePath {
  static let createProducer = "/danube.ProducerService/CreateProducer"
  static let sendMessage = "/danube.ProducerService/SendMessage"
  static let subscribe = "/danube.ConsumerService/Subscribe"
  static let receiveMessages = "/danube.ConsumerService/ReceiveMessages"
  static let ack = "/danube.ConsumerService/Ack"
  static let nack = "/danube.ConsumerService/Nack"
  static let topicLookup = "/danube.Discovery/TopicLookup"
  static let topicPartitions = "/danube.Discovery/TopicPartitions"
  static let healthCheck = "/danube.HealthCheck/HealthCheck"
}

/// A `danube.StreamMessage` as a broker or a consumer sees it.
struct DanubeMessage {
  let requestID: UInt64
  let producerID: UInt64
  let topic: String
  let brokerAddress: String
  let offset: UInt64
  let payload: [UInt8]
  let publishTime: UInt64
  let producerName: String
  let subscription: String
  let attributes: [String: String]
  /// Nil when the field is absent.
  let routingKey: String?
  let messageID: Proto

  init?(_ bytes: [UInt8]) {
    guard let proto = Proto(bytes), let id = proto.message(2) else { return nil }
    requestID = proto.number(1)
    messageID = id
    producerID = id.number(1)
    topic = id.text(2)
    brokerAddress = id.text(3)
    offset = id.number(5)
    payload = proto.optionalBytes(3) ?? []
    publishTime = proto.number(4)
    producerName = proto.text(5)
    subscription = proto.text(6)
    attributes = proto.textMap(7)
    routingKey = proto.optionalBytes(10).map { String(decoding: $0, as: UTF8.self) }
  }

  var text: String { String(decoding: payload, as: UTF8.self) }
}
