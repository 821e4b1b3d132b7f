import Bytes
import Testing

@testable import MQTT

@Suite("A codec for every packet type")
struct CodecTests {
  static let seeds: [UInt64] = [0xC0DEC, 1, 2]
  static let packetsPerType = 300

  static func types(_ version: ProtocolVersion) -> [PacketType] {
    PacketType.allCases.filter { version == .v5 || $0 != .auth }
  }

  @Test(
    "What is encoded is decoded again, whatever is in it", .timeLimit(.minutes(1)),
    arguments: ProtocolVersion.allCases, seeds)
  func roundTrip(version: ProtocolVersion, seed: UInt64) throws {
    var source = RandomPacket(version: version, seed: seed)
    for type in Self.types(version) {
      for number in 0..<Self.packetsPerType {
        let (packet, bytes) = source.next(type)
        let decoded = try CodecPacket.decode(bytes, version)
        if decoded != packet {
          let place = "seed \(seed), \(version) \(type) \(number)"
          let read = String(describing: decoded)
          Issue.record("\(place): \(packet) is \(bytes.hex), read as \(read)")
        }
        #expect(bytes[0] >> 4 == type.rawValue)
      }
    }
  }

  @Test("A packet is read when its last byte is there, and not before", arguments: seeds)
  func pieces(seed: UInt64) throws {
    for version in ProtocolVersion.allCases {
      var source = RandomPacket(version: version, seed: seed)
      for type in Self.types(version) {
        let (packet, bytes) = source.next(type)
        for length in 0..<bytes.count {
          #expect(try CodecPacket.decode(Array(bytes[..<length]), version) == nil)
        }
        // What follows it is left alone.
        var byteCount = 0
        let more = bytes + [0xFF]
        if let view = try PacketView.first(
          in: more.span.bytes, version: version, byteCount: &byteCount)
        {
          #expect(CodecPacket(view) == packet)
        }
        #expect(byteCount == bytes.count)
      }
    }
  }

  @Test("A packet whose fields are cut short is refused, never misread", arguments: seeds)
  func truncated(seed: UInt64) throws {
    for version in ProtocolVersion.allCases {
      var source = RandomPacket(version: version, seed: seed)
      for type in Self.types(version) {
        for _ in 0..<20 {
          let (packet, bytes) = source.next(type)
          // A CONNACK without its empty properties is read as MQTT 3.1.1 servers write it.
          if case .connack(_, _, []) = packet { continue }
          let header = try #require(
            try FixedHeader.parse(bytes.span.bytes, mustBeShortest: version == .v5))
          for length in 0..<header.remainingLength where length < 128 {
            let cut =
              [bytes[0], UInt8(length)]
              + Array(bytes[header.byteCount..<header.byteCount + length])
            // Payloads and lists of codes or filters may end anywhere, and so may optional fields.
            let decoded = try? CodecPacket.decode(cut, version)
            #expect(decoded != packet, "seed \(seed): \(bytes.hex) cut to \(cut.hex)")
          }
        }
      }
    }
  }

  @Test("Mutated packets never trap the decoder", .timeLimit(.minutes(1)), arguments: seeds)
  func mutated(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var accepted = 0
    for version in ProtocolVersion.allCases {
      var source = RandomPacket(version: version, seed: seed)
      for type in Self.types(version) {
        for _ in 0..<400 {
          var (_, bytes) = source.next(type)
          for _ in 0...Int.random(in: 0...2, using: &random) {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] =
              UInt8.random(in: 0...255, using: &random)
          }
          if let decoded = try? CodecPacket.decode(bytes, version) {
            accepted += 1
            withExtendedLifetime(decoded) {}
          }
        }
      }
    }
    #expect(accepted > 500, "seed \(seed)")
  }

  @Test("A property is refused in every packet that may not have it (table 2-4)")
  func misplaced() throws {
    for id in PropertyID.allCases {
      let rule = PropertyRule(id)
      var list = PropertyList()
      switch rule.kind {
      case .stringPair: list.append(UserProperty(name: "n", value: "v"))
      case .string, .binary: list.append(id, "x")
      default: list.append(id, 1)
      }
      for type in PacketType.allCases {
        let isAllowed = !rule.holders.isDisjoint(with: PropertyHolder(type))
        #expect(list.isAllowed(in: type) == isAllowed, "\(id) in \(type)")
      }
    }
    #expect(PropertyList().isAllowed(in: .pingreq))
  }

  @Test("Properties that were received can be sent on as they are [MQTT-3.3.2-17] [MQTT-3.3.2-18]")
  func forward() throws {
    let body = hex("0001'a' 14 01 01 03 0001'j' 26 0001'k' 0001'v' 26 0001'k' 0001'w' 'payload'")
    let bytes = [0x30, UInt8(body.count)] + body
    var byteCount = 0
    let view = try PacketView.first(in: bytes.span.bytes, version: .v5, byteCount: &byteCount)
    guard case .publish(let publish) = view else {
      Issue.record("no PUBLISH")
      return
    }
    var output = GrowableBytes()
    PacketEncoder(version: .v5).publish(
      topic: publish.topic, payload: publish.payload, qos: publish.qos,
      properties: PropertyList(publish.properties), into: &output)
    #expect(array(output) == bytes)
  }

  @Test("Which packet may carry which reason code (table 2-6)")
  func reasons() {
    let rows: [(PacketType, [UInt8])] = [
      (
        .connack,
        [
          0, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95,
          0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
        ]
      ),
      (.puback, [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
      (.pubrec, [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
      (.pubrel, [0, 0x92]), (.pubcomp, [0, 0x92]),
      (.suback, [0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]),
      (.unsuback, [0, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]),
      (
        .disconnect,
        [
          0, 4, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94,
          0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
        ]
      ),
      (.auth, [0, 0x18, 0x19]), (.connect, []), (.publish, []), (.subscribe, []),
      (.unsubscribe, []), (.pingreq, []), (.pingresp, []),
    ]
    #expect(rows.count == PacketType.allCases.count)
    for (type, codes) in rows {
      let allowed = (0...255).filter { ReasonCode(rawValue: $0).isAllowed(in: type) }
      #expect(allowed == codes, "\(type)")
    }
  }
}
