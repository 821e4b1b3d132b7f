/// One line on its way from a loop to the writer: everything inline, so that it can be copied
/// through a ring.
///
/// Fields in `bytes`, one after the other: length of the key (1 byte), the key, the kind (1),
/// length of the value (1), the value.
struct LogRecord: BitwiseCopyable, Sendable {
  static let capacity = 448
  /// The longest key and value; longer ones are cut.
  static let longestKey = 40
  static let longestValue = 192

  enum Kind: UInt8 {
    /// Written as a string.
    case text = 0
    /// Written as it is: a number, true or false.
    case literal = 1
  }

  var unixMilliseconds: UInt64
  var event: StaticString
  var message: StaticString
  /// Lines of this event and message that were left out before this one.
  var suppressedCount: UInt32
  private(set) var used: UInt16 = 0
  var level: LogLevel
  /// Whether a field found no room.
  private(set) var isCut = false
  private var bytes = InlineArray<448, UInt8>(repeating: 0)

  init(
    unixMilliseconds: UInt64, level: LogLevel, event: StaticString, message: StaticString,
    suppressedCount: UInt32
  ) {
    self.unixMilliseconds = unixMilliseconds
    self.level = level
    self.event = event
    self.message = message
    self.suppressedCount = suppressedCount
  }

  /// Adds a field; what does not fit is cut and ends in an ellipsis, or left out.
  mutating func append(key: StaticString, kind: Kind, value: RawSpan) {
    let keyLength = key.utf8CodeUnitCount
    let room = Self.capacity - Int(used) - keyLength - 3
    let wanted = min(value.byteCount, Self.longestValue)
    // A cut literal would be another number; a cut text needs room for something to read.
    guard keyLength <= Self.longestKey, room >= min(wanted, kind == .text ? 8 : wanted) else {
      isCut = true
      return
    }
    put(UInt8(keyLength))
    key.withBytes { for offset in 0..<$0.byteCount { put($0.byte(at: offset)) } }
    put(kind.rawValue)
    let limit = min(room, Self.longestValue)
    if value.byteCount <= limit {
      put(UInt8(value.byteCount))
      for offset in 0..<value.byteCount { put(value.byte(at: offset)) }
      return
    }
    let end = Self.characterStart(in: value, before: limit - Self.ellipsis.count)
    put(UInt8(end + Self.ellipsis.count))
    for offset in 0..<end { put(value.byte(at: offset)) }
    for index in Self.ellipsis.indices { put(Self.ellipsis[index]) }
  }

  private static var ellipsis: InlineArray<3, UInt8> { [0xe2, 0x80, 0xa6] }

  /// The largest offset up to `limit` where no character of UTF-8 is cut in two.
  private static func characterStart(in text: RawSpan, before limit: Int) -> Int {
    var end = limit
    while end > 0, end > limit - 4, text.byte(at: end) & 0xc0 == 0x80 { end -= 1 }
    return end
  }

  private mutating func put(_ byte: UInt8) {
    bytes[Int(used)] = byte
    used += 1
  }

  /// Hands every field to `body`: key, kind, value. Bytes that are no UTF-8 are replaced.
  func forEachField(_ body: (String, Kind, String) -> Void) {
    var offset = 0
    while offset < Int(used) {
      let key = take(&offset)
      let kind = Kind(rawValue: bytes[offset]) ?? .text
      offset += 1
      body(key, kind, take(&offset))
    }
  }

  private func take(_ offset: inout Int) -> String {
    let length = Int(bytes[offset])
    let start = offset + 1
    offset = start + length
    return String(decoding: (start..<offset).lazy.map { bytes[$0] }, as: UTF8.self)
  }
}
