import Bytes
import IOPort
import Testing

@testable import Spool

@Suite("The format of the cursor file", .timeLimit(.minutes(5)))
struct CursorStateTests {
  private func encoded(_ state: CursorState, generation: UInt64) -> [UInt8] {
    var output = GrowableBytes()
    state.encode(generation: generation, into: &output)
    return output.bytes.withUnsafeBytes { Array($0) }
  }

  private func little<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }

  private func sealed(_ head: [UInt8], _ content: [UInt8]) -> [UInt8] {
    let bytes = head + little(CRC32C.checksum(content.span.bytes))
    return bytes + little(CRC32C.checksum(bytes.span.bytes)) + content
  }

  private func head(
    version: UInt32 = 1, content: Int, generation: UInt64 = 9, lanes: UInt32 = 1
  ) -> [UInt8] {
    Array("DANUBECU".utf8) + little(version) + little(UInt32(content)) + little(generation)
      + little(UInt64(11)) + little(UInt64(12)) + little(UInt32(77)) + little(lanes)
      + little(UInt64(0x0000_0004_0000_0200))
  }

  @Test("The bytes are those of the table")
  func table() throws {
    var state = CursorState()
    state.identity = SpoolIdentity(first: 11, second: 12)
    state.nextSegment = 77
    state.synced = SpoolPosition(segment: 4, offset: 512)
    var delivered = DeliveredSet(next: 100)
    delivered.insert(101..<102)
    delivered.insert(302..<602)
    state.lanes = [
      LaneCursors(
        topic: [0x74], nextSequence: 700, firstSequence: 5, isReliable: true,
        cursors: [Cursor(name: [0x73, 0x32], isExclusive: true, delivered: delivered)])
    ]
    let lane: [UInt8] =
      little(UInt64(700)) + little(UInt64(5)) + little(UInt32(1)) + little(UInt32(1))
      + little(UInt32(1)) + [0x74]
    let cursor: [UInt8] =
      little(UInt64(100)) + little(UInt32(1)) + little(UInt32(2)) + little(UInt32(2))
      + [0x73, 0x32]
    // One missing, one there; 200 missing, 300 there; each less one.
    let content: [UInt8] = lane + cursor + [0, 0, 0xc7, 0x01, 0xab, 0x02]
    let bytes = sealed(head(content: content.count), content)
    #expect(encoded(state, generation: 9) == bytes)
    let decoded = try CursorState.decode((bytes + [1, 2, 3]).span.bytes)
    #expect(decoded.generation == 9 && decoded.state == state)
    #expect(try CursorState.encodedBytes(header: bytes.span.bytes) == bytes.count)
  }

  @Test("What is written is read again", arguments: 1...100)
  func roundTrip(number: Int) throws {
    let state = CursorLoop.state(number)
    let bytes = encoded(state, generation: UInt64(number))
    let decoded = try CursorState.decode(bytes.span.bytes)
    #expect(decoded.generation == UInt64(number) && decoded.state == state)
  }

  @Test("A flipped bit anywhere is found")
  func flips() throws {
    let bytes = encoded(CursorLoop.state(8), generation: 8)
    try #require(bytes.count > 200)
    for place in bytes.indices {
      var flipped = bytes
      flipped[place] ^= 1 << UInt8(place % 8)
      #expect(throws: SpoolFormatError.self) { try CursorState.decode(flipped.span.bytes) }
    }
  }

  @Test("A cut anywhere is found")
  func cuts() {
    let bytes = encoded(CursorLoop.state(8), generation: 8)
    for count in 0..<bytes.count {
      let cut = Array(bytes.prefix(count))
      #expect(throws: SpoolFormatError.missing) { try CursorState.decode(cut.span.bytes) }
    }
  }

  @Test("Bytes with the right checksums and the wrong content never trap", arguments: 1...300)
  func hostile(seed: Int) {
    var random = SplitMix64(seed: UInt64(seed))
    let bytes = encoded(CursorLoop.state(seed), generation: 1)
    for _ in 0..<50 {
      var content = Array(bytes.dropFirst(64))
      for _ in 0..<Int.random(in: 0...4, using: &random) where !content.isEmpty {
        let place = Int.random(in: 0..<content.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: content[place] = 0xff
        case 1: content[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: content.removeSubrange(place..<min(place + 3, content.count))
        default:
          for index in place..<min(place + 10, content.count) { content[index] = 0xff }
        }
      }
      let lanes = UInt32.random(in: 0...8, using: &random)
      let sealed = sealed(
        head(content: content.count, lanes: seed % 7 == 0 ? .max : lanes), content)
      // Whatever is read keeps the order that a set has.
      guard let decoded = try? CursorState.decode(sealed.span.bytes) else { continue }
      for lane in decoded.state.lanes {
        for cursor in lane.cursors {
          var end = cursor.delivered.next
          for range in cursor.delivered.ranges {
            #expect(range.lowerBound > end && !range.isEmpty)
            end = range.upperBound
          }
        }
      }
    }
  }

  @Test("Numbers that pass the largest are refused")
  func overflow() {
    let ends: [(next: UInt64, ranges: [UInt8])] = [
      (.max, [0, 0]), (.max - 1, [0, 0]), (.max - 2, [0, 1]),
      (0, Array(repeating: 0xff, count: 9) + [0x01, 0]),
      (0, [0] + Array(repeating: 0xff, count: 9) + [0x01]),
      (0, Array(repeating: 0xff, count: 9) + [0x02, 0]),
      (0, Array(repeating: 0x80, count: 11) + [0]),
    ]
    for (next, ranges) in ends {
      let lane: [UInt8] =
        little(UInt64(1)) + little(UInt64(0)) + little(UInt32(0)) + little(UInt32(1))
        + little(UInt32(0))
      let cursor: [UInt8] =
        little(next) + little(UInt32(0)) + little(UInt32(1)) + little(UInt32(0)) + ranges
      let content = lane + cursor
      let bytes = sealed(head(content: content.count), content)
      #expect(throws: SpoolFormatError.damaged) { try CursorState.decode(bytes.span.bytes) }
    }
  }

  @Test("A header's wrong fields are told apart")
  func headers() {
    let cases: [(bytes: [UInt8], error: SpoolFormatError)] = [
      (sealed(head(version: 2, content: 0, lanes: 0), []), .unknownVersion(2)),
      (sealed(head(content: 0, generation: 0, lanes: 0), []), .damaged),
      (sealed(head(content: 0, generation: .max, lanes: 0), []), .damaged),
      (sealed(head(content: 0), []), .damaged),
      (sealed(head(content: 1, lanes: 0), [0]), .damaged),
      (sealed(head(content: 1, lanes: 0), []), .missing),
      (sealed(head(content: 1 << 30, lanes: 0), []), .damaged),
      (Array(repeating: 0, count: 64), .missing),
    ]
    for (bytes, error) in cases {
      #expect(throws: error) { try CursorState.decode(bytes.span.bytes) }
    }
  }
}
