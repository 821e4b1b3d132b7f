public import Bytes

/// Gathers records of any lanes for one block.
///
/// A record is given as it lies in a batch: one element of `ReplicateBatch.messages` (`0x12`, the
/// length, a `StreamMessage` body).
public struct BlockBuilder: ~Copyable {
  private var raw = GrowableBytes()
  /// Where records are compressed to: only then is it known how much memory the block takes.
  private var compressed = GrowableBytes()
  private static let keptBytes = 1 << 20
  /// What was gathered, in order.
  public private(set) var runs: [BlockRun] = []
  /// Records gathered.
  public private(set) var recordCount: UInt32 = 0

  /// Nothing yet.
  public init() {}

  /// Bytes gathered.
  public var rawBytes: Int { raw.count }

  /// Whether nothing was gathered.
  public var isEmpty: Bool { recordCount == 0 }

  /// Whether a record still fits when blocks are to have about `targetBytes` and no more than
  /// `mostRuns` runs. One that is larger has a block of its own.
  public func hasRoom(
    for bytes: Int, lane: LaneHash, sequence: UInt64, targetBytes: Int,
    mostRuns: Int = BlockHeader.maximumRuns
  ) -> Bool {
    if isEmpty { return bytes <= BlockHeader.maximumRawBytes }
    return raw.count + bytes <= targetBytes
      && (runs.count < mostRuns || follows(lane, sequence))
  }

  /// Whether a record belongs to the last run.
  private func follows(_ lane: LaneHash, _ sequence: UInt64) -> Bool {
    guard let last = runs.last, last.lane == lane else { return false }
    return last.firstSequence + UInt64(last.recordCount) == sequence
  }

  /// Appends a record; `hasRoom` was asked before.
  public mutating func append(lane: LaneHash, sequence: UInt64, _ record: RawSpan) {
    precondition(record.byteCount > 0)
    raw.append(record)
    recordCount += 1
    if follows(lane, sequence) {
      runs[runs.count - 1].recordCount += 1
      runs[runs.count - 1].rawBytes += UInt32(record.byteCount)
    } else {
      precondition(runs.count < BlockHeader.maximumRuns)
      runs.append(
        BlockRun(
          lane: lane, firstSequence: sequence, recordCount: 1,
          rawBytes: UInt32(record.byteCount)))
    }
  }

  /// Takes what was gathered as a block and begins a new one.
  public mutating func finish() -> EncodedBlock {
    var none = SpareMemory()
    return finish(using: &none)
  }

  /// The same; the block's memory is taken from `spare`, and should go back there.
  public mutating func finish(using spare: inout SpareMemory) -> EncodedBlock {
    precondition(!isEmpty)
    var header = BlockHeader()
    // A copy that leaves this array its memory.
    header.runs.reserveCapacity(runs.count)
    header.runs.append(contentsOf: runs)
    header.recordCount = recordCount
    header.rawBytes = UInt32(raw.count)
    // Taken out while it is written to, because the records beside it are read.
    var compressed = GrowableBytes()
    swap(&compressed, &self.compressed)
    let isSmaller = LZ4.compress(raw.bytes, into: &compressed)
    header.codec = isSmaller ? .lz4 : .stored
    let storedBytes = isSmaller ? compressed.count : raw.count
    var payload = spare.take(storedBytes + BlockHeader.alignment)
    if isSmaller { payload.append(compressed.bytes) } else { payload.append(raw.bytes) }
    compressed.removeAll(keepingCapacityUpTo: Self.keptBytes)
    swap(&compressed, &self.compressed)
    header.storedBytes = UInt32(payload.count)
    header.payloadChecksum = CRC32C.checksum(payload.bytes)
    // Only now is the header's size known, and so the number of zeros.
    payload.appendZeros(header.totalBytes - header.headerBytes - payload.count)
    raw.removeAll(keepingCapacityUpTo: Self.keptBytes)
    runs.removeAll(keepingCapacity: true)
    recordCount = 0
    let head = spare.take(header.headerBytes)
    return EncodedBlock(header: header, head: head, payload: payload)
  }
}
