import Bytes

/// Goes through a segment that has no footer, block by block.
///
/// It asks for pieces of the file and is given them, in any size that begins where it asked. Where
/// there is no good block it tries every later place at which one could begin.
public struct SegmentScan {
  /// What the scan found, or what it needs.
  public enum Step {
    /// Give it the file from `offset` on, at least `count` bytes or up to the end of the file.
    case needs(offset: UInt32, count: Int)
    /// A good block.
    case block(BlockHeader)
    /// No good block from `from` to `to`, where a good one begins or the file ends.
    case bad(from: UInt32, to: UInt32)
    /// A block of a later version, which is passed over.
    case later(version: UInt8)
    /// All was gone through.
    case end
  }

  static let mostHeaderBytes = BlockHeader.mostBytes

  let number: UInt32
  let identity: UInt64?
  let fileBytes: UInt32
  var offset = UInt32(SegmentHeader.encodedBytes)
  private var badFrom: UInt32?
  /// Whether the bad place that was told last is nothing but zeros: space that was reserved.
  private(set) var isBlank = false
  /// A good block that a bad part ended at.
  private var found: BlockHeader?
  /// Whether some place has the header of a block that belongs elsewhere, or to another spool.
  private(set) var hasForeignBlock = false
  /// Larger files are no segments; only so much of them is gone through, so that no place in them
  /// is beyond what a position can tell.
  static let mostFileBytes = UInt64(UInt32.max / 2)

  /// A scan of a segment's file, whose header was read before. Without an `identity` blocks of any
  /// spool are good.
  public init(number: UInt32, identity: UInt64?, fileBytes: UInt64) {
    self.number = number
    self.identity = identity
    self.fileBytes = UInt32(min(fileBytes, Self.mostFileBytes))
  }

  /// Goes on as far as `window`, the file from `windowOffset` on, allows.
  public mutating func next(window: RawSpan, at windowOffset: UInt32) -> Step {
    if let header = found {
      found = nil
      offset += UInt32(header.totalBytes)
      return .block(header)
    }
    while offset < fileBytes {
      let available = Int(windowOffset) + window.byteCount - Int(offset)
      let left = Int(fileBytes - offset)
      if offset < windowOffset || available < min(Self.mostHeaderBytes, left) {
        return .needs(offset: offset, count: min(Self.mostHeaderBytes, left))
      }
      let bytes = window.extracting(droppingFirst: Int(offset - windowOffset))
      switch check(bytes, left: left) {
      case .good(let header):
        if let from = badFrom {
          badFrom = nil
          found = header
          return .bad(from: from, to: offset)
        }
        offset += UInt32(header.totalBytes)
        return .block(header)
      case .short(let count): return .needs(offset: offset, count: count)
      case .later(let version, let count):
        badFrom = nil
        offset += UInt32(count)
        return .later(version: version)
      case .bad:
        if badFrom == nil { isBlank = true }
        badFrom = badFrom ?? offset
        if isBlank { isBlank = Self.isBlank(bytes, upTo: BlockHeader.alignment) }
        offset = min(offset + UInt32(BlockHeader.alignment), fileBytes)
      }
    }
    if let from = badFrom {
      badFrom = nil
      return .bad(from: from, to: fileBytes)
    }
    return .end
  }

  private static func isBlank(_ bytes: RawSpan, upTo count: Int) -> Bool {
    var reader = ByteReader(bytes.extracting(first: min(count, bytes.byteCount)))
    while let byte = reader.readUInt8() {
      if byte != 0 { return false }
    }
    return true
  }

  private enum Check {
    case good(BlockHeader)
    case short(Int)
    case later(UInt8, bytes: Int)
    case bad
  }

  private func isOurs(_ other: UInt64) -> Bool { identity == nil || identity == other }

  private mutating func check(_ bytes: RawSpan, left: Int) -> Check {
    do throws(SpoolFormatError) {
      let header = try BlockHeader(decoding: bytes)
      guard header.position == SpoolPosition(segment: number, offset: offset),
        isOurs(header.identity)
      else {
        hasForeignBlock = true
        return .bad
      }
      let needed = header.headerBytes + Int(header.storedBytes)
      guard needed <= left else { return .bad }
      guard needed <= bytes.byteCount else {
        return .short(min(max(header.totalBytes, Self.mostHeaderBytes), left))
      }
      let payload = bytes.extracting(header.headerBytes..<needed)
      return CRC32C.checksum(payload) == header.payloadChecksum ? .good(header) : .bad
    } catch .unknownVersion {
      return checkLater(bytes, left: left)
    } catch {
      return .bad
    }
  }

  /// A block that a later version put here; a record may well look like one of another place.
  private func checkLater(_ bytes: RawSpan, left: Int) -> Check {
    do throws(SpoolFormatError) {
      let frame = try BlockFrame(decoding: bytes)
      guard frame.position == SpoolPosition(segment: number, offset: offset),
        isOurs(frame.identity)
      else { return .bad }
      let needed = BlockHeader.aligned(frame.headerBytes + frame.storedBytes)
      return .later(frame.version, bytes: min(needed, left))
    } catch {
      return .bad
    }
  }
}
