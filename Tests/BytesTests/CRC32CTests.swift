import Testing

@testable import Bytes

@Suite("CRC-32C")
struct CRC32CTests {
  private func checksum(_ bytes: [UInt8]) -> UInt32 { CRC32C.checksum(bytes.span.bytes) }

  @Test("The examples of RFC 3720 appendix B.4 come out")
  func examples() {
    #expect(checksum(Array("123456789".utf8)) == 0xe306_9283)
    #expect(checksum(Array(repeating: 0, count: 32)) == 0x8a91_36aa)
    #expect(checksum(Array(repeating: 0xff, count: 32)) == 0x62a8_ab43)
    #expect(checksum(Array(0..<32)) == 0x46dd_794e)
    #expect(checksum(Array((0..<32).reversed())) == 0x113f_db5c)
    #expect(checksum([]) == 0)
  }

  @Test("Bytes may be fed in any pieces")
  func pieces() {
    let bytes = (0..<1_000).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    let whole = checksum(bytes)
    for cut in [0, 1, 7, 8, 9, 500, 999, 1_000] {
      var crc = CRC32C()
      crc.combine(bytes.span.bytes.extracting(0..<cut))
      crc.combine(bytes.span.bytes.extracting(cut..<1_000))
      #expect(crc.value == whole)
    }
  }

  @Test("Every single wrong bit is found")
  func bits() {
    var bytes = (0..<100).map { UInt8(truncatingIfNeeded: $0 &* 73) }
    let right = checksum(bytes)
    for bit in 0..<800 {
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(checksum(bytes) != right)
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
  }
}
