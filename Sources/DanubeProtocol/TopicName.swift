import Bytes

/// Rules for the names of topics.
public enum TopicName {
  /// Whether it is `/namespace/topic`, each part one or more of `A-Z a-z 0-9 _ -`.
  ///
  /// Danube itself is laxer in places (letters of any script, empty parts); names that pass here
  /// pass there.
  public static func isValid(_ name: RawSpan) -> Bool {
    guard name.byte(at: 0) == UInt8(ascii: "/") else { return false }
    var slashes = 0
    var partLength = 1
    for offset in 0..<name.byteCount {
      guard let byte = name.byte(at: offset) else { return false }
      if byte == UInt8(ascii: "/") {
        if partLength == 0 { return false }
        slashes += 1
        partLength = 0
      } else if isPartByte(byte) {
        partLength += 1
      } else {
        return false
      }
    }
    return slashes == 2 && partLength > 0
  }

  /// Whether it is `/namespace/topic`; see ``isValid(_:)-(RawSpan)``.
  public static func isValid(_ name: [UInt8]) -> Bool { isValid(name.rawBytes) }

  private static func isPartByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  /// The namespace of a valid name: what lies between the two slashes.
  public static func namespace(of name: [UInt8]) -> ArraySlice<UInt8> {
    let rest = name.dropFirst()
    return rest.prefix { $0 != UInt8(ascii: "/") }
  }

  /// The base of a partition's name `<base>-part-<digits>`; nil for any other name.
  public static func partitionBase(of name: [UInt8]) -> ArraySlice<UInt8>? {
    let digits = name.reversed().prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    guard !digits.isEmpty else { return nil }
    let head = name.dropLast(digits.count)
    let marker = Array("-part-".utf8)
    guard head.count > marker.count, head.suffix(marker.count).elementsEqual(marker) else {
      return nil
    }
    return head.dropLast(marker.count)
  }
}
