import Bytes

extension RawSpan {
  /// The byte at `offset`; traps outside the span.
  func octet(at offset: Int) -> UInt8 {
    unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }

  /// Where the level that begins at `start` ends: at a slash or at the end.
  func endOfLevel(from start: Int) -> Int {
    var end = start
    while end < byteCount, octet(at: end) != UInt8(ascii: "/") { end += 1 }
    return end
  }

  /// Whether all bytes are below 128.
  var isASCII: Bool {
    var all: UInt8 = 0
    for offset in 0..<byteCount { all |= octet(at: offset) }
    return all < 0x80
  }
}

/// Spreads a hash over all its bits (the finalizer of MurmurHash3), for tables that use the lowest.
func mixed(_ value: UInt64) -> UInt64 {
  var mixed = (value ^ value >> 33) &* 0xff51_afd7_ed55_8ccd
  mixed = (mixed ^ mixed >> 33) &* 0xc4ce_b9fe_1a85_ec53
  return mixed ^ mixed >> 33
}
