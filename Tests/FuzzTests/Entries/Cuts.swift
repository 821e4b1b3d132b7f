import Bytes

/// How bytes may arrive: whole, in pieces, one by one.
enum Cuts {
  private static let byteByByteLimit = 512
  private static let everyCutLimit = 4_096

  /// Runs `body` with the ends of the pieces for every way to cut that is worth it.
  static func forEach(
    _ bytes: ArraySlice<UInt8>, effort: FuzzTarget.Effort,
    _ body: ([Int]) throws(Finding) -> Void
  ) throws(Finding) {
    let count = bytes.count
    guard count > 1 else { return }
    switch effort {
    case .quick:
      // The place is a matter of the input's bytes, so that a finding is found again.
      var hash: UInt32 = 2_166_136_261
      for byte in bytes { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
      let first = 1 + Int(hash % UInt32(count - 1))
      try body([first, count])
      if count <= byteByByteLimit, hash & 0x3000 == 0 { try body(Array(1...count)) }
    case .thorough:
      for first in 1..<min(count, everyCutLimit) { try body([first, count]) }
      try body(Array(1...count))
    }
  }
}
