/// Finds the end of a request's head in bytes that arrive piece by piece; looks at each byte once.
///
/// Line ends and control characters are checked here, so that a peer that speaks something else is
/// told at its first wrong byte, and so that the outcome does not depend on how bytes were split.
struct HeadScanner: BitwiseCopyable {
  enum Outcome: BitwiseCopyable {
    case incomplete
    /// The head is these bytes; the last four are the two line ends.
    case complete(start: Int, end: Int)
    case failed(HTTP1Error)
  }

  /// Bytes looked at.
  private var offset = 0
  private var lineStart = 0
  /// One empty line before the request line is passed over (RFC 9112 §2.2).
  private var headStart = 0
  private var isAfterCarriageReturn = false

  /// Looks at what is new in `bytes`, all that was received since the last request's end.
  mutating func scan(_ bytes: RawSpan, limits: RequestLimits) -> Outcome {
    while offset < bytes.byteCount {
      guard offset - headStart < limits.headBytes else {
        return .failed(lineStart == headStart ? .targetTooLong : .headTooLarge)
      }
      let byte = bytes.byte(at: offset)
      offset += 1
      if isAfterCarriageReturn {
        guard byte == ASCII.lineFeed else { return .failed(.bareCarriageReturn) }
        isAfterCarriageReturn = false
        let isEmpty = offset - lineStart == 2
        if isEmpty && lineStart > headStart { return .complete(start: headStart, end: offset) }
        if isEmpty {
          guard headStart == 0 else { return .failed(.invalidRequestLine) }
          headStart = offset
        }
        lineStart = offset
      } else if byte == ASCII.carriageReturn {
        isAfterCarriageReturn = true
      } else if byte == ASCII.lineFeed {
        return .failed(.bareLineFeed)
      } else if ASCII.isForbidden(byte) {
        return .failed(.invalidCharacter)
      }
    }
    return .incomplete
  }
}
