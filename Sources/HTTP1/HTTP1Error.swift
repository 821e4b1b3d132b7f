/// Why a request can't be read. The connection is of no use afterwards: answer with
/// ``statusCode`` and close it, for where the next request starts is not known.
public enum HTTP1Error: UInt8, Error, BitwiseCopyable, Sendable, CaseIterable {
  /// The request line is not `method SP target SP HTTP/x.y`.
  case invalidRequestLine
  /// The target has none of the forms of RFC 9112 §3.2, or none its method may have.
  case invalidTarget
  /// A line feed without the carriage return before it.
  case bareLineFeed
  /// A carriage return without the line feed after it.
  case bareCarriageReturn
  /// A control character, NUL included.
  case invalidCharacter
  /// A field name is empty, no token, or followed by white space.
  case invalidFieldName
  /// A field value is continued on the next line (RFC 9112 §5.2).
  case foldedField
  /// None or several Host fields, or one that is no host.
  case invalidHost
  /// Content-Length is no number, too large to count, or there are several.
  case invalidContentLength
  /// Transfer-Encoding comes twice, in HTTP/1.0, or does not end in `chunked` once.
  case invalidTransferEncoding
  /// Both Content-Length and Transfer-Encoding: the shape of request smuggling.
  case ambiguousLength
  /// A chunk's size, extension or end is malformed, or a trailer is.
  case invalidChunk
  /// The request target does not fit the limit on the head.
  case targetTooLong
  /// The head is longer than the limit, or has more fields.
  case headTooLarge
  /// The body is longer than the limit.
  case bodyTooLarge
  /// An Expect other than `100-continue`.
  case unknownExpectation
  /// A transfer coding other than `chunked`.
  case unknownTransferCoding
  /// A major version other than 1.
  case unsupportedVersion

  /// The status code to answer with, RFC 9110 §15.
  public var statusCode: UInt16 {
    switch self {
    case .targetTooLong: 414
    case .headTooLarge: 431
    case .bodyTooLarge: 413
    case .unknownExpectation: 417
    case .unknownTransferCoding: 501
    case .unsupportedVersion: 505
    case .invalidRequestLine, .invalidTarget, .bareLineFeed, .bareCarriageReturn,
      .invalidCharacter, .invalidFieldName, .foldedField, .invalidHost, .invalidContentLength,
      .invalidTransferEncoding, .ambiguousLength, .invalidChunk:
      400
    }
  }
}
