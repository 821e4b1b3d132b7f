/// Finds the end of a request's head in bytes that arrive piece by piece; looks at each byte once
/// and keeps none.
///
/// Line ends and control characters are checked here, so that a peer that speaks something else is
/// told at its first wrong byte, and so that the outcome does not depend on how bytes were split.
public struct HeadScanner: BitwiseCopyable, Sendable {
  /// What the bytes so far are.
  public enum Outcome: BitwiseCopyable, Sendable, Equatable {
    /// All bytes belong to a head that goes on.
    case incomplete
    /// The head lies at these offsets, counted from the first byte scanned; its last four bytes are
    /// the two line ends. Bytes after `end` were not looked at.
    case complete(start: Int, end: Int)
    /// No head begins like that.
    case failed(HTTP1Error)
  }

  /// Bytes looked at.
  public private(set) var scannedBytes = 0
  private var lineStart = 0
  /// One empty line before the request line is passed over (RFC 9112 §2.2).
  private var headStart = 0
  private var isAfterCarriageReturn = false

  /// Whether a byte of the head itself was seen, not only of an empty line before it.
  public var isInHead: Bool { scannedBytes > max(headStart, isAfterCarriageReturn ? 1 : 0) }

  /// A scanner at the end of a request.
  public init() {}

  /// Looks at the bytes from `first`, which follow those of the last call.
  public mutating func scan(
    _ bytes: RawSpan, from first: Int = 0, limits: RequestLimits
  ) -> Outcome {
    var position = first
    while position < bytes.byteCount {
      guard scannedBytes - headStart < limits.headBytes else {
        return .failed(lineStart == headStart ? .targetTooLong : .headTooLarge)
      }
      if !isAfterCarriageReturn {
        // Most bytes are part of a line, and nothing is to be said of them.
        let room = limits.headBytes - (scannedBytes - headStart)
        let plain = bytes.plainCount(
          from: position, to: position + min(room, bytes.byteCount - position))
        position += plain
        scannedBytes += plain
        if plain > 0 { continue }
      }
      let byte = bytes.byte(at: position)
      position += 1
      scannedBytes += 1
      if isAfterCarriageReturn {
        guard byte == ASCII.lineFeed else { return .failed(.bareCarriageReturn) }
        isAfterCarriageReturn = false
        let isEmpty = scannedBytes - lineStart == 2
        if isEmpty && lineStart > headStart {
          return .complete(start: headStart, end: scannedBytes)
        }
        if isEmpty {
          guard headStart == 0 else { return .failed(.invalidRequestLine) }
          headStart = scannedBytes
        }
        lineStart = scannedBytes
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
