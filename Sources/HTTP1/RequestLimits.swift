/// How large a request may be.
public struct RequestLimits: BitwiseCopyable, Sendable {
  /// Bytes of the request line and all fields with their line ends, at most 65,535.
  public let headBytes: Int
  /// Fields of a head.
  public let fieldCount: Int
  /// Bytes of a body, without its chunks' framing.
  public let bodyBytes: Int

  /// Bytes of all chunk extensions and trailers of one body.
  static let chunkExtraBytes = 4096

  /// Limits; a request above them fails with 431 (414 in its first line) or 413.
  public init(headBytes: Int = 8192, fieldCount: Int = 64, bodyBytes: Int) {
    precondition(headBytes > 0 && headBytes <= Int(UInt16.max))
    precondition(fieldCount > 0 && bodyBytes >= 0)
    self.headBytes = headBytes
    self.fieldCount = fieldCount
    self.bodyBytes = bodyBytes
  }
}
