public import Bytes

/// What a sealed segment holds, written behind its last block so that a start reads one place a
/// segment and not the segment. All numbers are little-endian.
///
/// The footer begins at a multiple of 512, ends where the file ends, and ends with a trailer of 64
/// bytes:
///
/// | bytes | field |
/// |---|---|
/// | 0–7 | `ANBUEEND` |
/// | 8–11 | version, 1 |
/// | 12–15 | number of the segment |
/// | 16–23 | first half of the spool's identity |
/// | 24–27 | offset of the footer in the file |
/// | 28–31 | lanes |
/// | 32–35 | blocks |
/// | 36–39 | runs |
/// | 40–47 | bytes of the log that were damaged or cut when it was sealed |
/// | 48–55 | position up to which the log was synced when its first block was written |
/// | 56–59 | CRC-32C of everything from the summary to the trailer |
/// | 60–63 | CRC-32C of bytes 0–59 |
///
/// From the footer's offset on are the lists: the blocks (offset in the file and total bytes, 4
/// each), then the runs in the order of the log (number of the block and of the lane in the lists,
/// records, raw bytes 4 each, first sequence 8). The summary follows them: the CRC-32C of the lists
/// (4), when the first block was written and when the last (48 bytes, the three clocks of the
/// block's header each; zeros when there is none), then the lanes (hash 8, first and last sequence
/// 8 each, records 8, raw bytes 8, length of the topic 2, the topic), then zeros up to the trailer.
///
/// The lists grow with the number of blocks, the summary only with that of lanes: a start reads
/// the end of the file.
///
/// Of the trailer bytes 0–23 and 60–63 mean the same in every version.
public struct SegmentFooter: Sendable, Equatable {
  /// One lane of a segment.
  public struct Lane: Sendable, Equatable {
    /// The hash of the topic.
    public var hash: LaneHash
    /// The topic.
    public var topic: [UInt8]
    /// The lowest sequence in the segment.
    public var firstSequence: UInt64
    /// The highest sequence in the segment.
    public var lastSequence: UInt64
    /// Records.
    public var recordCount: UInt64
    /// Bytes of the records before compression.
    public var rawBytes: UInt64
  }

  /// One block of a segment.
  public struct Block: BitwiseCopyable, Sendable, Equatable {
    /// Where it begins in the file.
    public var offset: UInt32
    /// Its bytes in the file.
    public var totalBytes: UInt32
  }

  /// One run of a block.
  public struct Run: BitwiseCopyable, Sendable, Equatable {
    /// Its block's place in the list of blocks.
    public var block: UInt32
    /// Its lane's place in the list of lanes.
    public var lane: UInt32
    /// Records.
    public var recordCount: UInt32
    /// Bytes of the records before compression.
    public var rawBytes: UInt32
    /// The sequence of the first record.
    public var firstSequence: UInt64
  }

  static let trailerBytes = 64
  private static let blockBytes = 8
  private static let runBytes = 24
  private static let laneBytes = 42
  /// The sum of the lists, and the times.
  private static let summaryBytes = 52
  static let magic: UInt64 = 0x444e_4545_5542_4e41
  static let version: UInt32 = 1

  /// The number of the segment.
  public var number: UInt32
  /// The first half of the spool's identity.
  public var identity: UInt64
  /// Bytes between blocks, and behind the last, that could not be read when it was sealed.
  public var damagedBytes: UInt64 = 0
  /// Up to where the log was synced when the first block was written: where an earlier segment
  /// without a footer ends.
  public var syncedBefore = SpoolPosition.start
  /// When its blocks were written.
  public var times = SegmentTimes()
  /// The lanes, in the order in which they first appear.
  public var lanes: [Lane] = []
  /// The blocks, in the order of the file.
  public var blocks: [Block] = []
  /// The runs, in the order of the log.
  public var runs: [Run] = []

  /// A footer of an empty segment.
  public init(number: UInt32, identity: UInt64) {
    self.number = number
    self.identity = identity
  }

  /// Bytes of lists with so much in them, and topics of so many bytes together.
  static func contentBytes(blocks: Int, runs: Int, lanes: Int, topicBytes: Int) -> Int {
    blocks * blockBytes + runs * runBytes + lanes * laneBytes + topicBytes
  }

  /// Bytes of a footer with lists of so many bytes.
  static func encodedBytes(content: Int) -> Int {
    BlockHeader.aligned(content + summaryBytes + trailerBytes)
  }

  /// Appends the footer as it is written at `offset` of the file, a multiple of 512.
  public func encode(at offset: UInt32, into output: inout GrowableBytes) {
    let start = output.count
    for block in blocks {
      output.appendLittleEndian(block.offset)
      output.appendLittleEndian(block.totalBytes)
    }
    for run in runs {
      output.appendLittleEndian(run.block)
      output.appendLittleEndian(run.lane)
      output.appendLittleEndian(run.recordCount)
      output.appendLittleEndian(run.rawBytes)
      output.appendLittleEndian(run.firstSequence)
    }
    let summary = output.count
    output.appendLittleEndian(CRC32C.checksum(output.bytes.extracting(start..<summary)))
    times.encode(into: &output)
    for lane in lanes {
      output.appendLittleEndian(lane.hash.rawValue)
      output.appendLittleEndian(lane.firstSequence)
      output.appendLittleEndian(lane.lastSequence)
      output.appendLittleEndian(lane.recordCount)
      output.appendLittleEndian(lane.rawBytes)
      output.appendLittleEndian(UInt16(lane.topic.count))
      output.append(contentsOf: lane.topic)
    }
    let content = output.count - start
    output.appendZeros(
      BlockHeader.aligned(content + Self.trailerBytes) - content - Self.trailerBytes)
    let checksum = CRC32C.checksum(output.bytes.extracting(summary..<output.count))
    let trailer = output.count
    output.appendLittleEndian(Self.magic)
    output.appendLittleEndian(Self.version)
    output.appendLittleEndian(number)
    output.appendLittleEndian(identity)
    output.appendLittleEndian(offset)
    output.appendLittleEndian(UInt32(lanes.count))
    output.appendLittleEndian(UInt32(blocks.count))
    output.appendLittleEndian(UInt32(runs.count))
    output.appendLittleEndian(damagedBytes)
    output.appendLittleEndian(syncedBefore.rawValue)
    output.appendLittleEndian(checksum)
    output.appendLittleEndian(
      CRC32C.checksum(output.bytes.extracting(trailer..<trailer + 60)))
  }

  /// What the trailer tells: where the footer begins. `trailer` is the file's last 64 bytes.
  public static func offset(trailer: RawSpan, fileBytes: UInt64) -> UInt32? {
    place(trailer: trailer, fileBytes: fileBytes)?.offset
  }

  /// What the trailer tells: where the footer begins, and where its summary. `trailer` is the
  /// file's last 64 bytes.
  static func place(
    trailer: RawSpan, fileBytes: UInt64
  ) -> (offset: UInt32, summary: UInt64)? {
    guard let parsed = Trailer(trailer) else { return nil }
    let summary = UInt64(parsed.offset) + parsed.listBytes
    guard summary + UInt64(trailerBytes) <= fileBytes else { return nil }
    return (parsed.offset, summary)
  }

  /// The version of the footer that this trailer of a segment ends, when it is a later one.
  static func laterVersion(trailer: RawSpan, number: UInt32, identity: UInt64) -> UInt32? {
    guard trailer.byteCount == trailerBytes else { return nil }
    var reader = ByteReader(trailer)
    var tail = ByteReader(trailer.extracting(60..<trailerBytes))
    guard reader.readUInt64LittleEndian() == magic,
      let version = reader.readUInt32LittleEndian(), version > Self.version,
      reader.readUInt32LittleEndian() == number, reader.readUInt64LittleEndian() == identity,
      tail.readUInt32LittleEndian() == CRC32C.checksum(trailer.extracting(0..<60))
    else { return nil }
    return version
  }

  private struct Trailer {
    let number: UInt32
    let identity: UInt64
    let offset: UInt32
    let laneCount: UInt32
    let blockCount: UInt32
    let runCount: UInt32
    let damagedBytes: UInt64
    let syncedBefore: UInt64
    let checksum: UInt32

    var listBytes: UInt64 {
      UInt64(blockCount) * UInt64(SegmentFooter.blockBytes)
        + UInt64(runCount) * UInt64(SegmentFooter.runBytes)
    }

    init?(_ bytes: RawSpan) {
      guard bytes.byteCount == trailerBytes else { return nil }
      var reader = ByteReader(bytes)
      guard reader.readUInt64LittleEndian() == magic, reader.readUInt32LittleEndian() == version,
        let number = reader.readUInt32LittleEndian(),
        let identity = reader.readUInt64LittleEndian(),
        let offset = reader.readUInt32LittleEndian(),
        let lanes = reader.readUInt32LittleEndian(),
        let blocks = reader.readUInt32LittleEndian(),
        let runs = reader.readUInt32LittleEndian(),
        let damaged = reader.readUInt64LittleEndian(),
        let synced = reader.readUInt64LittleEndian(),
        let content = reader.readUInt32LittleEndian(),
        let own = reader.readUInt32LittleEndian(),
        own == CRC32C.checksum(bytes.extracting(0..<60))
      else { return nil }
      self.number = number
      self.identity = identity
      self.offset = offset
      laneCount = lanes
      blockCount = blocks
      runCount = runs
      damagedBytes = damaged
      syncedBefore = synced
      checksum = content
    }
  }

  /// Reads a footer: `bytes` are the file's from the footer's offset to its end.
  public init(decoding bytes: RawSpan) throws(SpoolFormatError) {
    let trailer = try Self.trailer(bytes)
    guard let listBytes = Int(exactly: trailer.listBytes),
      listBytes <= bytes.byteCount - Self.trailerBytes
    else { throw .damaged }
    var topics: [LaneHash: [UInt8]] = [:]
    var listChecksum: UInt32 = 0
    self = try Self.summary(
      bytes.extracting(droppingFirst: listBytes), trailer, &topics, &listChecksum)
    let lists = bytes.extracting(0..<listBytes)
    guard CRC32C.checksum(lists) == listChecksum else { throw .damaged }
    var reader = ByteReader(lists)
    blocks.reserveCapacity(Int(trailer.blockCount))
    for _ in 0..<trailer.blockCount {
      guard let offset = reader.readUInt32LittleEndian(),
        let total = reader.readUInt32LittleEndian()
      else { throw .damaged }
      blocks.append(Block(offset: offset, totalBytes: total))
    }
    runs.reserveCapacity(Int(trailer.runCount))
    for _ in 0..<trailer.runCount {
      guard let block = reader.readUInt32LittleEndian(),
        let lane = reader.readUInt32LittleEndian(), block < trailer.blockCount,
        lane < trailer.laneCount, let count = reader.readUInt32LittleEndian(),
        let raw = reader.readUInt32LittleEndian(),
        let first = reader.readUInt64LittleEndian()
      else { throw .damaged }
      runs.append(
        Run(block: block, lane: lane, recordCount: count, rawBytes: raw, firstSequence: first))
    }
  }

  /// Reads a footer without its lists: `bytes` are the file's from the summary to its end. Topics
  /// that are known already are not made anew; those that are not are added.
  init(
    summary bytes: RawSpan, topics: inout [LaneHash: [UInt8]]
  ) throws(SpoolFormatError) {
    var listChecksum: UInt32 = 0
    self = try Self.summary(bytes, try Self.trailer(bytes), &topics, &listChecksum)
  }

  private static func trailer(_ bytes: RawSpan) throws(SpoolFormatError) -> Trailer {
    guard bytes.byteCount >= trailerBytes,
      let trailer = Trailer(bytes.extracting(droppingFirst: bytes.byteCount - trailerBytes))
    else { throw .missing }
    return trailer
  }

  private static func summary(
    _ bytes: RawSpan, _ trailer: Trailer, _ topics: inout [LaneHash: [UInt8]],
    _ listChecksum: inout UInt32
  ) throws(SpoolFormatError) -> SegmentFooter {
    let content = bytes.extracting(0..<bytes.byteCount - trailerBytes)
    guard CRC32C.checksum(content) == trailer.checksum else { throw .damaged }
    var footer = SegmentFooter(number: trailer.number, identity: trailer.identity)
    footer.damagedBytes = trailer.damagedBytes
    footer.syncedBefore = SpoolPosition(rawValue: trailer.syncedBefore)
    var reader = ByteReader(content)
    guard let checksum = reader.readUInt32LittleEndian(), let times = SegmentTimes(&reader),
      Int(trailer.laneCount) <= content.byteCount / laneBytes
    else { throw .damaged }
    listChecksum = checksum
    footer.times = times
    footer.lanes.reserveCapacity(Int(trailer.laneCount))
    for _ in 0..<trailer.laneCount { footer.lanes.append(try lane(&reader, &topics)) }
    return footer
  }

  private static func lane(
    _ reader: inout ByteReader, _ topics: inout [LaneHash: [UInt8]]
  ) throws(SpoolFormatError) -> Lane {
    guard let hash = reader.readUInt64LittleEndian(),
      let first = reader.readUInt64LittleEndian(), let last = reader.readUInt64LittleEndian(),
      let count = reader.readUInt64LittleEndian(), let raw = reader.readUInt64LittleEndian(),
      let length = reader.readUInt16LittleEndian(),
      let topic = reader.readBytes(Int(length)), first <= last
    else { throw .damaged }
    return Lane(
      hash: LaneHash(rawValue: hash), topic: name(topic, LaneHash(rawValue: hash), &topics),
      firstSequence: first, lastSequence: last, recordCount: count, rawBytes: raw)
  }

  /// A topic, as an array that is shared when it is known.
  private static func name(
    _ topic: RawSpan, _ hash: LaneHash, _ topics: inout [LaneHash: [UInt8]]
  ) -> [UInt8] {
    if let known = topics[hash], topic.isEqual(to: known) { return known }
    let name = [UInt8](copying: topic)
    if topics[hash]?.isEmpty ?? true { topics[hash] = name }
    return name
  }
}
