import Bytes

/// The attribute `gateway.record_id`, by which consumers tell a record that arrives twice.
///
/// Its value is 16 hexadecimal digits that were drawn when the gateway started, `-`, and 12 that
/// count the records since. A record keeps it wherever it goes: through the spool, across restarts,
/// and in a call that is made again. What a device sends twice are two records.
struct RecordIDs {
  static let name: StaticString = "gateway.record_id"
  private static let countDigits = 12
  private static let digits = Array("0123456789abcdef".utf8)

  /// The encoded attribute of the record before; none when records have no ids.
  private var entry: [UInt8] = []

  /// Ids that begin with `start`; none when `isOn` is false.
  init(start: UInt64, isOn: Bool) {
    guard isOn else { return }
    var value: [UInt8] = []
    for shift in stride(from: 60, through: 0, by: -4) {
      value.append(Self.digits[Int(truncatingIfNeeded: start >> UInt64(shift)) & 15])
    }
    value.append(UInt8(ascii: "-"))
    value += Array(repeating: Self.digits[0], count: Self.countDigits)
    var output = GrowableBytes()
    RecordFields.appendAttribute(Self.name, value, to: &output)
    entry = RecordFields.array(output.bytes)
  }

  /// Appends the attribute of one more record.
  mutating func append(to output: inout GrowableBytes) {
    guard !entry.isEmpty else { return }
    count()
    output.append(contentsOf: entry)
  }

  /// Counts in the digits themselves: nearly always only the last one changes.
  private mutating func count() {
    var place = entry.count - 1
    let first = entry.count - Self.countDigits
    while place >= first {
      switch entry[place] {
      case UInt8(ascii: "9"): entry[place] = UInt8(ascii: "a")
      case UInt8(ascii: "f"):
        entry[place] = UInt8(ascii: "0")
        place -= 1
        continue
      default: entry[place] += 1
      }
      return
    }
  }
}
