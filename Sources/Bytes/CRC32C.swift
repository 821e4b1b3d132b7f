/// The CRC-32C of iSCSI (RFC 3720 appendix B.4): polynomial 0x1edc6f41, reflected, all bits
/// inverted before and after. It finds every run of up to 32 wrong bits.
public struct CRC32C: BitwiseCopyable, Sendable {
  private var state: UInt32 = 0xffff_ffff

  /// The checksum of nothing.
  public init() {}

  /// The checksum of what was fed so far.
  public var value: UInt32 { ~state }

  /// The checksum of bytes.
  public static func checksum(_ bytes: RawSpan) -> UInt32 {
    var crc = CRC32C()
    crc.combine(bytes)
    return crc.value
  }

  /// Eight tables of 256 words: table k holds the effect of a byte that k more bytes follow.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var remainder = UInt32(byte)
      for _ in 0..<8 {
        remainder = remainder & 1 == 0 ? remainder >> 1 : remainder >> 1 ^ 0x82f6_3b78
      }
      tables[byte] = remainder
    }
    for index in 256..<8 * 256 {
      let before = tables[index - 256]
      tables[index] = before >> 8 ^ tables[Int(before & 0xff)]
    }
    return tables
  }()

  /// Feeds bytes. O(count).
  public mutating func combine(_ bytes: RawSpan) {
    var crc = state
    unsafe Self.tables.withUnsafeBufferPointer { tables in
      let count = bytes.byteCount
      var offset = 0
      while offset + 8 <= count {
        let word =
          unsafe UInt64(
            littleEndian: bytes.unsafeLoadUnaligned(
              fromUncheckedByteOffset: offset, as: UInt64.self)) ^ UInt64(crc)
        crc =
          unsafe tables[7 << 8 | Int(word & 0xff)]
          ^ tables[6 << 8 | Int(word >> 8 & 0xff)]
          ^ tables[5 << 8 | Int(word >> 16 & 0xff)]
          ^ tables[4 << 8 | Int(word >> 24 & 0xff)]
          ^ tables[3 << 8 | Int(word >> 32 & 0xff)]
          ^ tables[2 << 8 | Int(word >> 40 & 0xff)]
          ^ tables[1 << 8 | Int(word >> 48 & 0xff)]
          ^ tables[Int(word >> 56)]
        offset += 8
      }
      while offset < count {
        let byte = unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
        crc = unsafe crc >> 8 ^ tables[Int((crc ^ UInt32(byte)) & 0xff)]
        offset += 1
      }
    }
    state = crc
  }
}
