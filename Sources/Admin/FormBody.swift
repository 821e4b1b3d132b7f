/// The body of a POST: `name=value&name=value` (`application/x-www-form-urlencoded`).
public enum FormBody {
  /// The values by name; nil when a name stands twice or without a value, or when what is no escape
  /// looks like one.
  public static func values(in body: [UInt8]) -> [String: String]? {
    var values: [String: String] = [:]
    let trimmed = body.filter { $0 != 0x0a && $0 != 0x0d }
    for pair in trimmed.split(separator: UInt8(ascii: "&")) {
      guard let equals = pair.firstIndex(of: UInt8(ascii: "=")),
        let name = decoded(pair[..<equals]), let value = decoded(pair[(equals + 1)...]),
        values.updateValue(value, forKey: name) == nil
      else { return nil }
    }
    return values
  }

  private static func decoded(_ bytes: ArraySlice<UInt8>) -> String? {
    var rest = bytes
    var text: [UInt8] = []
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "+"): text.append(UInt8(ascii: " "))
      case UInt8(ascii: "%"):
        guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit)
        else { return nil }
        text.append(high << 4 | low)
      default: text.append(byte)
      }
    }
    return String(validating: text, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
