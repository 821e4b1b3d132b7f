import Bytes
import IOPort
import Records
import Testing

@testable import Ingest

@Suite("Batches")
struct BatcherTests {
  private let lane = LaneID(rawValue: 0)
  private let start = Instant(nanoseconds: 1_000_000_000)

  private func makeBatcher(memoryBytes: Int = 1 << 20, batchBytes: Int = 4_096) -> Batcher {
    let limits = BatchLimits(batches: 16, memoryBytes: memoryBytes, batchBytes: batchBytes)
    return Batcher(store: BatchStore(limits: limits), lingerMilliseconds: 5)
  }

  private func append(
    _ batcher: inout Batcher, bytes: Int = 10, lane: UInt32 = 0, at now: Instant
  ) -> RecordRef? {
    let payload = [UInt8](repeating: 7, count: bytes)
    let none = GrowableBytes()
    let pieces = RecordPieces(
      prefix: none.bytes, attributes: none.bytes, routingKey: none.bytes,
      payload: payload.span.bytes, publishTimeMilliseconds: 1, keyHash: 1, source: .none)
    return batcher.append(pieces, to: LaneID(rawValue: lane), at: now)
  }

  @Test("A lone record is sealed at the end of its turn")
  func prompt() {
    var batcher = makeBatcher()
    #expect(append(&batcher, at: start) != nil)
    #expect(batcher.nextHandover == nil && batcher.nextDeadline <= start)
    batcher.sealDue(at: start)
    let sealed = batcher.nextHandover?.batch
    #expect(sealed != nil && batcher.nextDeadline == .distantFuture)
    batcher.removeNextHandover()
    #expect(batcher.nextHandover == nil)
    if let sealed { batcher.release(sealed) }
    #expect(batcher.isIdle && batcher.store.bytesInUse == 0)
  }

  @Test("The queue of sealed batches does not grow when it is never empty")
  func neverEmpty() throws {
    var batcher = makeBatcher()
    #expect(append(&batcher, at: start) != nil)
    batcher.sealAll()
    for _ in 0..<5_000 {
      #expect(append(&batcher, at: start) != nil)
      batcher.sealAll()
      let next = batcher.nextHandover?.batch
      let batch = try #require(next)
      batcher.removeNextHandover()
      batcher.release(batch)
    }
    #expect(batcher.handovers.count <= 2_050)
    let last = batcher.nextHandover?.batch
    batcher.release(try #require(last))
    batcher.removeNextHandover()
    #expect(batcher.nextHandover == nil && batcher.isIdle)
  }

  @Test("Records of one turn share a batch, lanes do not")
  func sharing() {
    var batcher = makeBatcher()
    let first = append(&batcher, at: start)
    #expect(append(&batcher, at: start)?.batch == first?.batch)
    #expect(append(&batcher, lane: 1, at: start)?.batch != first?.batch)
    batcher.sealDue(at: start)
    #expect(batcher.handovers.count == 2)
  }

  @Test("Above a quarter of the batches the next one lingers, longer the more there are")
  func linger() {
    var batcher = makeBatcher()
    for _ in 0..<4 {
      _ = append(&batcher, at: start)
      batcher.sealDue(at: start)
    }
    _ = append(&batcher, at: start)
    batcher.sealDue(at: start)
    #expect(batcher.handovers.count == 4)
    #expect(batcher.nextDeadline == start.advanced(milliseconds: 5))
    batcher.sealDue(at: start.advanced(milliseconds: 5))
    #expect(batcher.handovers.count == 5)
    for _ in 5..<8 {
      _ = append(&batcher, at: start)
      batcher.sealAll()
    }
    _ = append(&batcher, at: start)
    #expect(batcher.nextDeadline == start.advanced(milliseconds: 20))
    // Those that are done make it due again.
    for _ in 0..<5 {
      if let batch = batcher.nextHandover?.batch { batcher.release(batch) }
      batcher.removeNextHandover()
    }
    batcher.sealDue(at: start)
    #expect(batcher.nextDeadline == .distantFuture)
  }

  @Test("A full batch is sealed without waiting; a larger record has one of its own")
  func full() {
    var batcher = makeBatcher()
    let first = append(&batcher, bytes: 3_000, at: start)
    let second = append(&batcher, bytes: 3_000, at: start)
    #expect(first?.batch != second?.batch && batcher.nextHandover?.batch == first?.batch)
    let third = append(&batcher, bytes: 50_000, at: start)
    #expect(third?.index == 0 && batcher.handovers.count == 2)
  }

  @Test("Only with more than half of the memory in use are batches compacted, and not all the time")
  func compaction() throws {
    var batcher = makeBatcher(memoryBytes: 64 << 10)
    // Batches of two records, the large one of which is settled.
    var records: [RecordRef] = []
    func settle(_ batcher: borrowing Batcher, _ record: RecordRef) {
      _ = batcher.store.takeReceivedNanoseconds(of: record)
      batcher.store.noteNews(of: record.batch)
    }
    for _ in 0..<8 {
      let first = append(&batcher, at: start)
      let second = append(&batcher, bytes: 3_000, at: start)
      batcher.sealAll()
      batcher.removeNextHandover()
      records.append(try #require(first))
      settle(batcher, try #require(second))
    }
    #expect(batcher.store.bytesInUse == 32 << 10)
    batcher.compactDue(at: start)
    #expect(batcher.nextHandover == nil && batcher.nextDeadline == .distantFuture)
    #expect(append(&batcher, at: start) != nil)
    #expect(batcher.nextDeadline <= start)
    batcher.compactDue(at: start)
    var compacted: [BatchID] = []
    while let handover = batcher.nextHandover {
      #expect(handover.kind == .compacted)
      compacted.append(handover.batch)
      batcher.removeNextHandover()
    }
    #expect(compacted == records.map(\.batch))
    for batch in compacted { batcher.endCompaction(of: batch) }
    #expect(batcher.store.bytesInUse == 4_096 + 8 * 256)
    // The next look comes later, however much there is to see.
    for _ in 0..<12 {
      _ = append(&batcher, bytes: 3_000, at: start)
      batcher.sealAll()
    }
    while batcher.nextHandover != nil { batcher.removeNextHandover() }
    let later = start.advanced(milliseconds: 50)
    #expect(batcher.nextDeadline == later)
    batcher.compactDue(at: start)
    #expect(batcher.nextDeadline == later)
    batcher.compactDue(at: later)
    #expect(batcher.nextDeadline == .distantFuture, "whole batches are not worth it")
  }

  @Test("Without memory there is no record, and with a release there is")
  func memory() {
    var batcher = makeBatcher(memoryBytes: 8_192)
    #expect(append(&batcher, bytes: 3_900, at: start) != nil)
    #expect(append(&batcher, bytes: 3_900, at: start) != nil)
    #expect(append(&batcher, bytes: 3_900, at: start) == nil)
    batcher.sealDue(at: start)
    if let batch = batcher.nextHandover?.batch { batcher.release(batch) }
    batcher.removeNextHandover()
    #expect(append(&batcher, bytes: 3_900, at: start) != nil)
    #expect(batcher.store.bytesInUse <= 8_192)
  }
}
