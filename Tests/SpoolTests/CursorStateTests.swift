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

  @Test("What is known of the clock stands behind the content; what is wrong with it is no damage")
  func clocks() throws {
    var state = CursorState()
    state.clocks = [
      SpoolClock(
        bootMilliseconds: 7, wallOffsetMilliseconds: -1, bootID: 0x1234, isTrusted: false),
      SpoolClock(bootMilliseconds: 9, wallOffsetMilliseconds: 1 << 40, bootID: 0x1234),
    ]
    let bytes = encoded(state, generation: 9)
    let settings: [UInt8] =
      little(UInt64(7) | 1 << 63) + little(Int64(-1)) + little(UInt64(0x1234))
      + little(UInt64(9)) + little(Int64(1) << 40) + little(UInt64(0x1234))
    let before: [UInt8] = Array("DANUBECK".utf8) + little(UInt64(9)) + little(UInt32(2))
    let sum = CRC32C.checksum((before + settings).span.bytes)
    #expect(bytes.count == 64 + 24 + 48)
    #expect(Array(bytes[64...]) == before + little(sum) + settings)
    #expect(try CursorState.decode(bytes.span.bytes).state == state)
    #expect(try CursorState.decode((bytes + [1, 2, 3]).span.bytes).state == state)
    #expect(try CursorState.encodedBytes(header: bytes.span.bytes) == 64)
    // A version that does not know it, and a longer state of another generation that was there.
    var without = state
    without.clocks = []
    #expect(encoded(without, generation: 9) == Array(bytes[..<64]))
    let stale = encoded(without, generation: 11) + bytes[64...]
    #expect(try CursorState.decode(stale.span.bytes).state == without)
    for bit in 0..<(bytes.count - 64) * 8 {
      var flipped = bytes
      flipped[64 + bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(try CursorState.decode(flipped.span.bytes).state == without)
    }
    for count in 64..<bytes.count {
      #expect(try CursorState.decode(Array(bytes[..<count]).span.bytes).state == without)
    }
    state.clocks = (0..<100).map {
      SpoolClock(bootMilliseconds: $0, wallOffsetMilliseconds: 0, bootID: 1)
    }
    let many = encoded(state, generation: 9)
    #expect(many.count == 64 + CursorClocks.maximumBytes)
    #expect(try CursorState.decode(many.span.bytes).state.clocks == Array(state.clocks.prefix(64)))
  }

  @Test("Which segments there are stands behind the clocks; what is wrong with it is no damage")
  func segments() throws {
    var state = CursorState()
    state.clocks = [SpoolClock(bootMilliseconds: 9, wallOffsetMilliseconds: 1 << 40, bootID: 3)]
    let start = encoded(state, generation: 9).count
    var with = state
    with.segments = CursorSegments.ranges(of: [9, 3, 7, 4, 8, 4])
    #expect(with.segments == [3...4, 7...9])
    let bytes = encoded(with, generation: 9)
    let ranges = little(UInt32(3)) + little(UInt32(4)) + little(UInt32(7)) + little(UInt32(9))
    let before = Array("DANUBECS".utf8) + little(UInt64(9)) + little(UInt32(2))
    let sum = CRC32C.checksum((before + ranges).span.bytes)
    #expect(Array(bytes[start...]) == before + little(sum) + ranges)
    #expect(try CursorState.decode((bytes + [1, 2, 3]).span.bytes).state == with)
    for bit in 0..<(bytes.count - start) * 8 {
      var flipped = bytes
      flipped[start + bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(try CursorState.decode(flipped.span.bytes).state == state)
    }
    for count in start..<bytes.count {
      #expect(try CursorState.decode(Array(bytes[..<count]).span.bytes).state == state)
    }
    // Some could not be read.
    var unread = with
    unread.unread = [3, 8]
    let marked = encoded(unread, generation: 9)
    let marks = [3 | 1 << 31, 3, 4, 4, 7, 7, 8 | 1 << 31, 8, 9, 9] as [UInt32]
    #expect(Array(marked[(start + 24)...]) == marks.flatMap { little($0) })
    #expect(try CursorState.decode(marked.span.bytes).state == unread)
    // Without clocks before it, and not where it is of an older state.
    with.clocks = []
    #expect(try CursorState.decode(encoded(with, generation: 8).span.bytes).state == with)
    with.segments = CursorSegments.ranges(of: (0..<10_000).map { 2 * $0 })
    #expect(with.segments.count == CursorSegments.maximumCount)
    #expect(with.segments.last == 19_998...19_998)
    #expect(encoded(with, generation: 1).count == 64 + CursorSegments.maximumBytes)
  }

  @Test(
    "Ranges of segments that nobody writes are none",
    arguments: [[5, 4], [3, 3, 3, 4], [1, 0x8000_0000], [1, 0x20_0000]] as [[UInt32]])
  func crafted(numbers: [UInt32]) throws {
    var list = Array("DANUBECS".utf8) + little(UInt64(9)) + little(UInt32(numbers.count / 2))
    let content = numbers.flatMap { little($0) }
    list += little(CRC32C.checksum((list + content).span.bytes)) + content
    #expect(CursorSegments.encodedBytes(list.span.bytes, generation: 9) == list.count)
    #expect(CursorSegments.decode(list.span.bytes, generation: 9).ranges.isEmpty)
  }

  @Test("Plans of batches make it version 2, and come back; what is no plan is damage")
  func plans() throws {
    var state = CursorState()
    var plan = ReplicationPlan(base: 1_000)
    let appended = [7, 12, 12].map { plan.append($0) }
    #expect(appended == [true, true, false])
    var lane = LaneCursors(
      topic: Array("/a/b".utf8), hash: LaneHash(rawValue: 5), nextSequence: 20, firstSequence: 3,
      isReliable: true, cursors: [])
    #expect(encoded(state, generation: 9)[8] == 1)
    plan.owner = 77
    lane.replication = plan
    state.lanes = [lane]
    let bytes = encoded(state, generation: 9)
    let content: [UInt8] =
      little(UInt64(5)) + little(UInt64(20)) + little(UInt64(3)) + little(UInt32(3))
      + little(UInt32(0)) + little(UInt32(4)) + Array("/a/b".utf8)
      + little(UInt64(1_000)) + little(UInt64(77)) + little(UInt32(2)) + little(UInt64(7))
      + little(UInt64(12))
    #expect(bytes[8] == 2)
    #expect(Array(bytes[64...]) == content)
    #expect(try CursorState.decode(bytes.span.bytes).state == state)
    // The same ends in another order, and a flag that version 1 does not know.
    let swapped = Array(content.dropLast(16)) + little(UInt64(12)) + little(UInt64(7))
    for (version, content) in [(UInt32(2), swapped), (1, content)] {
      var head = Array("DANUBECU".utf8) + little(version) + little(UInt32(content.count))
      head += little(UInt64(9)) + Array(bytes[24..<56])
      #expect(throws: SpoolFormatError.damaged) {
        try CursorState.decode(sealed(head, content).span.bytes)
      }
    }
  }

  @Test("Numbers only rise: a new plan is above whatever the last one had")
  func rebase() {
    var plan = ReplicationPlan(base: 1_000)
    let appended = (UInt64(1)...65).map { plan.append($0) }
    #expect(appended.filter { $0 }.count == 64 && appended.last == false)
    plan.remove(through: 10)
    let isAppended = plan.append(65)
    #expect(plan.ends.first == 11 && isAppended)
    // What ended at 65 is sent again from 20 on: its first end is above 65 then.
    plan.rebase(from: 20, to: 65)
    #expect(plan.ends.isEmpty && plan.base == 1_045)
    plan.rebase(from: 70, to: 65)
    #expect(plan.base == 1_045)
    // It follows the clock upwards, and never while a batch is planned.
    let (isRaised, isLowered) = (plan.raise(to: 2_000), plan.raise(to: 1_999))
    #expect(isRaised && !isLowered && plan.base == 2_000)
    let isThere = plan.append(71)
    let isMoved = plan.raise(to: 3_000)
    #expect(isThere && !isMoved && plan.base == 2_000)
    plan.rebase(from: 0, to: .max)
    let isPlanned = plan.append(1)
    #expect(plan.base == .max && !isPlanned)
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
        topic: [0x74], hash: LaneHash(rawValue: 0x1122), nextSequence: 700, firstSequence: 5,
        isReliable: true,
        cursors: [Cursor(name: [0x73, 0x32], isExclusive: true, delivered: delivered)])
    ]
    state.lanes[0].cursors[0].setConsumers([[0x61], [0x62, 0x63]])
    let lane: [UInt8] =
      little(UInt64(0x1122)) + little(UInt64(700)) + little(UInt64(5)) + little(UInt32(1))
      + little(UInt32(1))
      + little(UInt32(1)) + [0x74]
    let cursor: [UInt8] =
      little(UInt64(100)) + little(UInt32(1)) + little(UInt32(2)) + little(UInt32(2))
      + little(UInt32(2)) + [0x73, 0x32] + [1, 0x61, 2, 0x62, 0x63]
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
          #expect(cursor.consumers.count <= 16)
          #expect(cursor.consumers.allSatisfy { (1...255).contains($0.count) })
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
        little(UInt64(9)) + little(UInt64(1)) + little(UInt64(0)) + little(UInt32(0))
        + little(UInt32(1))
        + little(UInt32(0))
      let cursor: [UInt8] =
        little(next) + little(UInt32(0)) + little(UInt32(1)) + little(UInt32(0))
        + little(UInt32(0)) + ranges
      let content = lane + cursor
      let bytes = sealed(head(content: content.count), content)
      #expect(throws: SpoolFormatError.damaged) { try CursorState.decode(bytes.span.bytes) }
    }
  }

  @Test("Consumers that are too many, or have no name, are refused")
  func wrongConsumers() {
    let lane: [UInt8] =
      little(UInt64(9)) + little(UInt64(1)) + little(UInt64(0)) + little(UInt32(0))
      + little(UInt32(1)) + little(UInt32(0))
    let names: [UInt8] = Array(repeating: [1, 0x61] as [UInt8], count: 17).flatMap { $0 }
    let cases: [(count: UInt32, names: [UInt8], isGood: Bool)] = [
      (16, Array(names.dropLast(2)), true), (17, names, false), (.max, names, false),
      (1, [0], false), (1, [2, 0x61], false), (2, [1, 0x61], false), (0, [1, 0x61], false),
    ]
    for (count, names, isGood) in cases {
      let cursor: [UInt8] =
        little(UInt64(0)) + little(UInt32(0)) + little(UInt32(0)) + little(count)
        + little(UInt32(0)) + names
      let content = lane + cursor
      let bytes = sealed(head(content: content.count), content)
      if isGood {
        let state = try? CursorState.decode(bytes.span.bytes).state
        #expect(state?.lanes.first?.cursors.first?.consumers.count == 16)
      } else {
        #expect(throws: SpoolFormatError.damaged) { try CursorState.decode(bytes.span.bytes) }
      }
    }
  }

  @Test("Of the names of consumers the last 16 are kept, and none that is too long")
  func keptConsumers() {
    var cursor = Cursor(name: [], isExclusive: false, delivered: DeliveredSet())
    cursor.setConsumers((0..<20).map { [UInt8($0)] })
    #expect(cursor.consumers == (4..<20).map { [UInt8($0)] })
    cursor.setConsumers([Array(repeating: 1, count: 256), [], Array(repeating: 2, count: 255)])
    #expect(cursor.consumers == [Array(repeating: 2, count: 255)])
  }

  @Test("A header's wrong fields are told apart")
  func headers() {
    let cases: [(bytes: [UInt8], error: SpoolFormatError)] = [
      (sealed(head(version: 3, content: 0, lanes: 0), []), .unknownVersion(3)),
      (sealed(head(version: 0, content: 0, lanes: 0), []), .damaged),
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
