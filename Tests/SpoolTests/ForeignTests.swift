import Bytes
import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("Files of other spools in the folder of one", .timeLimit(.minutes(1)))
struct ForeignTests {
  private func recover(
    _ files: [UInt32: [UInt8]], identity: SpoolIdentity?
  ) throws -> RecoveredLog {
    let world = SimulatedWorld(seed: 1)
    for (number, content) in files {
      world.disk(of: spoolHost).put(content, as: SegmentHeader.fileName(number), in: "spool")
    }
    let loop = try RecoveryLoop(world, identity: identity)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 10_000)) { loop.recovery.isDone }
    let isDone = loop.recovery.isDone
    try #require(isDone)
    return loop.takeResult()
  }

  /// A segment of another spool, with a block of it; `isWhole`: its header is not damaged.
  static func stray(_ number: UInt32, isWhole: Bool = true) -> [UInt8] {
    var output = GrowableBytes()
    SegmentHeader(number: number, identity: SpoolIdentity(first: 8, second: 9), clock: .unknown)
      .encode(into: &output)
    var builder = BlockBuilder()
    builder.append(
      lane: LaneHash(rawValue: 1), sequence: 0, LogLoop.record(1, 0, padding: 10).span.bytes)
    var block = builder.finish()
    block.place(
      at: SpoolPosition(segment: number, offset: 512), synced: .start, identity: 8, clock: .unknown)
    var content = Array(copying: output.bytes) + Array(copying: block.head)
    content += Array(copying: block.payload)
    content += Array(repeating: 0, count: 1_024)
    if !isWhole { content[300] ^= 1 }
    return content
  }

  @Test("The cursor file says whose segments are, whatever number another spool's have")
  func identity() throws {
    var files = try UnreadTests.files(first: 4)
    let own = files.keys.sorted()
    #expect(own.count > 2)
    files[1] = Self.stray(1)
    let log = try recover(files, identity: SpoolIdentity(first: 1, second: 2))
    #expect(log.segments.map(\.footer.number) == own && log.foreignSegments == [1])
    #expect(log.identity == SpoolIdentity(first: 1, second: 2))
    #expect(log.nextSegment == (own.last ?? 0) + 1 && log.unreadSegments.isEmpty)
  }

  @Test("A segment of another spool is not taken for one that holds nothing: it is never removed")
  func foreignWithoutHeader() throws {
    var files = try UnreadTests.files(first: 4, wanted: 10)
    files[2] = Self.stray(2, isWhole: false)
    let log = try recover(files, identity: SpoolIdentity(first: 1, second: 2))
    #expect(log.foreignSegments == [2] && log.blankSegments.isEmpty)
  }

  @Test("A command believes the cursor file as a start does")
  func inspection() throws {
    let bench = try InspectionBench()
    try bench.run(records: 2_000)
    let own = bench.names.filter { $0.hasSuffix(".seg") && $0 != "00000001.seg" }
    #expect(own.count > 1)
    try bench.write(Self.stray(1), as: "00000001.seg")
    var inspection = try bench.inspect()
    let listing = inspection.listing()
    #expect(listing.segments.map { SegmentHeader.fileName($0.number).description } == own)
    // It stands where one of ours was.
    #expect(listing.report.foreignSegments == [])
    let missed = SpoolUnreadFile(segment: 1, error: IOError(.notFound), isForeign: true)
    #expect(listing.report.unreadFiles == [missed])
    let verification = try inspection.verify(isLive: false)
    #expect(verification.records == listing.segments.reduce(0) { $0 + $1.records })
    #expect(verification.damage.map(\.file.description) == ["00000001.seg"])
    #expect(verification.damage.map(\.kind) == [.segmentHeader])
  }
}
