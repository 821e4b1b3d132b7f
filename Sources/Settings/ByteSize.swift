/// Sizes in bytes as people write them.
enum ByteSize {
  /// Units with their factors; binary units first, so that `text` prefers them.
  private static let units: [(name: String, factor: Int)] = [
    ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
    ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000), ("B", 1),
  ]

  /// The bytes that a whole number with a unit says, such as `8MiB`, `8 MiB` or `512`; nil when it
  /// is anything else or does not fit an `Int`.
  static func parse(_ text: String) -> Int? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int(digits) else { return nil }
    var unit = text.dropFirst(digits.count)
    if unit.isEmpty { return number }
    if unit.first == " " { unit = unit.dropFirst() }
    guard let factor = units.first(where: { $0.name == unit })?.factor else { return nil }
    let (bytes, overflows) = number.multipliedReportingOverflow(by: factor)
    return overflows ? nil : bytes
  }

  /// `bytes` in the largest binary unit that divides it, such as `64KiB`.
  static func text(_ bytes: Int) -> String {
    for unit in units.prefix(3) where bytes >= unit.factor && bytes % unit.factor == 0 {
      return "\(bytes / unit.factor)\(unit.name)"
    }
    return "\(bytes)B"
  }
}
