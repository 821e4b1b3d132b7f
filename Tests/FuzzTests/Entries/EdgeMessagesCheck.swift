import Bytes
import DanubeProtocol

/// The messages of the edge service.
enum EdgeMessagesCheck {
  /// Whether the first byte of an input of ``ProtobufCheck`` means one of them.
  static func isMeant(by kind: UInt8) -> Bool { kind >= 0xe0 }

  static func run(_ kind: UInt8, _ bytes: [UInt8]) throws(Finding) {
    switch kind & 7 {
    case 0: try again(bytes, RegisterEdgeRequest.init(decoding:), { $0.encode(into: &$1) })
    case 1: try again(bytes, RegisterEdgeResponse.init(decoding:), { $0.encode(into: &$1) })
    case 2: try again(bytes, EdgeHeartbeatRequest.init(decoding:), { $0.encode(into: &$1) })
    case 3: try again(bytes, EdgeHeartbeatResponse.init(decoding:), { $0.encode(into: &$1) })
    case 4: try again(bytes, ReplicateAck.init(decoding:), { $0.encode(into: &$1) })
    default: try batch(bytes)
    }
  }

  private static func again<Message: Equatable>(
    _ bytes: [UInt8], _ decode: (RawSpan) throws(DanubeProtocolError) -> Message,
    _ encode: (Message, inout GrowableBytes) -> Void
  ) throws(Finding) {
    try ProtobufCheck.again(bytes, decode, encode)
  }

  /// The messages of a batch are as many as were counted, and what is put together of its parts is
  /// read as the same.
  private static func batch(_ bytes: [UInt8]) throws(Finding) {
    let isSame: Bool
    do throws(DanubeProtocolError) {
      let view = try ReplicateBatchView(decoding: bytes.rawBytes)
      var copy = GrowableBytes()
      ReplicateBatchHead(topicName: Array(copying: view.topicName)).encode(into: &copy)
      var messages = view.messages
      var count = 0
      while let message = messages.next() {
        copy.appendLengthDelimited(2, message)
        count += 1
      }
      ReplicateBatchTail(lastOffset: view.lastOffset).encode(into: &copy)
      let again = try ReplicateBatchView(decoding: copy.bytes)
      isSame =
        count == view.messageCount && again.messageCount == count
        && again.lastOffset == view.lastOffset
        && Array(copying: again.topicName) == Array(copying: view.topicName)
    } catch { return }
    try require(isSame, "a batch is not what it was put together of")
  }
}
