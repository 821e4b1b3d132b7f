import Bytes
import Testing

@Suite("Bytes are compared")
struct ByteArrayTests {
  /// Whether `bytes`, at some place in memory, are those of `other`.
  private func isEqual(_ bytes: [UInt8], at start: Int, to other: [UInt8]) -> Bool {
    let padded = [UInt8](repeating: 9, count: start) + bytes + [1]
    return padded.rawBytes.extracting(start..<start + bytes.count).isEqual(to: other)
  }

  @Test("Every single byte counts, at every length and place", arguments: 0...40)
  func equality(count: Int) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    for start in 0..<3 {
      var isSame = isEqual(bytes, at: start, to: bytes)
      #expect(isSame)
      for place in 0..<count {
        var other = bytes
        other[place] ^= 0x80
        isSame = isEqual(bytes, at: start, to: other)
        #expect(!isSame, "place \(place) of \(count)")
      }
      isSame = isEqual(bytes, at: start, to: bytes + [0])
      #expect(!isSame)
    }
  }
}
