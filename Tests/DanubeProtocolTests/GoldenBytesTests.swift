import Bytes
import DanubeProtocol
import Testing

/// The bytes were produced by Google's protobuf for Python from Danube's own definitions.
@Suite("Messages against bytes of Google's protobuf")
struct GoldenBytesTests {
  static let messageID = MessageID(
    producerID: 300, topicName: utf8("/default/t"), brokerAddress: utf8("http://b:6650"),
    topicOffset: 7)

  static func check<Message: Equatable>(
    _ message: Message, _ golden: String, encode: (Message, inout GrowableBytes) -> Void,
    decode: (RawSpan) throws -> Message, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(hex(encoded { encode(message, &$0) }) == golden, sourceLocation: sourceLocation)
    let bytes = unhex(golden)
    #expect(try decode(bytes.rawBytes) == message, sourceLocation: sourceLocation)
  }

  @Test("MsgID")
  func messageID() throws {
    try Self.check(
      Self.messageID, "08ac02120a2f64656661756c742f741a0d687474703a2f2f623a363635302807",
      encode: { $0.encode(into: &$1) }, decode: { try MessageID(decoding: $0) })
  }

  @Test("ProducerRequest, with a pinned schema and with a oneof member of its default value")
  func producerRequest() throws {
    let request = ProducerRequest(
      requestID: 1, producerName: utf8("p"), topicName: utf8("/default/t"),
      schemaReference: SchemaReference(subject: utf8("s"), version: .pinned(2)),
      accessMode: .exclusive, dispatchStrategy: .reliable)
    try Self.check(
      request, "08011201701a0a2f64656661756c742f7422050a0173180228013001",
      encode: { $0.encode(into: &$1) }, decode: { try ProducerRequest(decoding: $0) })
    let latest = ProducerRequest(
      schemaReference: SchemaReference(subject: utf8("s"), version: .latest(false)))
    try Self.check(
      latest, "22050a01731000",
      encode: { $0.encode(into: &$1) }, decode: { try ProducerRequest(decoding: $0) })
  }

  @Test("ProducerResponse and MessageResponse")
  func producerResponses() throws {
    try Self.check(
      ProducerResponse(requestID: 1, producerID: 1 << 63 + 5, producerName: utf8("p")),
      "080110858080808080808080011a0170",
      encode: { $0.encode(into: &$1) }, decode: { try ProducerResponse(decoding: $0) })
    try Self.check(
      MessageResponse(requestID: 128), "088001",
      encode: { $0.encode(into: &$1) }, decode: { try MessageResponse(decoding: $0) })
  }

  @Test("ConsumerRequest, ConsumerResponse and ReceiveRequest")
  func consumer() throws {
    try Self.check(
      ConsumerRequest(
        requestID: 2, topicName: utf8("/default/t"), consumerName: utf8("c"),
        subscription: utf8("s"), subscriptionType: .keyShared, keyFilters: [utf8("a*"), []]),
      "0802120a2f64656661756c742f741a016322017328033202612a3200",
      encode: { $0.encode(into: &$1) }, decode: { try ConsumerRequest(decoding: $0) })
    try Self.check(
      ConsumerResponse(requestID: 2, consumerID: 9, consumerName: utf8("c")), "080210091a0163",
      encode: { $0.encode(into: &$1) }, decode: { try ConsumerResponse(decoding: $0) })
    try Self.check(
      ReceiveRequest(requestID: 3, consumerID: 9), "08031009",
      encode: { $0.encode(into: &$1) }, decode: { try ReceiveRequest(decoding: $0) })
  }

  @Test("StreamMessage, with optional fields of their default values")
  func streamMessage() throws {
    var message = StreamMessage()
    message.requestID = 5
    message.messageID = Self.messageID
    message.payload = utf8("21.5")
    message.publishTimeMilliseconds = 1_700_000_000_123
    message.producerName = utf8("p")
    message.subscriptionName = utf8("s")
    message.attributes = [
      .init(key: utf8("a"), value: utf8("1")), .init(key: utf8("b"), value: []),
    ]
    message.schemaID = 0
    message.schemaVersion = 4
    message.routingKey = utf8("k")
    try Self.check(
      message,
      "0805122008ac02120a2f64656661756c742f741a0d687474703a2f2f623a3636353028071a0432312e35"
        + "20fbd095ffbc312a01703201733a060a01611201313a050a016212004000480452016b",
      encode: { $0.encode(into: &$1) }, decode: { try StreamMessage(decoding: $0) })
    try Self.check(
      StreamMessage(), "1200",
      encode: { $0.encode(into: &$1) }, decode: { try StreamMessage(decoding: $0) })
  }

  @Test("AckRequest and NackRequest")
  func acknowledgements() throws {
    let messageID = "122008ac02120a2f64656661756c742f741a0d687474703a2f2f623a363635302807"
    try Self.check(
      AckRequest(requestID: 6, messageID: Self.messageID, subscriptionName: utf8("s")),
      "0806\(messageID)1a0173",
      encode: { $0.encode(into: &$1) }, decode: { try AckRequest(decoding: $0) })
    try Self.check(
      NackRequest(
        requestID: 6, messageID: Self.messageID, subscriptionName: utf8("s"),
        delayMilliseconds: 0, reason: []),
      "0806\(messageID)1a017320002a00",
      encode: { $0.encode(into: &$1) }, decode: { try NackRequest(decoding: $0) })
  }

  @Test("The discovery's messages")
  func discovery() throws {
    try Self.check(
      TopicLookupRequest(requestID: 1, topic: utf8("/default/t")), "0801120a2f64656661756c742f74",
      encode: { $0.encode(into: &$1) }, decode: { try TopicLookupRequest(decoding: $0) })
    try Self.check(
      TopicLookupResponse(
        requestID: 1, lookupType: .connect, connectURL: utf8("http://0.0.0.0:6650"),
        brokerURL: utf8("http://b:6650"), isProxy: true),
      "180120012a13687474703a2f2f302e302e302e303a36363530320d687474703a2f2f623a363635303801",
      encode: { $0.encode(into: &$1) }, decode: { try TopicLookupResponse(decoding: $0) })
    try Self.check(
      TopicPartitionsResponse(
        requestID: 1, partitions: [utf8("/default/t-part-0"), utf8("/default/t-part-1")]),
      "080112112f64656661756c742f742d706172742d3012112f64656661756c742f742d706172742d31",
      encode: { $0.encode(into: &$1) }, decode: { try TopicPartitionsResponse(decoding: $0) })
  }

  @Test("HealthCheck")
  func health() throws {
    try Self.check(
      HealthCheckRequest(requestID: 1, client: .consumer, id: 9), "080110011809",
      encode: { $0.encode(into: &$1) }, decode: { try HealthCheckRequest(decoding: $0) })
    try Self.check(
      HealthCheckResponse(status: .close), "0801",
      encode: { $0.encode(into: &$1) }, decode: { try HealthCheckResponse(decoding: $0) })
  }
}
