import Bytes

/// What the cursor file holds: the lanes, who has got what, and how far the log was durable.
///
/// All numbers are little-endian. A header of 64 bytes:
///
/// | bytes | field |
/// |---|---|
/// | 0–7 | `DANUBECU` |
/// | 8–11 | version, 1; 2 if a lane is replicated or received |
/// | 12–15 | bytes of the content, which follows the header |
/// | 16–23 | generation, 1 … 2⁶³ − 1: of two copies the one with the larger number is newer |
/// | 24–39 | identity of the spool |
/// | 40–43 | a number above that of every segment |
/// | 44–47 | lanes |
/// | 48–55 | position up to which the log was durable |
/// | 56–59 | CRC-32C of the content |
/// | 60–63 | CRC-32C of bytes 0–59 |
///
/// The content is the lanes. Each: its number in blocks, next and first sequence, 8 each; flags, 4
/// (bit 0: reliable; bit 1, of version 2: replicated; bit 2, of version 2: received); cursors, 4;
/// length of the topic, 4; the topic; of a replicated lane the base of its batches' numbers, 8, a
/// hash of the URL of the broker that they go to, 8, 0 before the first, how many batches are
/// planned, 4, at most 64, and the sequence after the last record of each, 8, in order; of a
/// received lane the number of the last batch that an edge sent, 8; the cursors. Each cursor: the
/// sequence below which all are delivered, 8; flags, 4 (bit 0: exclusive); ranges, 4; consumers, 4,
/// at most 16; length of the name, 4; the name; the names of the consumers, each with its length, 1
/// to 255, in a byte before it; the ranges. Each range of delivered sequences is two LEB128
/// numbers: how many sequences before it are missing, less one, and how many are in it, less one.
///
/// Behind the content may be what is known of the clock, see ``CursorClocks``, and behind that
/// which segments there are, see ``CursorSegments``. What follows in the file has no meaning. Bytes
/// 0–11 and 60–63 mean the same in every version. A flag that is not known is damage: a new one
/// takes a new version.
public struct CursorState: Sendable, Equatable {
  static let headerBytes = 64
  /// The largest state that is written or read.
  static let maximumBytes = 256 << 20
  private static let magic: UInt64 = 0x5543_4542_554e_4144
  /// The latest version, which is read; as it is written depends on what there is to write.
  static let version: UInt32 = 2
  private static let lastGeneration: UInt64 = .max >> 1

  /// The identity of the spool.
  public var identity = SpoolIdentity(first: 0, second: 0)
  /// A number above that of every segment there was.
  public var nextSegment: UInt32 = 1
  /// Up to where the log was durable.
  public var synced = SpoolPosition.start
  /// The lanes.
  public var lanes: [LaneCursors] = []
  /// What the clock was set to, in starts of the machine of which there are blocks, and since when.
  public var clocks: [SpoolClock] = []
  /// The numbers of the segments there are, in order; none where that is not known.
  public var segments: [ClosedRange<UInt32>] = []
  /// Those of them, in order, that could not be read: cursors and batches passed over them.
  public var unread: [UInt32] = []

  /// Bytes behind the content, at most.
  static let maximumTrailerBytes = CursorClocks.maximumBytes + CursorSegments.maximumBytes

  /// The state of an empty spool.
  public init() {}

  /// Appends the state as it is written to a file.
  func encode(generation: UInt64, into output: inout GrowableBytes) {
    let start = output.count
    output.appendLittleEndian(Self.magic)
    // What can be told to a program that knows the first version only is.
    output.appendLittleEndian(UInt32(lanes.contains { $0.needsVersion2 } ? 2 : 1))
    output.appendLittleEndian(UInt32(0))
    output.appendLittleEndian(generation)
    output.appendLittleEndian(identity.first)
    output.appendLittleEndian(identity.second)
    output.appendLittleEndian(nextSegment)
    output.appendLittleEndian(UInt32(clamping: lanes.count))
    output.appendLittleEndian(synced.rawValue)
    output.appendLittleEndian(UInt64(0))
    let content = start + Self.headerBytes
    for lane in lanes { lane.encode(into: &output) }
    output.overwriteLittleEndian(at: start + 12, with: UInt32(clamping: output.count - content))
    output.overwriteLittleEndian(
      at: start + 56, with: CRC32C.checksum(output.bytes.extracting(content..<output.count)))
    output.overwriteLittleEndian(
      at: start + 60, with: CRC32C.checksum(output.bytes.extracting(start..<start + 60)))
    CursorClocks.encode(clocks, generation: generation, into: &output)
    CursorSegments.encode(
      segments, unread: unread, generation: generation, into: &output)
  }

  /// Bytes of the state that begins with this header, header and content, without the clocks.
  static func encodedBytes(header: RawSpan) throws(SpoolFormatError) -> Int {
    guard header.byteCount >= headerBytes else { throw .missing }
    var reader = ByteReader(header)
    guard reader.readUInt64LittleEndian() == magic else { throw .missing }
    var tail = ByteReader(header.extracting(60..<headerBytes))
    guard tail.readUInt32LittleEndian() == CRC32C.checksum(header.extracting(0..<60)),
      let version = reader.readUInt32LittleEndian(),
      let content = reader.readUInt32LittleEndian()
    else { throw .damaged }
    // The checksum first: damage does not make a file one of a later version.
    guard version > 0 else { throw .damaged }
    guard version <= Self.version else { throw .unknownVersion(version) }
    guard UInt64(content) <= UInt64(maximumBytes - headerBytes) else { throw .damaged }
    return headerBytes + Int(content)
  }

  /// Bytes of what is behind the content, of which `bytes` is the start.
  static func trailerBytes(_ bytes: RawSpan, generation: UInt64) -> Int {
    let clocks = CursorClocks.encodedBytes(bytes, generation: generation)
    return clocks
      + CursorSegments.encodedBytes(
        bytes.extracting(droppingFirst: clocks), generation: generation)
  }

  /// Reads a state and its generation, with the clocks and segments if they are in `bytes`. What
  /// follows them is not looked at.
  static func decode(
    _ bytes: RawSpan
  ) throws(SpoolFormatError) -> (generation: UInt64, state: CursorState) {
    let total = try encodedBytes(header: bytes)
    guard total <= bytes.byteCount else { throw .missing }
    var versions = ByteReader(bytes.extracting(8..<12))
    var header = ByteReader(bytes.extracting(16..<headerBytes))
    let content = bytes.extracting(headerBytes..<total)
    guard let version = versions.readUInt32LittleEndian(),
      let generation = header.readUInt64LittleEndian(),
      (1...lastGeneration).contains(generation),
      let first = header.readUInt64LittleEndian(), let second = header.readUInt64LittleEndian(),
      let nextSegment = header.readUInt32LittleEndian(),
      let laneCount = header.readUInt32LittleEndian(),
      let synced = header.readUInt64LittleEndian(),
      header.readUInt32LittleEndian() == CRC32C.checksum(content)
    else { throw .damaged }
    var state = CursorState()
    state.identity = SpoolIdentity(first: first, second: second)
    state.nextSegment = nextSegment
    state.synced = SpoolPosition(rawValue: synced)
    var reader = ByteReader(content)
    for _ in 0..<laneCount { state.lanes.append(try LaneCursors(&reader, version: version)) }
    guard reader.remaining == 0 else { throw .damaged }
    let trailer = bytes.extracting(total..<bytes.byteCount)
    state.clocks = CursorClocks.decode(trailer, generation: generation)
    let rest = trailer.extracting(
      droppingFirst: CursorClocks.encodedBytes(trailer, generation: generation))
    (state.segments, state.unread) = CursorSegments.decode(rest, generation: generation)
    return (generation, state)
  }
}
