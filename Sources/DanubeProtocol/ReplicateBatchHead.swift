public import Bytes

/// The front of a `danube.edge.ReplicateBatch` (1 topic_name, 2 messages, 3 batch_last_offset): its
/// topic. Behind it come stored messages, each as an element of field 2 (`0x12`, its length, a
/// `StreamMessage`), and then the ``ReplicateBatchTail``.
public struct ReplicateBatchHead: Equatable, Sendable {
  /// The topic of all messages.
  public var topicName: [UInt8]

  /// The front of a batch.
  public init(topicName: [UInt8]) {
    self.topicName = topicName
  }

  /// Bytes that it takes.
  public var encodedSize: Int { Protobuf.fieldSize(1, bytes: topicName) }

  /// Appends the field.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, bytes: topicName)
  }
}
