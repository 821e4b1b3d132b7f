import Bytes
import Records
import Testing

@Suite("Compaction of batches")
struct CompactionTests {
  static let lane = LaneID(rawValue: 1)

  private static func compactAll(_ store: BatchStore) -> [BatchID] {
    var effort = Int.max
    var batches: [BatchID] = []
    while let batch = store.compactNext(effort: &effort) { batches.append(batch) }
    return batches
  }

  /// A sealed batch of 100 records of 100 bytes and more, each with its number as its bytes.
  private static func batch(in store: BatchStore) throws -> [RecordRef] {
    let batch = try #require(store.open(lane: lane, bodyBytes: 30_000, expectedBytes: 0))
    let records = (0..<100).map { number in
      BatchStoreTests.append(
        [UInt8](repeating: UInt8(number), count: 100), key: [UInt8(number)], to: store,
        batch: batch, sequence: UInt32(number), receivedNanoseconds: 5_000 + UInt64(number) * 1_000)
    }
    store.seal(batch)
    return records
  }

  private static func settle(_ records: some Sequence<RecordRef>, in store: BatchStore) {
    for record in records {
      _ = store.settleOne(of: record.batch)
      #expect(store.takeReceivedNanoseconds(of: record) != nil)
      store.noteNews(of: record.batch)
    }
  }

  @Test("The few records that are left move to a small block, with all that is known of them")
  func survivors() throws {
    let store = BatchStore(limits: BatchLimits(memoryBytes: 1 << 20))
    let records = try Self.batch(in: store)
    let batch = records[0].batch
    let full = store.bytesInUse
    #expect(Self.compactAll(store).isEmpty, "nothing is settled")
    let left = [records[3], records[50], records[99]]
    Self.settle(records.filter { !left.contains($0) }, in: store)
    store.setNext(records[99], of: records[3])
    store.setDeliveryMark(77, of: records[50])
    #expect(Self.compactAll(store) == [batch])
    #expect(Self.compactAll(store).isEmpty, "one at a time")
    // Delivery has not heard of it, and reads the old block.
    #expect(store.next(of: records[3]) == records[99])
    store.setDeliveryMark(78, of: records[99])
    store.takeCompaction(of: batch)
    #expect(store.bytesInUse == full + 512)
    store.endCompaction(of: batch)
    #expect(store.bytesInUse == 512)
    for record in left {
      let number = UInt8(record.index)
      let body = BatchStoreTests.bytes(store.messageBody(of: record))
      #expect(body.suffix(100) == [UInt8](repeating: number, count: 100)[...])
      #expect(store.receivedNanoseconds(of: record) == 5_000 + UInt64(number) * 1_000)
      #expect(store.source(of: record).sequence == UInt32(number))
    }
    #expect(store.next(of: records[3]) == records[99] && store.next(of: records[99]) == nil)
    #expect(store.deliveryMark(of: records[50]) == 77)
    #expect(store.deliveryMark(of: records[99]) == 78)
    #expect(store.recordCount(of: batch) == 100 && store.unsettledCount(of: batch) == 3)
    #expect(store.lane(of: batch) == Self.lane)
    // Those that are gone have no answer to give and are counted.
    #expect(store.source(of: records[4]) == .none)
    #expect(store.takeReceivedNanoseconds(of: records[4]) == nil)
    Self.settle(left, in: store)
    #expect(store.unsettledCount(of: batch) == 0)
    #expect(Self.compactAll(store).isEmpty, "nobody is left")
    store.release(batch)
    #expect(store.bytesInUse == 0 && store.batchesInUse == 0)
  }

  @Test("A batch that is released meanwhile keeps its place, not its memory")
  func releasedMeanwhile() throws {
    let store = BatchStore(limits: BatchLimits(batches: 1, memoryBytes: 1 << 20))
    let records = try Self.batch(in: store)
    let batch = records[0].batch
    Self.settle(records.dropFirst(), in: store)
    #expect(Self.compactAll(store) == [batch])
    Self.settle(records.prefix(1), in: store)
    store.release(batch)
    #expect(store.bytesInUse == 0 && store.batchesInUse == 1)
    #expect(store.open(lane: Self.lane, bodyBytes: 10, expectedBytes: 0) == nil)
    store.endCompaction(of: batch)
    #expect(store.batchesInUse == 0)
    #expect(store.open(lane: Self.lane, bodyBytes: 10, expectedBytes: 0) == batch)
  }

  @Test("With memory used up there is still room to compact")
  func fullMemory() throws {
    let store = BatchStore(limits: BatchLimits(memoryBytes: 1 << 20))
    var batches: [[RecordRef]] = []
    for _ in 0..<20 { batches.append(try Self.batch(in: store)) }
    while store.open(lane: Self.lane, bodyBytes: 200, expectedBytes: 0) != nil {}
    #expect(store.wantsCompaction && store.bytesInUse == (1 << 20) - (64 << 10))
    for records in batches { Self.settle(records.dropFirst(), in: store) }
    let before = store.bytesInUse
    let compacted = Self.compactAll(store)
    #expect(compacted.count == batches.count && store.bytesInUse <= 1 << 20)
    for batch in compacted {
      store.takeCompaction(of: batch)
      store.endCompaction(of: batch)
    }
    #expect(store.bytesInUse == before - batches.count * ((32 << 10) - 256))
  }

  @Test("A look takes no more effort than it is given, and goes on where it ended")
  func effort() throws {
    let store = BatchStore(limits: BatchLimits(memoryBytes: 8 << 20))
    var batches: [[RecordRef]] = []
    for _ in 0..<50 { batches.append(try Self.batch(in: store)) }
    for records in batches { Self.settle(records.dropFirst(), in: store) }
    var found: [BatchID] = []
    var looks = 0
    repeat {
      looks += 1
      var effort = 300
      while let batch = store.compactNext(effort: &effort) { found.append(batch) }
      #expect(effort > -110)
    } while !store.compactionIsThrough
    #expect(found == batches.map { $0[0].batch })
    #expect(looks > 10)
  }

  @Test("In any order of events unsettled records stay what they are", arguments: 1...20)
  func model(seed: Int) throws {
    var random = Randomness(state: UInt64(seed))
    let store = BatchStore(limits: BatchLimits(batches: 40, memoryBytes: 1 << 20))
    var alive: [BatchID: Set<RecordRef>] = [:]
    var toTake: [BatchID] = []
    var toEnd: [BatchID] = []
    for _ in 0..<4_000 {
      switch Int.random(in: 0..<8, using: &random) {
      case 0 where alive.count + toTake.count + toEnd.count < 20:
        let records = try Self.batch(in: store)
        #expect(alive[records[0].batch] == nil)
        alive[records[0].batch] = Set(records)
      case 1:
        toTake += Self.compactAll(store)
      case 2 where !toTake.isEmpty:
        let batch = toTake.removeFirst()
        if alive[batch] != nil { store.takeCompaction(of: batch) }
        toEnd.append(batch)
      case 3 where !toEnd.isEmpty:
        store.endCompaction(of: toEnd.removeFirst())
      default:
        guard
          let batch = alive.keys.min(by: { $0.rawValue < $1.rawValue }).map({ first in
            alive.keys.filter { $0.rawValue < first.rawValue + 4 }
              .sorted { $0.rawValue < $1.rawValue }.randomElement(using: &random) ?? first
          })
        else { continue }
        let left = (alive[batch] ?? []).sorted { $0.index < $1.index }
        let gone = left.shuffled(using: &random).prefix(
          Int.random(in: 1...40, using: &random))
        Self.settle(gone, in: store)
        alive[batch] = Set(left).subtracting(gone)
        if alive[batch] == [] {
          alive[batch] = nil
          store.release(batch)
        }
      }
      if let (batch, records) = alive.randomElement(using: &random) {
        #expect(store.unsettledCount(of: batch) == records.count, "seed \(seed)")
        for record in records.prefix(5) {
          let body = BatchStoreTests.bytes(store.messageBody(of: record))
          #expect(body.last == UInt8(record.index), "seed \(seed)")
          #expect(store.source(of: record).sequence == record.index, "seed \(seed)")
        }
      }
      #expect(store.bytesInUse <= 1 << 20, "seed \(seed)")
    }
  }
}
