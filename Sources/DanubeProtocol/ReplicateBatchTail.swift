public import Bytes

/// The end of a `danube.edge.ReplicateBatch`, behind its messages. See ``ReplicateBatchHead``.
public struct ReplicateBatchTail: BitwiseCopyable, Equatable, Sendable {
  /// Bytes that the end of a batch takes at most.
  public static let maximumSize = 11

  /// Names the batch: one up to the highest that the topic has seen is taken for a repeat.
  public var lastOffset: UInt64

  /// The end of a batch.
  public init(lastOffset: UInt64) {
    self.lastOffset = lastOffset
  }

  /// Bytes that it takes.
  public var encodedSize: Int { Protobuf.fieldSize(3, varint: lastOffset) }

  /// Appends the field.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(3, varint: lastOffset)
  }
}
