import Bytes
import DanubeProtocol
import Testing

@Suite("Reading what others wrote")
struct DecodingTests {
  /// A message with every field, and an unknown one of each wire type.
  static func fullMessage() -> [UInt8] {
    encoded { bytes in
      var message = StreamMessage()
      message.requestID = 5
      message.messageID = GoldenBytesTests.messageID
      message.payload = utf8("21.5")
      message.publishTimeMilliseconds = 1_700_000_000_123
      message.producerName = utf8("p")
      message.subscriptionName = utf8("s")
      message.attributes = [.init(key: utf8("a"), value: utf8("1"))]
      message.schemaID = 1
      message.schemaVersion = 4
      message.routingKey = utf8("k")
      message.encode(into: &bytes)
      bytes.appendPresentField(99, varint: .max)
      bytes.appendLengthDelimited(100, utf8("unknown"))
      bytes.append(contentsOf: [0x69] + [UInt8](repeating: 1, count: 8))  // 13, fixed64
      bytes.append(contentsOf: [0x6d] + [UInt8](repeating: 1, count: 4))  // 13, fixed32
      bytes.append(contentsOf: [0x6b, 0x08, 0x01, 0x73, 0x74, 0x6c])  // group 13 { 1: 1, group 14 }
    }
  }

  @Test("A view reads every field in place and passes over unknown ones")
  func view() throws {
    let bytes = Self.fullMessage()
    let view = try StreamMessageView(decoding: bytes.rawBytes)
    let message = StreamMessage(copying: view)
    let hasOptionals = (view.hasMessageID, view.hasRoutingKey)
    #expect(hasOptionals == (true, true))
    #expect(message.requestID == 5)
    #expect(message.messageID == GoldenBytesTests.messageID)
    #expect(message.payload == utf8("21.5"))
    #expect(message.publishTimeMilliseconds == 1_700_000_000_123)
    #expect(message.producerName == utf8("p"))
    #expect(message.subscriptionName == utf8("s"))
    #expect(message.schemaID == 1)
    #expect(message.schemaVersion == 4)
    #expect(message.routingKey == utf8("k"))
    #expect(message.attributes == [.init(key: utf8("a"), value: utf8("1"))])
  }

  @Test("Two msg_id sub-messages are merged, in either order, and the last scalar wins")
  func merging() throws {
    let stored = encoded {
      MessageID(topicName: utf8("/default/t")).encode(asField: 2, into: &$0)
      $0.appendField(4, varint: 1)
      $0.appendField(3, bytes: utf8("x"))
    }
    let head = encoded {
      $0.appendField(1, varint: 9)
      MessageID(producerID: 4, brokerAddress: utf8("b")).encode(asField: 2, into: &$0)
    }
    let tail = encoded { $0.appendField(4, varint: 2) }
    for bytes in [head + stored + tail, stored + head + tail] {
      let message = try StreamMessage(decoding: bytes.rawBytes)
      #expect(
        message.messageID
          == MessageID(producerID: 4, topicName: utf8("/default/t"), brokerAddress: utf8("b")))
      #expect(message.publishTimeMilliseconds == 2)
      #expect(message.payload == utf8("x"))
      #expect(message.requestID == 9)
    }
  }

  @Test("A known number with another wire type is passed over")
  func otherWireType() throws {
    let bytes = encoded {
      $0.appendLengthDelimited(1, utf8("no number"))
      $0.appendPresentField(3, varint: 7)
    }
    let message = try StreamMessage(decoding: bytes.rawBytes)
    #expect(message == StreamMessage())
    #expect(try HealthCheckRequest(decoding: bytes.rawBytes).requestID == 0)
  }

  @Test("An unknown value of an enum is not taken for a known one")
  func unknownEnum() throws {
    for value in [UInt64(4), 255, 256, .max] {
      let bytes = encoded { $0.appendPresentField(5, varint: value) }
      let request = try ConsumerRequest(decoding: bytes.rawBytes)
      #expect(request.subscriptionType == .unrecognized)
    }
  }

  @Test(
    "Malformed bytes are refused with their reason",
    arguments: [
      ("08", DanubeProtocolError.truncated),  // no value
      ("0880", .truncated),  // varint cut
      ("08ffffffffffffffffff02", .malformedVarint),  // 65 bits
      ("08ffffffffffffffffffff01", .malformedVarint),  // eleven bytes
      ("1a05", .truncated),  // length beyond the end
      ("1affffffffffffffffff01", .truncated),  // length 2^64 - 1
      ("120408ac02", .truncated),  // sub-message longer than the message
      ("120208ac", .truncated),  // field cut inside the sub-message
      ("0001", .malformedTag),  // number 0
      ("8080808010", .malformedTag),  // number 2^29
      ("0e", .malformedTag),  // wire type 6
      ("6b", .truncated),  // open group
      ("6c", .malformedGroup),  // end without a start
      ("6b74", .malformedGroup),  // closed by another number
      ("3a020a05", .truncated),  // attribute cut
      ("6901020304", .truncated),  // fixed64 cut
      ("6d0102", .truncated),  // fixed32 cut
    ])
  func malformed(_ text: String, _ reason: DanubeProtocolError) {
    let bytes = unhex(text)
    #expect(throws: reason) { try StreamMessage(decoding: bytes.rawBytes) }
  }

  @Test("Groups nested without end are refused instead of followed")
  func deepGroups() {
    let bytes = [UInt8](repeating: 0x6b, count: 100_000)
    #expect(throws: DanubeProtocolError.malformedGroup) {
      try StreamMessage(decoding: bytes.rawBytes)
    }
  }

  @Test("Every prefix of a message is read or refused, never trapped on")
  func prefixes() {
    let whole = Self.fullMessage()
    var refused = 0
    for length in 0..<whole.count {
      do { _ = try StreamMessage(decoding: Array(whole.prefix(length)).rawBytes) } catch {
        refused += 1
      }
    }
    #expect(refused > whole.count / 2)
  }

  @Test("Mutated bytes are read or refused, never trapped on", .timeLimit(.minutes(1)))
  func mutated() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededGenerator(seed: seed)
    let whole = Self.fullMessage()
    var outcomes = [0, 0]
    for _ in 0..<20_000 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: bytes.indices, using: &random)] = .random(in: 0...255, using: &random)
      }
      if Bool.random(using: &random) {
        bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
      }
      outcomes[Self.readAsEverything(bytes) ? 1 : 0] += 1
    }
    #expect(outcomes.min() ?? 0 > 100, "seed \(seed)")
  }

  /// Reads the bytes as each message; whether the stream message was readable.
  static func readAsEverything(_ bytes: [UInt8]) -> Bool {
    let span = bytes.rawBytes
    _ = try? ProducerRequest(decoding: span)
    _ = try? ProducerResponse(decoding: span)
    _ = try? ConsumerRequest(decoding: span)
    _ = try? AckRequest(decoding: span)
    _ = try? NackRequest(decoding: span)
    _ = try? TopicLookupResponse(decoding: span)
    _ = try? TopicPartitionsResponse(decoding: span)
    _ = try? HealthCheckRequest(decoding: span)
    guard let message = try? StreamMessage(decoding: span) else { return false }
    // What was read can be written and read again.
    let again = encoded { message.encode(into: &$0) }
    return (try? StreamMessage(decoding: again.rawBytes)) == message
  }
}

struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ (state >> 33)
  }
}
