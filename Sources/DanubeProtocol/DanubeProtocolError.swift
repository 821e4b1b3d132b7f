/// Why bytes are not a message.
public enum DanubeProtocolError: Error, BitwiseCopyable, Sendable, Equatable {
  /// The bytes end inside a field.
  case truncated
  /// A varint of more than 64 bits.
  case malformedVarint
  /// A field number of 0 or above 2^29 - 1, or a wire type that does not exist.
  case malformedTag
  /// A group that is never closed, closed by another number, or nested too deep.
  case malformedGroup
}
