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
    #expect(batcher.nextSealed == nil && batcher.nextDeadline <= start)
    batcher.sealDue(at: start)
    let sealed = batcher.nextSealed
    #expect(sealed != nil && batcher.nextDeadline == .distantFuture)
    batcher.removeNextSealed()
    #expect(batcher.nextSealed == nil)
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
      let next = batcher.nextSealed
      let batch = try #require(next)
      batcher.removeNextSealed()
      batcher.release(batch)
    }
    #expect(batcher.sealed.count <= 2_050)
    let last = batcher.nextSealed
    batcher.release(try #require(last))
    batcher.removeNextSealed()
    #expect(batcher.nextSealed == nil && batcher.isIdle)
  }

  @Test("Records of one turn share a batch, lanes do not")
  func sharing() {
    var batcher = makeBatcher()
    let first = append(&batcher, at: start)
    #expect(append(&batcher, at: start)?.batch == first?.batch)
    #expect(append(&batcher, lane: 1, at: start)?.batch != first?.batch)
    batcher.sealDue(at: start)
    #expect(batcher.sealed.count == 2)
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
    #expect(batcher.sealed.count == 4)
    #expect(batcher.nextDeadline == start.advanced(milliseconds: 5))
    batcher.sealDue(at: start.advanced(milliseconds: 5))
    #expect(batcher.sealed.count == 5)
    for _ in 5..<8 {
      _ = append(&batcher, at: start)
      batcher.sealAll()
    }
    _ = append(&batcher, at: start)
    #expect(batcher.nextDeadline == start.advanced(milliseconds: 20))
    // Those that are done make it due again.
    for _ in 0..<5 {
      if let batch = batcher.nextSealed { batcher.release(batch) }
      batcher.removeNextSealed()
    }
    batcher.sealDue(at: start)
    #expect(batcher.nextDeadline == .distantFuture)
  }

  @Test("A full batch is sealed without waiting; a larger record has one of its own")
  func full() {
    var batcher = makeBatcher()
    let first = append(&batcher, bytes: 3_000, at: start)
    let second = append(&batcher, bytes: 3_000, at: start)
    #expect(first?.batch != second?.batch && batcher.nextSealed == first?.batch)
    let third = append(&batcher, bytes: 50_000, at: start)
    #expect(third?.index == 0 && batcher.sealed.count == 2)
  }

  @Test("Without memory there is no record, and with a release there is")
  func memory() {
    var batcher = makeBatcher(memoryBytes: 8_192)
    #expect(append(&batcher, bytes: 3_900, at: start) != nil)
    #expect(append(&batcher, bytes: 3_900, at: start) != nil)
    #expect(append(&batcher, bytes: 3_900, at: start) == nil)
    batcher.sealDue(at: start)
    if let batch = batcher.nextSealed { batcher.release(batch) }
    batcher.removeNextSealed()
    #expect(append(&batcher, bytes: 3_900, at: start) != nil)
    #expect(batcher.store.bytesInUse <= 8_192)
  }
}
