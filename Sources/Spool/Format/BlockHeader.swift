import Bytes

/// What is wrong with bytes that should be part of the log.
public enum SpoolFormatError: Error, Equatable, Sendable {
  /// There is no such thing here, or it ends before its end.
  case missing
  /// A checksum or a field does not fit.
  case damaged
  /// It was written by a later version.
  case unknownVersion(UInt32)
}

/// How the records of a block are stored.
public enum BlockCodec: UInt8, BitwiseCopyable, Sendable {
  /// As they are.
  case stored = 0
  /// As one LZ4 block (lz4_Block_format.md of the LZ4 project).
  case lz4 = 1
}

/// Neighbouring records of one topic in a block, with sequences that follow each other.
public struct BlockRun: BitwiseCopyable, Sendable, Equatable {
  /// The topic.
  public var lane: LaneHash
  /// The sequence of the first record.
  public var firstSequence: UInt64
  /// Records, at least one.
  public var recordCount: UInt32
  /// Bytes of the records before compression.
  public var rawBytes: UInt32

  static let encodedBytes = 24
}

/// The header of a block. All numbers are little-endian.
///
/// | bytes | field |
/// |---|---|
/// | 0–3 | `DBLK` |
/// | 4 | version, 1 |
/// | 5 | codec: 0 stored, 1 LZ4 |
/// | 6–7 | number of runs, 1 … 1,024 |
/// | 8–11 | bytes of the payload as stored |
/// | 12–15 | bytes of the payload before compression |
/// | 16–19 | records |
/// | 20–23 | bytes of the header with its runs |
/// | 24–31 | position of this block in the log |
/// | 32–39 | position up to which the log was synced when the block was written |
/// | 40–47 | first half of the spool's identity |
/// | 48–55 | boot clock, milliseconds; bit 63: the time of day was not known to be right |
/// | 56–63 | Unix milliseconds minus the boot clock |
/// | 64–71 | the boot's number |
/// | 72–75 | CRC-32C of the payload as stored |
/// | 76–79 | CRC-32C of bytes 0–75 and of those from 80 to the header's end |
/// | 80–… | runs, 24 bytes each: lane hash, first sequence (8 each), records, raw bytes (4 each) |
///
/// The payload follows, then zeros up to a multiple of 512. A block begins at such a multiple: no
/// sector holds parts of two blocks, so that writing one can't damage another. What ``BlockFrame``
/// reads means the same in every version.
public struct BlockHeader: Sendable, Equatable {
  /// Blocks begin at multiples of this.
  public static let alignment = 512
  /// The largest payload before compression: a record of the largest size and its framing.
  public static let maximumRawBytes = (4 << 20) + 64
  /// The most runs in a block.
  public static let maximumRuns = 1_024

  static let fixedBytes = 80
  /// The longest header, of any version.
  static let mostBytes = fixedBytes + maximumRuns * BlockRun.encodedBytes
  static let version: UInt8 = 1

  /// How the payload is stored.
  public var codec = BlockCodec.stored
  /// Bytes of the payload as stored.
  public var storedBytes: UInt32 = 0
  /// Bytes of the payload before compression.
  public var rawBytes: UInt32 = 0
  /// Records of all runs.
  public var recordCount: UInt32 = 0
  /// Where the block is.
  public var position = SpoolPosition.start
  /// Up to where the log was synced when the block was written: whatever is wrong before that is
  /// damage, whatever is wrong behind the last such place may be a write that never ended.
  public var syncedPosition = SpoolPosition.start
  /// The first half of the identity of the spool.
  public var identity: UInt64 = 0
  /// When the block was written.
  public var clock = SpoolClock(bootMilliseconds: 0, wallOffsetMilliseconds: 0, bootID: 0)
  /// The checksum of the payload.
  public var payloadChecksum: UInt32 = 0
  /// What the payload holds, in order.
  public var runs: [BlockRun] = []

  /// Bytes of the header with its runs.
  public var headerBytes: Int { Self.fixedBytes + runs.count * BlockRun.encodedBytes }

  /// Bytes in the file, with the zeros at the end.
  public var totalBytes: Int { Self.aligned(headerBytes + Int(storedBytes)) }

  /// The next multiple of the alignment.
  public static func aligned(_ bytes: Int) -> Int {
    (bytes + alignment - 1) / alignment * alignment
  }

  /// Appends the header.
  func encode(into output: inout GrowableBytes) {
    let start = output.count
    output.appendLittleEndian(BlockFrame.magic)
    output.append(Self.version)
    output.append(codec.rawValue)
    output.appendLittleEndian(UInt16(runs.count))
    output.appendLittleEndian(storedBytes)
    output.appendLittleEndian(rawBytes)
    output.appendLittleEndian(recordCount)
    output.appendLittleEndian(UInt32(headerBytes))
    output.appendLittleEndian(position.rawValue)
    output.appendLittleEndian(syncedPosition.rawValue)
    output.appendLittleEndian(identity)
    clock.encode(into: &output)
    output.appendLittleEndian(payloadChecksum)
    output.appendLittleEndian(UInt32(0))
    for run in runs {
      output.appendLittleEndian(run.lane.rawValue)
      output.appendLittleEndian(run.firstSequence)
      output.appendLittleEndian(run.recordCount)
      output.appendLittleEndian(run.rawBytes)
    }
    let checksum = BlockFrame.checksum(
      output.bytes.extracting(start..<start + headerBytes))
    output.overwriteLittleEndian(at: start + 76, with: checksum)
  }

  /// Reads the header at the start of `bytes`; it need not be followed by anything.
  public init(decoding bytes: RawSpan) throws(SpoolFormatError) {
    let frame = try BlockFrame(decoding: bytes)
    guard frame.version == Self.version else { throw .unknownVersion(UInt32(frame.version)) }
    var reader = ByteReader(bytes.extracting(5..<frame.headerBytes))
    // Another codec is another version: there is no way to pass one over.
    guard let codec = reader.readUInt8().flatMap(BlockCodec.init(rawValue:)),
      let runCount = reader.readUInt16LittleEndian(),
      frame.headerBytes == Self.fixedBytes + Int(runCount) * BlockRun.encodedBytes,
      let storedBytes = reader.readUInt32LittleEndian(),
      let rawBytes = reader.readUInt32LittleEndian(),
      let recordCount = reader.readUInt32LittleEndian(), reader.skip(4),
      let position = reader.readUInt64LittleEndian(),
      let synced = reader.readUInt64LittleEndian(),
      let identity = reader.readUInt64LittleEndian(),
      let clock = SpoolClock(&reader),
      let payloadChecksum = reader.readUInt32LittleEndian(), reader.skip(4)
    else { throw .damaged }
    self.codec = codec
    self.storedBytes = storedBytes
    self.rawBytes = rawBytes
    self.recordCount = recordCount
    self.position = SpoolPosition(rawValue: position)
    syncedPosition = SpoolPosition(rawValue: synced)
    self.identity = identity
    self.clock = clock
    self.payloadChecksum = payloadChecksum
    for _ in 0..<runCount {
      guard let lane = reader.readUInt64LittleEndian(),
        let first = reader.readUInt64LittleEndian(),
        let count = reader.readUInt32LittleEndian(), let raw = reader.readUInt32LittleEndian()
      else { throw .missing }
      runs.append(
        BlockRun(
          lane: LaneHash(rawValue: lane), firstSequence: first, recordCount: count,
          rawBytes: raw))
    }
    guard isConsistent else { throw .damaged }
  }

  /// Whether sizes and sums are such that the rest can be read with them.
  private var isConsistent: Bool {
    var records: UInt64 = 0
    var bytes: UInt64 = 0
    for run in runs {
      guard run.recordCount > 0, run.rawBytes > 0,
        !run.firstSequence.addingReportingOverflow(UInt64(run.recordCount)).overflow
      else { return false }
      records += UInt64(run.recordCount)
      bytes += UInt64(run.rawBytes)
    }
    return !runs.isEmpty && runs.count <= Self.maximumRuns && records == UInt64(recordCount)
      && bytes == UInt64(rawBytes) && rawBytes <= UInt32(Self.maximumRawBytes)
      && storedBytes > 0 && storedBytes <= rawBytes
      && (codec != .stored || storedBytes == rawBytes)
  }

  /// An empty header.
  public init() {}
}
