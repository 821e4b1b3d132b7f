import Bytes
import Glibc
import IOPort
import Testing
import Uring

@testable import Spool

@Suite("A spool's directory is looked at and mended", .timeLimit(.minutes(1)))
struct InspectionTests {
  private func records(
    _ inspection: inout SpoolInspection<BlockingFiles>, _ selection: SpoolSelection
  ) -> (records: [[UInt8]: [UInt64: [UInt8]]], damage: [SpoolDamage]) {
    var found: [[UInt8]: [UInt64: [UInt8]]] = [:]
    let damage = inspection.forEachRecord(selection) { topic, sequence, element in
      #expect(found[topic]?[sequence] == nil, "told twice")
      found[topic, default: [:]][sequence] = Array(copying: element)
      return true
    }
    return (found, damage)
  }

  @Test("What was written is listed, told and found whole, and nothing is changed")
  func whole() throws {
    let bench = try InspectionBench()
    try bench.run(records: 2_000, delivered: [1: 0..<10])
    let before = try bench.snapshot()
    var inspection = try bench.inspect()
    let listing = inspection.listing()
    #expect(listing.lanes.map(\.topic) == [LogLoop.topic(0), LogLoop.topic(1)])
    #expect(listing.lanes.map(\.records) == [1_000, 1_000])
    #expect(listing.lanes.map(\.nextSequence) == [1_000, 1_000])
    #expect(listing.lanes.map { $0.readers.map(\.waitingRecords) } == [[1_000], [990]])
    #expect(listing.lanes.allSatisfy { $0.oldestWaiting == 1_790_000_001_000 })
    #expect(listing.lanes.allSatisfy { $0.storedBytes > 0 && $0.storedBytes < $0.rawBytes })
    #expect(listing.segments.count > 1)
    #expect(listing.segments.reduce(0) { $0 + $1.records } == 2_000)
    #expect(listing.report.damagedBytes == 0 && listing.hasCursors)
    let all = records(&inspection, SpoolSelection())
    #expect(all.damage == [])
    for lane in UInt64(0)...1 {
      let told = all.records[LogLoop.topic(lane)] ?? [:]
      #expect(told.keys.sorted() == Array(0..<1_000))
      #expect(told.allSatisfy { $0.value == bench.written[lane]?[Int($0.key)] })
    }
    let verification = try inspection.verify(isLive: false)
    #expect(verification.damage == [] && verification.records == 2_000)
    #expect(verification.cursorCopies == 2)
    #expect(try bench.snapshot() == before)
  }

  @Test("Only the lane, the sequences and the undelivered records that are wanted are told")
  func selection() throws {
    let bench = try InspectionBench()
    try bench.run(records: 400, delivered: [1: 50..<60])
    var inspection = try bench.inspect()
    let some = records(
      &inspection,
      SpoolSelection(topic: LogLoop.topic(1), from: 45, isUndeliveredOnly: true))
    #expect(some.records.count == 1)
    #expect(
      some.records[LogLoop.topic(1)]?.keys.sorted() == Array(45..<50) + Array(60..<200))
    let none = records(&inspection, SpoolSelection(topic: Array("/default/none".utf8)))
    #expect(none.records.isEmpty && none.damage.isEmpty)
  }

  @Test("A damaged block is named with what is lost, and the rest is told")
  func damagedBlock() throws {
    let bench = try InspectionBench()
    try bench.run(records: 2_000)
    var inspection = try bench.inspect()
    let footer = inspection.log.segments[0].footer
    let block = footer.blocks[2]
    try bench.damage("00000001.seg", at: Int(block.offset) + Int(block.totalBytes) / 2)
    try inspection.load()
    let before = try bench.snapshot()
    let verification = try inspection.verify(isLive: false)
    #expect(verification.damage.count == 1)
    let damage = try #require(verification.damage.first)
    #expect(damage.file.description == "00000001.seg" && damage.kind == .block)
    #expect(damage.offset == UInt64(block.offset) && damage.bytes == UInt64(block.totalBytes))
    let runs = footer.runs.filter { $0.block == 2 }
    #expect(damage.lost.map(\.topic) == runs.map { footer.lanes[Int($0.lane)].topic })
    let lost = runs.reduce(0) { $0 + Int($1.recordCount) }
    #expect(damage.lost.reduce(0) { $0 + $1.sequences.count } == lost && lost > 0)
    #expect(verification.records == 2_000 - UInt64(lost))
    let all = records(&inspection, SpoolSelection())
    #expect(all.damage == [damage])
    #expect(all.records.values.reduce(0) { $0 + $1.count } == 2_000 - lost)
    #expect(try bench.snapshot() == before)
  }

  @Test("A block that is damaged where there is no footer is found as a start finds it")
  func damagedWithoutFooter() throws {
    let bench = try InspectionBench()
    try bench.run(records: 300)
    var inspection = try bench.inspect()
    let segment = try #require(inspection.log.segments.last)
    #expect(!segment.isSealed && segment.footer.blocks.count > 3)
    let block = segment.footer.blocks[1]
    let name = SegmentHeader.fileName(segment.footer.number).description
    try bench.damage(name, at: Int(block.offset) + Int(block.totalBytes) - 513)
    try inspection.load()
    let verification = try inspection.verify(isLive: false)
    let damage = try #require(verification.damage.first)
    #expect(verification.damage.count == 1 && damage.offset == UInt64(block.offset))
    // Its header is whole and tells what was in it.
    let runs = segment.footer.runs.filter { $0.block == 1 }
    #expect(damage.lost.map(\.sequences.count) == runs.map { Int($0.recordCount) })
    #expect(damage.lost.allSatisfy { !$0.topic.isEmpty })
    #expect(inspection.listing().report.damagedPlaces == 1)
  }

  @Test(
    "What stands in the way of records is told with them, as verify finds it",
    arguments: ["gone", "pipe", "folder", "hole", "both", "cut"])
  func toldWithRecords(what: String) throws {
    let bench = try InspectionBench()
    try bench.run(records: 8_000)
    var inspection = try bench.inspect()
    let name = "00000001.seg"
    let footer = inspection.log.segments[0].footer
    let block = footer.blocks[1]
    let file = bench.path + "/" + name
    switch what {
    case "gone": #expect(unlink(file) == 0)
    case "pipe": #expect(unlink(file) == 0 && mkfifo(file, 0o600) == 0)
    case "folder": #expect(unlink(file) == 0 && mkdir(file, 0o700) == 0)
    case "hole":
      let last = try #require(inspection.log.segments.last)
      #expect(!last.isSealed && last.footer.blocks.count > 3)
      let lost = last.footer.blocks[1]
      try bench.damage(
        SegmentHeader.fileName(last.footer.number).description,
        at: Int(lost.offset) + Int(lost.totalBytes) - 513)
    case "cut":
      try bench.write(Array(try bench.content(name).prefix(Int(block.offset))), as: name)
    default:
      try bench.damage(name, at: Int(block.offset) + Int(block.totalBytes) - 513)
      try bench.damage(name, at: try bench.content(name).count - 30)
    }
    try inspection.load()
    let all = records(&inspection, SpoolSelection())
    let verified = try inspection.verify(isLive: false).damage
    #expect(!all.damage.isEmpty && all.damage.allSatisfy { verified.contains($0) })
    #expect(all.records.values.reduce(0) { $0 + $1.count } < 8_000)
    // Of another lane nothing is known to be gone, where that is known at all.
    let other = records(&inspection, SpoolSelection(topic: Array("/default/none".utf8)))
    let isKnown = what == "hole" || what == "both"
    #expect(other.damage.isEmpty == isKnown)
    // What is given up with a file that can't be read is said, and not counted.
    let change = try inspection.drop(LogLoop.topic(1), before: nil)
    #expect(change.unreadFiles == (isKnown || what == "cut" ? 0 : 1))
  }

  @Test("A segment that was cut is named, wherever that was", arguments: [0, 1, 2, 3, 300, 301])
  func cut(at blocks: Int) throws {
    let bench = try InspectionBench()
    try bench.run(records: 8_000)
    var inspection = try bench.inspect()
    let segment = inspection.log.segments[1]
    #expect(inspection.log.segments.count > 3 && segment.footer.blocks.count > 3)
    let name = SegmentHeader.fileName(segment.footer.number).description
    // At the end of a block, behind the header, or in it.
    let end =
      blocks < 300 ? Int(segment.footer.blocks[blocks].offset) : blocks == 300 ? 300 : 0
    try bench.write(Array(try bench.content(name).prefix(end)), as: name)
    try inspection.load()
    let verification = try inspection.verify(isLive: false)
    #expect(verification.records < 8_000)
    #expect(!verification.damage.isEmpty)
    #expect(verification.damage.allSatisfy { $0.file.description == name })
  }

  @Test("The last segment is named when it was cut before what is known to be durable")
  func cutLast() throws {
    let bench = try InspectionBench()
    try bench.run(records: 300)
    var inspection = try bench.inspect()
    let segment = try #require(inspection.log.segments.last)
    #expect(!segment.isSealed && segment.footer.blocks.count > 3)
    let name = SegmentHeader.fileName(segment.footer.number).description
    let end = Int(segment.footer.blocks[2].offset)
    try bench.write(Array(try bench.content(name).prefix(end)), as: name)
    try inspection.load()
    let verification = try inspection.verify(isLive: false)
    #expect(verification.damage.map(\.kind) == [.block])
    #expect(verification.damage.first?.offset == UInt64(end))
    #expect(inspection.listing().report.damagedPlaces == 1)
  }

  @Test("A damaged header, footer and cursor file are each named", arguments: 0..<3)
  func damagedParts(which: Int) throws {
    let bench = try InspectionBench()
    try bench.run(records: 2_000)
    let size = try bench.content("00000001.seg").count
    let place = [("00000001.seg", 20), ("00000001.seg", size - 20), ("cursors-a", 70)][which]
    try bench.damage(place.0, at: place.1)
    var inspection = try bench.inspect()
    let verification = try inspection.verify(isLive: false)
    let kinds: [SpoolDamage.Kind] = [.segmentHeader, .footer, .cursors]
    #expect(verification.damage.map(\.kind) == [kinds[which]])
    #expect(verification.damage.map(\.file.description) == [place.0])
    let listing = inspection.listing()
    #expect(listing.lanes.count == 2 && listing.hasCursors)
    // None of them keeps records away.
    #expect(verification.records == 2_000)
  }

  @Test("After an end in order no write was interrupted")
  func cleanEnd() throws {
    let bench = try InspectionBench()
    try bench.run(records: 300)
    var inspection = try bench.inspect()
    #expect(inspection.log.cutSegments == 0)
    #expect(try inspection.verify(isLive: false).interruptedWrites == 0)
  }

  @Test(
    "Without cursors and without a header the oldest segment is read", arguments: [50, 2_000],
    [[20], Array(0..<512)])
  func oldestWithoutHeader(count: Int, places: [Int]) throws {
    let bench = try InspectionBench()
    try bench.run(records: count)
    for name in ["cursors-a", "cursors-b"] { try bench.remove(name) }
    for place in places { try bench.damage("00000001.seg", at: place) }
    var inspection = try bench.inspect(isReadOnly: false)
    let all = records(&inspection, SpoolSelection())
    #expect(all.records.values.reduce(0) { $0 + $1.count } == count && all.damage.isEmpty)
    let verification = try inspection.verify(isLive: false)
    #expect(verification.records == UInt64(count))
    #expect(verification.damage.map(\.kind) == [.segmentHeader])
    guard count == 50 else { return }
    // Half an identity is not enough to write.
    let before = try bench.snapshot()
    _ = try inspection.drop(LogLoop.topic(1), before: nil)
    #expect(throws: SpoolChangeError.self) { try inspection.save() }
    #expect(try bench.snapshot() == before)
  }

  @Test("Without any cursor file everything is waiting, and the lanes come from the log")
  func noCursors() throws {
    let bench = try InspectionBench()
    try bench.run(records: 100)
    for name in ["cursors-a", "cursors-b"] { try bench.damage(name, at: 70) }
    var inspection = try bench.inspect()
    #expect(!inspection.listing().hasCursors)
    #expect(inspection.damagedCursorCopies == 2)
    let waiting = records(&inspection, SpoolSelection(isUndeliveredOnly: true))
    #expect(waiting.records.values.reduce(0) { $0 + $1.count } == 100)
  }

  @Test("A reader that is set back gets what is still there, after the next start too")
  func replay() throws {
    let bench = try InspectionBench()
    try bench.run(records: 400, delivered: [1: 0..<150])
    var inspection = try bench.inspect(isReadOnly: false)
    let topic = LogLoop.topic(1)
    let change = try inspection.replay(topic, reader: [], from: 100)
    #expect(change == SpoolChange(records: 100, undelivered: 50, first: 100))
    try inspection.save()
    var again = try bench.inspect()
    let waiting = records(&again, SpoolSelection(topic: topic, isUndeliveredOnly: true))
    #expect(waiting.records[topic]?.keys.sorted() == Array(100..<200))
    // And the spool itself starts with it.
    try bench.run(records: 0)
    var third = try bench.inspect()
    #expect(third.listing().lanes.map { $0.readers.map(\.waitingRecords) } == [[200], [100]])
  }

  @Test("A reader that is set back does not wait for what is gone")
  func setBackBehindGaps() throws {
    var lane = LaneCursors(
      topic: [1], hash: LaneHash(rawValue: 1), nextSequence: 100, firstSequence: 10,
      isReliable: true,
      cursors: [Cursor(name: [], isExclusive: false, delivered: DeliveredSet(next: 70))])
    let change = try lane.replay(reader: [], from: 0, stored: [20..<40, 60..<90])
    #expect(change.records == 50 && change.undelivered == 20)
    // 40 to 59 were delivered, those before 20 dropped or delivered; 90 to 99 come yet.
    #expect(lane.cursors[0].delivered.missing(in: 0..<100) == [20..<40, 60..<100])
    // What was dropped and is gone is not dropped again.
    #expect(lane.firstSequence == 10)
  }

  @Test("A reader that is not served is set back, and still waits for nothing new")
  func parkedReplay() throws {
    var cursor = Cursor(name: [], isExclusive: false, delivered: DeliveredSet(next: 10))
    cursor.delivered.park(from: 20)
    var lane = LaneCursors(
      topic: LogLoop.topic(1), hash: LaneHash(topic: LogLoop.topic(1)), nextSequence: 30,
      firstSequence: 0, isReliable: true, cursors: [cursor])
    let change = try lane.replay(reader: [], from: 5, stored: [0..<30])
    #expect(change == SpoolChange(records: 25, undelivered: 10, first: 5, isParked: true))
    let delivered = lane.cursors[0].delivered
    #expect(delivered.missingCount(in: 0..<100) == 25 && !delivered.contains(29))
    #expect(delivered.isParked && delivered.contains(30))
    let other = try lane.replay(reader: [], from: 25, stored: [0..<30])
    #expect(other.isParked && other.records == 5)
  }

  @Test("Records that are given up are gone, and how many were undelivered is told")
  func drop() throws {
    let bench = try InspectionBench()
    try bench.run(records: 400, delivered: [1: 10..<20])
    var inspection = try bench.inspect(isReadOnly: false)
    let topic = LogLoop.topic(1)
    #expect(
      try inspection.drop(topic, before: 50)
        == SpoolChange(records: 50, undelivered: 40, first: 50))
    #expect(throws: SpoolChangeError.nothingStored) { try inspection.drop(topic, before: 50) }
    try inspection.save()
    var again = try bench.inspect(isReadOnly: false)
    let left = records(&again, SpoolSelection(topic: topic, isUndeliveredOnly: true))
    #expect(left.records[topic]?.keys.sorted() == Array(50..<200))
    // What was dropped and is still on the disk can be had back.
    #expect(
      try again.replay(topic, reader: [], from: 30)
        == SpoolChange(records: 170, undelivered: 150, first: 30))
    #expect(
      try again.drop(topic, before: nil)
        == SpoolChange(records: 170, undelivered: 170, first: 200))
  }

  @Test("What can't be changed says why, and nothing is written")
  func wrongChanges() throws {
    let bench = try InspectionBench()
    try bench.run(records: 100)
    let before = try bench.snapshot()
    var inspection = try bench.inspect()
    let topic = LogLoop.topic(1)
    #expect(throws: SpoolChangeError.unknownLane) {
      try inspection.replay(Array("/default/none".utf8), reader: [], from: 0)
    }
    #expect(throws: SpoolChangeError.unknownReader) {
      try inspection.replay(topic, reader: Array("nobody".utf8), from: 0)
    }
    #expect(throws: SpoolChangeError.unknownSequence(next: 50)) {
      try inspection.replay(topic, reader: [], from: 51)
    }
    #expect(throws: SpoolChangeError.nothingStored) {
      try inspection.replay(topic, reader: [], from: 50)
    }
    #expect(throws: SpoolChangeError.unknownSequence(next: 50)) {
      try inspection.drop(topic, before: 51)
    }
    // A port that only reads keeps its word.
    _ = try inspection.replay(topic, reader: [], from: 0)
    #expect(throws: SpoolChangeError.failed(IOError(.readOnly))) { try inspection.save() }
    #expect(try bench.snapshot() == before)
  }
}
