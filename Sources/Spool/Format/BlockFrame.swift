import Bytes

/// What of a block's header means the same in every version of the format, so that a block of a
/// later version is told from damage. All numbers are little-endian.
///
/// | bytes | field |
/// |---|---|
/// | 0–3 | `DBLK` |
/// | 4 | version |
/// | 8–11 | bytes that follow the header, without the zeros at the end |
/// | 20–23 | bytes of the header, 80 … 24,656 |
/// | 24–31 | position of this block in the log |
/// | 40–47 | first half of the spool's identity |
/// | 76–79 | CRC-32C of bytes 0–75 and of those from 80 to the header's end |
struct BlockFrame {
  static let magic: UInt32 = 0x4b4c_4244

  let version: UInt8
  let headerBytes: Int
  let storedBytes: Int
  let position: SpoolPosition
  let identity: UInt64

  /// Reads what is at the start of `bytes`; it need not be followed by anything.
  init(decoding bytes: RawSpan) throws(SpoolFormatError) {
    var reader = ByteReader(bytes)
    guard bytes.byteCount >= BlockHeader.fixedBytes,
      reader.readUInt32LittleEndian() == Self.magic, let version = reader.readUInt8(),
      reader.skip(3), let storedBytes = reader.readUInt32LittleEndian(), reader.skip(8),
      let headerBytes = reader.readUInt32LittleEndian(),
      let position = reader.readUInt64LittleEndian(), reader.skip(8),
      let identity = reader.readUInt64LittleEndian(), reader.skip(28),
      let checksum = reader.readUInt32LittleEndian(),
      headerBytes >= UInt32(BlockHeader.fixedBytes),
      headerBytes <= UInt32(min(BlockHeader.mostBytes, bytes.byteCount))
    else { throw .missing }
    let header = bytes.extracting(0..<Int(headerBytes))
    guard Self.checksum(header) == checksum, version > 0 else { throw .damaged }
    self.version = version
    self.headerBytes = Int(headerBytes)
    self.storedBytes = Int(storedBytes)
    self.position = SpoolPosition(rawValue: position)
    self.identity = identity
  }

  /// The checksum of a whole header.
  static func checksum(_ header: RawSpan) -> UInt32 {
    var crc = CRC32C()
    crc.combine(header.extracting(0..<76))
    crc.combine(header.extracting(BlockHeader.fixedBytes..<header.byteCount))
    return crc.value
  }
}
