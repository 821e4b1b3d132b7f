import Bytes
import DanubeProtocol
import GRPC
import Simulator
import Testing

/// What an edge does.
extension Scene {
  func register(
    _ edge: String, _ topics: [String], subject: String? = nil, from other: ClientLoop? = nil
  ) throws -> RegisterEdgeResponse {
    let outcome = unary(.registerEdge, from: other) {
      RegisterEdgeRequest(
        edgeName: utf8(edge),
        topics: topics.map {
          EdgeTopicDeclaration(topicName: utf8($0), schemaSubject: subject.map(utf8))
        }
      ).encode(into: &$0)
    }
    try #require(outcome.status == .ok, "\(outcome)")
    let bytes = try #require(outcome.messages.first)
    return try RegisterEdgeResponse(decoding: bytes.rawBytes)
  }

  func heartbeat(_ edge: String, version: UInt64) -> ClientLoop.Outcome {
    unary(.edgeHeartbeat) {
      EdgeHeartbeatRequest(edgeName: utf8(edge), configVersion: version).encode(into: &$0)
    }
  }

  /// A message as an edge has it: of no producer.
  static func edgeMessage(_ topic: String, _ payload: String) -> StreamMessage {
    var message = message(topic, producer: 0, payload)
    message.requestID = 0
    message.producerName = utf8("edge")
    return message
  }

  static func batch(_ topic: String, _ messages: [StreamMessage], last: UInt64) -> [UInt8] {
    var bytes = GrowableBytes()
    ReplicateBatchHead(topicName: utf8(topic)).encode(into: &bytes)
    for message in messages {
      var encoded = GrowableBytes()
      message.encode(into: &encoded)
      bytes.appendLengthDelimited(2, encoded.bytes)
    }
    ReplicateBatchTail(lastOffset: last).encode(into: &bytes)
    return Array(copying: bytes.bytes)
  }

  static func batch(_ topic: String, _ payloads: [String], last: UInt64) -> [UInt8] {
    batch(topic, payloads.map { edgeMessage(topic, $0) }, last: last)
  }

  /// Waits until a call has so many acks, and gives all it has.
  @discardableResult
  func acks(
    _ tag: UInt64, count: Int, from other: ClientLoop? = nil, milliseconds: Int = 5_000
  ) throws -> [ReplicateAck] {
    let caller = other ?? client
    driver.run(milliseconds: milliseconds) {
      (caller.outcomes[tag]?.messages.count ?? 0) >= count
        || caller.outcomes[tag]?.status != nil
    }
    return try (caller.outcomes[tag]?.messages ?? []).map {
      try ReplicateAck(decoding: $0.rawBytes)
    }
  }

  /// Waits for the end of a call.
  func end(_ tag: UInt64, from other: ClientLoop? = nil) -> StatusCode? {
    let caller = other ?? client
    driver.run(milliseconds: 5_000) { caller.outcomes[tag]?.status != nil }
    return caller.outcomes[tag]?.status
  }
}
