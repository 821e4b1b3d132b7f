import Bytes

/// Writes forward into a block of memory; running over its end is a programmer's error.
@safe
struct BlockCursor {
  private let base: UnsafeMutableRawPointer
  private let limit: Int
  private(set) var offset: Int

  @unsafe
  init(block: MemoryBlock, offset: Int) {
    unsafe base = unsafe block.address
    limit = block.byteCount
    self.offset = offset
  }

  mutating func put(_ byte: UInt8) {
    precondition(offset < limit)
    unsafe base.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
    offset += 1
  }

  mutating func putVarint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      put(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    put(UInt8(truncatingIfNeeded: rest))
  }

  mutating func put(_ bytes: RawSpan) {
    let count = bytes.byteCount
    precondition(count <= limit - offset)
    let end = offset
    unsafe bytes.withUnsafeBytes { source in
      if let from = source.baseAddress {
        unsafe (base + end).copyMemory(from: from, byteCount: count)
      }
    }
    offset += count
  }

  static func varintBytes(_ value: UInt64) -> Int {
    max(1, (70 - value.leadingZeroBitCount) / 7)
  }
}
