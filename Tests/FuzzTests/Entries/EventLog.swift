import Bytes

/// What a session said, as text that two runs can be compared by.
struct EventLog: Equatable {
  private(set) var bytes: [UInt8] = []

  /// Begins an entry.
  mutating func begin(_ name: String) {
    bytes.append(UInt8(ascii: "\n"))
    bytes.append(contentsOf: name.utf8)
  }

  mutating func add(_ number: Int) {
    bytes.append(UInt8(ascii: " "))
    bytes.append(contentsOf: String(number).utf8)
  }

  mutating func add(_ number: some FixedWidthInteger) { add(Int(truncatingIfNeeded: number)) }

  mutating func add(_ flag: Bool) { add(flag ? 1 : 0) }

  /// Bytes with their count before them, so that no two lists of parts look the same.
  mutating func add(_ span: RawSpan) {
    add(span.byteCount)
    bytes.append(UInt8(ascii: ":"))
    span.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }

  mutating func add(bytes array: [UInt8]) { add(array.rawBytes) }

  /// Throws with the first difference.
  func requireEqual(to other: EventLog, _ what: @autoclosure () -> String) throws(Finding) {
    if self == other { return }
    var at = 0
    while at < min(bytes.count, other.bytes.count), bytes[at] == other.bytes[at] { at += 1 }
    throw Finding("\(what()):\n\(excerpt(at))\n-- instead of --\n\(other.excerpt(at))")
  }

  private func excerpt(_ at: Int) -> String {
    String(decoding: bytes[max(0, at - 120)..<min(bytes.count, at + 200)], as: UTF8.self)
      .debugDescription
  }
}
