/// Takes a body out of its framing, in place and piece by piece (RFC 9112 §6 and §7.1).
///
/// Trailers are read, checked and dropped; chunk extensions are passed over.
public struct BodyDecoder: BitwiseCopyable, Sendable {
  /// What one look at the input found.
  public struct Piece: BitwiseCopyable, Sendable, Equatable {
    /// Where bytes of the body begin in the input.
    public let offset: Int
    /// How many bytes of the body lie there; 0 when the input held framing only.
    public let length: Int
    /// Bytes of the input that are dealt with once the piece was used.
    public var consumed: Int { offset + length }
  }

  private enum State: BitwiseCopyable {
    case data(isChunk: Bool)
    case size(digits: Int)
    case sizeExtension
    case sizeLineFeed
    case dataCarriageReturn
    case dataLineFeed
    case trailerStart
    case trailerName
    case trailerValue
    case trailerLineFeed
    case finalLineFeed
    case complete
  }

  private let maximumBytes: Int
  private var state: State
  private var isLastChunk = false
  /// Bytes left of the chunk, or of the body.
  private var remaining = 0
  private var extraBytes = 0
  /// Bytes of the body announced so far.
  private var announced = 0

  /// A decoder of a body framed like that, of at most `maximumBytes`.
  public init(framing: BodyFraming, maximumBytes: Int) {
    self.maximumBytes = maximumBytes
    switch framing {
    case .none:
      state = .complete
    case .length(let length):
      state = length > 0 ? .data(isChunk: false) : .complete
      remaining = length
    case .chunked:
      state = .size(digits: 0)
    }
  }

  /// Whether the body is complete; what follows in the input is the next request's.
  public var isComplete: Bool {
    if case .complete = state { return true }
    return false
  }

  /// Finds the next bytes of the body. Without any, all of the input was framing, or the body is
  /// complete.
  public mutating func decode(_ input: RawSpan) throws(HTTP1Error) -> Piece {
    var offset = 0
    while offset < input.byteCount {
      switch state {
      case .complete:
        return Piece(offset: offset, length: 0)
      case .data(let isChunk):
        let length = min(remaining, input.byteCount - offset)
        remaining -= length
        if remaining == 0 { state = isChunk ? .dataCarriageReturn : .complete }
        return Piece(offset: offset, length: length)
      default:
        try step(input.byte(at: offset))
        offset += 1
      }
    }
    return Piece(offset: offset, length: 0)
  }

  private mutating func step(_ byte: UInt8) throws(HTTP1Error) {
    switch state {
    case .size(let digits): try stepSize(byte, digits: digits)
    case .sizeExtension:
      try countExtra()
      if byte == ASCII.carriageReturn { state = .sizeLineFeed } else { try checkText(byte) }
    case .sizeLineFeed:
      try expect(byte, ASCII.lineFeed)
      state = isLastChunk ? .trailerStart : .data(isChunk: true)
    case .dataCarriageReturn:
      try expect(byte, ASCII.carriageReturn)
      state = .dataLineFeed
    case .dataLineFeed:
      try expect(byte, ASCII.lineFeed)
      state = .size(digits: 0)
    case .trailerStart:
      if byte == ASCII.carriageReturn {
        state = .finalLineFeed
      } else {
        try countExtra()
        guard ASCII.isToken(byte) else { throw .invalidChunk }
        state = .trailerName
      }
    case .trailerName:
      try countExtra()
      if byte == ASCII.colon {
        state = .trailerValue
      } else if !ASCII.isToken(byte) {
        throw .invalidChunk
      }
    case .trailerValue:
      try countExtra()
      if byte == ASCII.carriageReturn { state = .trailerLineFeed } else { try checkText(byte) }
    case .trailerLineFeed:
      try expect(byte, ASCII.lineFeed)
      state = .trailerStart
    case .finalLineFeed:
      try expect(byte, ASCII.lineFeed)
      state = .complete
    case .data, .complete: preconditionFailure("bytes of the body are no framing")
    }
  }

  private mutating func stepSize(_ byte: UInt8, digits: Int) throws(HTTP1Error) {
    if let digit = ASCII.hexDigit(byte) {
      // 15 digits can't overflow, leading zeros included.
      guard digits < 15 else { throw .invalidChunk }
      remaining = remaining << 4 | Int(digit)
      state = .size(digits: digits + 1)
      return
    }
    guard digits > 0 else { throw .invalidChunk }
    if byte == ASCII.carriageReturn {
      state = .sizeLineFeed
    } else if byte == UInt8(ascii: ";") {
      state = .sizeExtension
    } else {
      throw .invalidChunk
    }
    guard remaining <= maximumBytes - announced else { throw .bodyTooLarge }
    announced += remaining
    isLastChunk = remaining == 0
  }

  private mutating func countExtra() throws(HTTP1Error) {
    extraBytes += 1
    if extraBytes > RequestLimits.chunkExtraBytes { throw .headTooLarge }
  }

  private func checkText(_ byte: UInt8) throws(HTTP1Error) {
    if ASCII.isForbidden(byte) { throw .invalidChunk }
  }

  private func expect(_ byte: UInt8, _ wanted: UInt8) throws(HTTP1Error) {
    if byte != wanted { throw .invalidChunk }
  }
}
