/// A topic filter (MQTT 5.0 §4.7): what it matches, and the text that its wildcards stand for.
public struct TopicFilter: Sendable, Hashable {
  /// The filter as it was given.
  public let bytes: [UInt8]
  /// The number of `+` and `#` in it.
  public let wildcardCount: Int
  /// Whether it begins with a wildcard, and so matches no topic that begins with `$`.
  private let beginsWithWildcard: Bool
  /// The bytes before the first wildcard, up to eight: most filters that do not match a topic are
  /// told by one comparison of a word.
  private let prefix: UInt64
  /// The bytes of a word that ``prefix`` has.
  private let prefixMask: UInt64

  private static let slash = UInt8(ascii: "/")
  private static let plus = UInt8(ascii: "+")
  private static let hash = UInt8(ascii: "#")
  private static let dollar = UInt8(ascii: "$")

  /// Nil unless it is 1 to 65,535 bytes of UTF-8 without U+0000 [MQTT-4.7.3-1] [MQTT-4.7.3-2]
  /// [MQTT-4.7.3-3], with `+` and `#` alone in their level, and `#` in the last one
  /// [MQTT-4.7.1-1] [MQTT-4.7.1-2].
  public init?(_ bytes: [UInt8]) {
    guard !bytes.isEmpty, bytes.count <= 65_535, !bytes.contains(0),
      String(validating: bytes, as: UTF8.self) != nil
    else { return nil }
    var wildcards = 0
    for index in bytes.indices where bytes[index] == Self.plus || bytes[index] == Self.hash {
      guard index == 0 || bytes[index - 1] == Self.slash else { return nil }
      let isLast = index == bytes.count - 1
      guard isLast || (bytes[index] == Self.plus && bytes[index + 1] == Self.slash)
      else { return nil }
      wildcards += 1
    }
    self.bytes = bytes
    wildcardCount = wildcards
    beginsWithWildcard = bytes[0] == Self.plus || bytes[0] == Self.hash
    var prefix: UInt64 = 0
    var mask: UInt64 = 0
    for index in 0..<min(8, bytes.count) {
      if bytes[index] == Self.plus || bytes[index] == Self.hash { break }
      prefix |= UInt64(bytes[index]) << UInt64(8 * index)
      mask |= 0xFF << UInt64(8 * index)
    }
    self.prefix = prefix
    prefixMask = mask
  }

  /// Whether the filter matches a topic name. Linear in the length of the topic.
  public func matches(_ topic: RawSpan) -> Bool { match(topic) != nil }

  /// What the wildcards stand for where the filter matches a topic name; nil where it does not.
  /// Linear in the length of the topic; nothing is allocated.
  public func match(_ topic: RawSpan) -> Captures? {
    let end = topic.byteCount
    guard end > 0, end <= 65_535 else { return nil }
    // [MQTT-4.7.2-1]
    if beginsWithWildcard, topic.byte(at: 0) == Self.dollar { return nil }
    // A topic of eight bytes or more has the whole prefix, that of a parent (`a` for `a/#`) too.
    if end >= 8, topic.word(at: 0) & prefixMask != prefix { return nil }
    return Self.match(bytes.span, topic)
  }

  private static func match(_ bytes: Span<UInt8>, _ topic: RawSpan) -> Captures? {
    let end = topic.byteCount
    var captures = Captures()
    var position = 0
    var index = 0
    // A turn of the loop is a level: `index` and `position` are at the beginning of one.
    while true {
      if index < bytes.count, bytes[index] == hash {
        captures.append(position..<end)
        return captures
      }
      if index < bytes.count, bytes[index] == plus {
        let start = position
        while position < end, topic.byte(at: position) != slash { position += 1 }
        captures.append(start..<position)
        index += 1
      } else {
        while index < bytes.count, bytes[index] != slash {
          guard position < end, topic.byte(at: position) == bytes[index] else { return nil }
          index += 1
          position += 1
        }
        guard position == end || topic.byte(at: position) == slash else { return nil }
      }
      if index == bytes.count { return position == end ? captures : nil }
      if position == end {
        // `a/#` matches `a` too (§4.7.1.2).
        guard index == bytes.count - 2, bytes[index + 1] == hash else { return nil }
        captures.append(end..<end)
        return captures
      }
      index += 1
      position += 1
    }
  }
}
