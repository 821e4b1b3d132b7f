import Bytes
import Foundation
import Records
import Rings
import Synchronization
import Testing

/// Two threads around one store as the gateway has them, one record of each batch being stuck.
@Suite("Ingest compacts while delivery reads")
struct CompactionThreadTests {
  private static let batchCount = 3_000
  private static let recordsPerBatch = 40
  private static let stuckBatches = 200

  private final class Ends: @unchecked Sendable {
    var handovers: RingConsumer<BatchHandover>
    var progress: RingProducer<Records.Progress>
    let mistakes = Atomic<Int>(0)

    init(
      _ handovers: consuming RingConsumer<BatchHandover>,
      _ progress: consuming RingProducer<Records.Progress>
    ) {
      self.handovers = handovers
      self.progress = progress
    }

    func tell(_ batch: BatchID, _ kind: Records.Progress.Kind, word: UInt16 = 0, bits: UInt64 = 0) {
      while !progress.push(Records.Progress(batch: batch, kind: kind, word: word, bits: bits)) {
        sched_yield()
      }
    }
  }

  @Test("Neither sees what the other is writing", .timeLimit(.minutes(1)))
  func stuckRecords() throws {
    // Without compaction the stuck records alone would keep all of it, and twice over.
    let store = BatchStore(limits: BatchLimits(batches: 512, memoryBytes: 1 << 20))
    var handovers = makeRing(of: BatchHandover.self, capacity: 1_024)
    var progress = makeRing(of: Records.Progress.self, capacity: 1_024)
    let ends = Ends(handovers.consumer, progress.producer)
    let delivery = Thread { Self.deliver(ends, store) }
    delivery.start()
    var released = 0
    var sent = 0
    var compactions = 0
    var safe = 0
    while released < Self.batchCount || store.batchesInUse > 0 {
      while let told = progress.consumer.pop() {
        switch told.kind {
        case .safe, .complete:
          for index in 0..<UInt32(Self.recordsPerBatch)
          where told.kind == .complete || told.bits >> UInt64(index) & 1 == 1 {
            let record = RecordRef(batch: told.batch, index: index)
            if store.takeReceivedNanoseconds(of: record) == nil { continue }
            safe += 1
            #expect(store.source(of: record).sequence == index)
          }
          if told.kind == .complete {
            store.release(told.batch)
            released += 1
          } else {
            store.noteNews(of: told.batch)
          }
        case .compacted: store.endCompaction(of: told.batch)
        case .refused: Issue.record("nothing is refused")
        }
      }
      var effort = 10_000
      while store.wantsCompaction, let batch = store.compactNext(effort: &effort) {
        compactions += 1
        let hadRoom = handovers.producer.push(BatchHandover(.compacted, batch))
        #expect(hadRoom)
      }
      guard sent < Self.batchCount,
        let batch = store.open(
          lane: LaneID(rawValue: 0), bodyBytes: 8_000, expectedBytes: 0)
      else {
        sched_yield()
        continue
      }
      for index in 0..<Self.recordsPerBatch {
        _ = BatchStoreTests.append(
          [UInt8](repeating: UInt8(index), count: 100), key: [UInt8(index)], to: store,
          batch: batch, sequence: UInt32(index))
      }
      store.seal(batch)
      sent += 1
      let hadRoom = handovers.producer.push(BatchHandover(.sealed, batch))
      #expect(hadRoom)
    }
    while !delivery.isFinished { usleep(1_000) }
    #expect(ends.mistakes.load(ordering: .acquiring) == 0)
    #expect(safe == Self.batchCount * Self.recordsPerBatch)
    #expect(compactions > 0)
    #expect(store.bytesInUse == 0)
  }

  /// Settles all records of a batch but one at once, and the stuck ones much later.
  private static func deliver(_ ends: Ends, _ store: BatchStore) {
    var taken = 0
    var completed = 0
    var stuck: [RecordRef] = []
    while completed < batchCount || ends.handovers.count > 0 {
      guard let handover = ends.handovers.pop() else {
        if taken == batchCount, !stuck.isEmpty {
          complete(stuck.removeFirst(), ends, store)
          completed += 1
        } else {
          sched_yield()
        }
        continue
      }
      let batch = handover.batch
      if handover.kind == .compacted {
        if store.unsettledCount(of: batch) > 0 { store.takeCompaction(of: batch) }
        ends.tell(batch, .compacted)
        continue
      }
      let stuckIndex = UInt32(taken % recordsPerBatch)
      taken += 1
      let kept = RecordRef(batch: batch, index: stuckIndex)
      store.setDeliveryMark(stuckIndex + 1, of: kept)
      store.setNext(stuck.last, of: kept)
      for index in 0..<UInt32(recordsPerBatch) where index != stuckIndex {
        _ = store.settleOne(of: batch)
        check(RecordRef(batch: batch, index: index), ends, store)
      }
      ends.tell(batch, .safe, bits: ~(1 << UInt64(stuckIndex)))
      stuck.append(kept)
      if let last = stuck.last { store.setDeliveryMark(last.index + 1, of: last) }
      if stuck.count > stuckBatches {
        complete(stuck.removeFirst(), ends, store)
        completed += 1
      }
    }
  }

  private static func complete(_ record: RecordRef, _ ends: Ends, _ store: BatchStore) {
    check(record, ends, store)
    if store.deliveryMark(of: record) != record.index + 1 {
      ends.mistakes.add(1, ordering: .releasing)
    }
    if store.settleOne(of: record.batch) != 0 { ends.mistakes.add(1, ordering: .releasing) }
    ends.tell(record.batch, .complete)
  }

  private static func check(_ record: RecordRef, _ ends: Ends, _ store: BatchStore) {
    let body = BatchStoreTests.bytes(store.messageBody(of: record))
    let byte = UInt8(record.index)
    var hash = FNV1a()
    hash.combine([byte].span.bytes)
    if body.last != byte || store.keyHash(of: record) != hash.value
      || store.receivedNanoseconds(of: record) != 0
    {
      ends.mistakes.add(1, ordering: .releasing)
    }
  }
}
