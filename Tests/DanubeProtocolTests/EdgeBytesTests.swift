import Bytes
import DanubeProtocol
import Testing

/// The bytes were produced by Google's protobuf for Python from Danube's own definitions.
@Suite("The edge service's messages against bytes of Google's protobuf")
struct EdgeBytesTests {
  static let schema = ResolvedSchema(
    subject: utf8("s"), schemaID: 1, schemaVersion: 2, schemaType: utf8("number"),
    definition: utf8("\"Number\""), fingerprint: utf8("number"),
    compatibilityMode: utf8("backward"))
  static let schemaBytes =
    "0a01731001180222066e756d6265722a08224e756d6265722232066e756d6265723a086261636b77617264"

  @Test("RegisterEdgeRequest, with a subject that is empty and one that is missing")
  func registerEdgeRequest() throws {
    try GoldenBytesTests.check(
      RegisterEdgeRequest(
        edgeName: utf8("plant"),
        topics: [
          EdgeTopicDeclaration(topicName: utf8("/plant/a")),
          EdgeTopicDeclaration(topicName: utf8("/plant/b"), schemaSubject: utf8("s")),
          EdgeTopicDeclaration(schemaSubject: []),
        ]),
      "0a05706c616e74120a0a082f706c616e742f61120d0a082f706c616e742f6212017312021200",
      encode: { $0.encode(into: &$1) }, decode: { try RegisterEdgeRequest(decoding: $0) })
  }

  @Test("RegisterEdgeResponse, each topic with its own error")
  func registerEdgeResponse() throws {
    try GoldenBytesTests.check(
      RegisterEdgeResponse(
        isSuccess: true, message: utf8("ok"), configVersion: 300,
        topics: [
          TopicRegistrationResult(
            topicName: utf8("/plant/a"), isTopicCreated: true, isSchemaResolved: true,
            schema: Self.schema),
          TopicRegistrationResult(topicName: utf8("/x/b"), error: utf8("no")),
          TopicRegistrationResult(schema: ResolvedSchema()),
        ]),
      "080112026f6b18ac02223b0a082f706c616e742f6110011801222b\(Self.schemaBytes)"
        + "220a0a042f782f622a026e6f22022200",
      encode: { $0.encode(into: &$1) }, decode: { try RegisterEdgeResponse(decoding: $0) })
  }

  @Test("EdgeHeartbeatRequest and EdgeHeartbeatResponse")
  func heartbeat() throws {
    try GoldenBytesTests.check(
      EdgeHeartbeatRequest(edgeName: utf8("plant"), configVersion: 7), "0a05706c616e741007",
      encode: { $0.encode(into: &$1) }, decode: { try EdgeHeartbeatRequest(decoding: $0) })
    try GoldenBytesTests.check(
      EdgeHeartbeatResponse(
        isChanged: true, configVersion: 8,
        changes: [
          EdgeChange(
            topicName: utf8("/plant/a"), changeType: .schemaRemoved, detail: utf8("d")),
          EdgeChange(topicName: utf8("/plant/b"), schema: Self.schema),
        ]),
      "080110081a0f0a082f706c616e742f6110012201641a370a082f706c616e742f621a2b"
        + Self.schemaBytes,
      encode: { $0.encode(into: &$1) }, decode: { try EdgeHeartbeatResponse(decoding: $0) })
    let unknown = try EdgeChange(decoding: unhex("1003").rawBytes)
    #expect(unknown.changeType == .unrecognized)
  }

  @Test("ReplicateAck")
  func acknowledgement() throws {
    try GoldenBytesTests.check(
      ReplicateAck(topicName: utf8("/plant/a"), ackedOffset: 300), "0a082f706c616e742f6110ac02",
      encode: { $0.encode(into: &$1) }, decode: { try ReplicateAck(decoding: $0) })
  }

  static let batch =
    "0a082f706c616e742f61" + "120508011a0178" + "1200" + "1285011a8201"
    + String(repeating: "79", count: 130) + "18ffffffffffffffffff01"

  @Test("A ReplicateBatch is a head, stored elements and a tail")
  func batchParts() {
    let head = ReplicateBatchHead(topicName: utf8("/plant/a"))
    let tail = ReplicateBatchTail(lastOffset: .max)
    let bytes = encoded {
      head.encode(into: &$0)
      $0.append(contentsOf: unhex("120508011a0178" + "1200" + "1285011a8201"))
      $0.append(contentsOf: [UInt8](repeating: 0x79, count: 130))
      tail.encode(into: &$0)
    }
    #expect(hex(bytes) == Self.batch)
    #expect(head.encodedSize == 10)
    #expect(tail.encodedSize == ReplicateBatchTail.maximumSize)
    let nothing = encoded { ReplicateBatchTail(lastOffset: 0).encode(into: &$0) }
    #expect(nothing.isEmpty)
  }

  @Test("A ReplicateBatch is read in place, message by message, in any order of its fields")
  func batchView() throws {
    let tailFirst =
      "18ffffffffffffffffff01" + Self.batch.dropLast(22).dropFirst(20) + "0a0178"
      + "0a082f706c616e742f61" + "2001"
    for text in [Self.batch, tailFirst] {
      let bytes = unhex(text)
      let view = try ReplicateBatchView(decoding: bytes.rawBytes)
      let topic = Array(copying: view.topicName)
      let count = view.messageCount
      let last = view.lastOffset
      #expect(topic == utf8("/plant/a"))
      #expect(count == 3)
      #expect(last == .max)
      var read: [StreamMessage] = []
      var messages = view.messages
      while let message = messages.next() {
        read.append(try StreamMessage(decoding: message))
      }
      #expect(read.map(\.payload) == [utf8("x"), [], [UInt8](repeating: 0x79, count: 130)])
      #expect(read.map(\.requestID) == [1, 0, 0])
    }
  }

  @Test(
    "Malformed batches are refused with their reason",
    arguments: [
      ("1205080110", DanubeProtocolError.truncated),  // message beyond the end
      ("0a", .truncated),  // no topic
      ("18ffffffffffffffffff02", .malformedVarint),  // offset of 65 bits
      ("0001", .malformedTag),  // number 0
      ("6b", .truncated),  // open group
    ])
  func malformed(_ text: String, _ reason: DanubeProtocolError) {
    let bytes = unhex(text)
    #expect(throws: reason) { _ = try Self.count(bytes) }
  }

  private static func count(_ bytes: [UInt8]) throws -> Int {
    try ReplicateBatchView(decoding: bytes.rawBytes).messageCount
  }

  @Test("Every prefix of an edge message is read or refused, never trapped on")
  func prefixes() {
    let response =
      "080112026f6b18ac02223b0a082f706c616e742f6110011801222b\(Self.schemaBytes)"
      + "220a0a042f782f622a026e6f22022200"
    var refused = 0
    for whole in [unhex(response), unhex(Self.batch)] {
      for length in 0..<whole.count {
        let bytes = Array(whole.prefix(length))
        do {
          _ = try RegisterEdgeRequest(decoding: bytes.rawBytes)
          _ = try EdgeHeartbeatResponse(decoding: bytes.rawBytes)
          _ = try RegisterEdgeResponse(decoding: bytes.rawBytes)
          _ = try Self.count(bytes)
        } catch { refused += 1 }
      }
    }
    #expect(refused > 100)
  }
}
