/// The name of a file in a directory that a port opened: 1 to 31 bytes, none of them 0 or `/`.
///
/// A value of fixed size, so that operations can name files without allocating.
public struct FileName: BitwiseCopyable, Sendable, Hashable {
  /// The most bytes a name can have.
  public static let maximumBytes = 31

  /// The bytes, eight a word, the first in the lowest bits; the rest is 0.
  private var word0: UInt64 = 0
  private var word1: UInt64 = 0
  private var word2: UInt64 = 0
  private var word3: UInt64 = 0

  /// A name; nil when it is empty, too long, or holds a byte that names can't have.
  public init?(_ text: String) {
    self.init(bytes: Array(text.utf8).span)
  }

  /// A name from its bytes; nil as above.
  public init?(bytes: Span<UInt8>) {
    guard (1...Self.maximumBytes).contains(bytes.count) else { return nil }
    for index in bytes.indices {
      let byte = bytes[index]
      guard byte != 0, byte != UInt8(ascii: "/") else { return nil }
      set(byte, at: index)
    }
    if self == FileName.dot || self == FileName.dotDot { return nil }
  }

  private static let dot = FileName(word0: 0x2e)
  private static let dotDot = FileName(word0: 0x2e2e)

  private init(word0: UInt64) { self.word0 = word0 }

  private mutating func set(_ byte: UInt8, at index: Int) {
    let bits = UInt64(byte) << UInt64(index % 8 * 8)
    switch index / 8 {
    case 0: word0 |= bits
    case 1: word1 |= bits
    case 2: word2 |= bits
    default: word3 |= bits
    }
  }

  /// The four words, as they lie in memory: a text that ends with a 0.
  public var words: (UInt64, UInt64, UInt64, UInt64) {
    (word0.littleEndian, word1.littleEndian, word2.littleEndian, word3.littleEndian)
  }
}

extension FileName: Comparable {
  /// Whether the name's bytes come first: `00000009.seg` before `0000000a.seg`.
  public static func < (left: FileName, right: FileName) -> Bool {
    // The first byte is the lowest of its word.
    if left.word0 != right.word0 { return left.word0.byteSwapped < right.word0.byteSwapped }
    if left.word1 != right.word1 { return left.word1.byteSwapped < right.word1.byteSwapped }
    if left.word2 != right.word2 { return left.word2.byteSwapped < right.word2.byteSwapped }
    return left.word3.byteSwapped < right.word3.byteSwapped
  }
}

extension FileName: CustomStringConvertible {
  /// The name as text.
  public var description: String {
    var bytes: [UInt8] = []
    for word in [word0, word1, word2, word3] {
      for shift in stride(from: UInt64(0), to: 64, by: 8) {
        let byte = UInt8(truncatingIfNeeded: word >> shift)
        if byte != 0 { bytes.append(byte) }
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
