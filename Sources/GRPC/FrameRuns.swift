internal import Bytes

/// Cuts received bytes where the library has to send what it queued before it goes on.
///
/// The library ends a bad stream when it sends RST_STREAM, not when it finds the fault. A GOAWAY, a
/// peer's RST_STREAM or SETTINGS in the same bytes would be dealt with first, and what a call is
/// told would depend on how the network cut the bytes. So every frame is a run of its own, but for
/// those of which there are many and that concern one stream: HEADERS, DATA and CONTINUATION
/// (RFC 9113 §6) stay together, as many as there are in a row.
struct FrameRuns: BitwiseCopyable {
  /// Bytes of a frame's header (RFC 9113 §4.1) up to its type: a length of three, the type.
  private static let headBytes = 4
  private static let frameHeaderBytes = 9
  private static let prefaceBytes = 24

  private var head: UInt32 = 0
  private var headCount = 0
  /// Bytes of the frame that are still to come after its head.
  private var left = 0

  /// Begins with a frame, or with a client's preface (RFC 9113 §3.4).
  init(afterPreface hasPreface: Bool) {
    guard hasPreface else { return }
    head = 0xff
    headCount = Self.headBytes
    left = Self.prefaceBytes
  }

  private var isAlone: Bool {
    switch head & 0xff {
    case 0, 1, 9: false
    default: true
    }
  }

  /// How many of the bytes, of which there is at least one, are the next run; they count as taken.
  mutating func next(of bytes: RawSpan) -> Int {
    var reader = ByteReader(bytes)
    while true {
      if headCount < Self.headBytes {
        guard readHead(&reader) else { return bytes.byteCount }
        let start = reader.offset - Self.headBytes
        if isAlone, start > 0 {
          headCount = 0
          return start
        }
      }
      let taken = min(left, reader.remaining)
      left -= taken
      guard reader.skip(taken), left == 0 else { return bytes.byteCount }
      headCount = 0
      if isAlone || reader.isAtEnd { return reader.offset }
    }
  }

  /// False when the bytes end before the frame's type.
  private mutating func readHead(_ reader: inout ByteReader) -> Bool {
    if headCount == 0, let whole = reader.readUInt32BigEndian() {
      head = whole
      headCount = Self.headBytes
    }
    while headCount < Self.headBytes {
      guard let byte = reader.readUInt8() else { return false }
      head = head << 8 | UInt32(byte)
      headCount += 1
    }
    left = Int(head >> 8) + Self.frameHeaderBytes - Self.headBytes
    return true
  }
}
