import Bytes
import CLZ4

/// One LZ4 block at a time.
enum LZ4 {
  /// Appends `raw` compressed, if that makes it smaller; false, and nothing appended, if not.
  /// `acceleration` 1 is the library's default; more is faster and compresses less.
  static func compress(
    _ raw: RawSpan, acceleration: Int32 = 1, into output: inout GrowableBytes
  ) -> Bool {
    let limit = raw.byteCount - 1
    guard limit > 0 else { return false }
    var count: Int32 = 0
    unsafe output.append(atMost: limit) { memory in
      unsafe raw.withUnsafeBytes { source in
        guard let from = source.baseAddress, let to = memory.baseAddress else {
          return
        }
        count = unsafe LZ4_compress_fast(
          from.assumingMemoryBound(to: CChar.self), to.assumingMemoryBound(to: CChar.self),
          Int32(clamping: source.count), Int32(clamping: limit), acceleration)
      }
      return Int(max(count, 0))
    }
    return count > 0
  }

  /// Appends what was compressed, exactly `rawBytes`; false when the bytes are no such block. Bad
  /// bytes are found out by the library, which stays within both memories.
  static func decompress(
    _ stored: RawSpan, rawBytes: Int, into output: inout GrowableBytes
  ) -> Bool {
    var count: Int32 = -1
    unsafe output.append(atMost: rawBytes) { memory in
      unsafe stored.withUnsafeBytes { source in
        guard let from = source.baseAddress, let to = memory.baseAddress else {
          return
        }
        count = unsafe LZ4_decompress_safe(
          from.assumingMemoryBound(to: CChar.self), to.assumingMemoryBound(to: CChar.self),
          Int32(clamping: source.count), Int32(clamping: rawBytes))
      }
      return Int(max(count, 0))
    }
    return Int(count) == rawBytes
  }
}
