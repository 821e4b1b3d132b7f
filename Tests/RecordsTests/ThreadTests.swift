import Bytes
import Foundation
import Records
import Rings
import Synchronization
import Testing

/// Two threads around one store as the gateway has them: nothing but the rings orders what they do.
@Suite("Ingest and delivery share batches")
struct ThreadTests {
  private static let batchCount = 3_000
  private static let laneCount = 3

  /// What delivery found wrong; it may not touch the test's own values.
  private final class Findings: Sendable {
    let records = Atomic<Int>(0)
    let mistakes = Atomic<Int>(0)
  }

  /// The delivery side's ends. A box, because a thread's closure cannot consume what it captures.
  private final class Ends: @unchecked Sendable {
    var batches: RingConsumer<BatchID>
    var progress: RingProducer<BatchID>

    init(_ batches: consuming RingConsumer<BatchID>, _ progress: consuming RingProducer<BatchID>) {
      self.batches = batches
      self.progress = progress
    }
  }

  @Test(
    "What ingest wrote delivery reads, what delivery marked ingest may reuse",
    .timeLimit(.minutes(1)))
  func pingPong() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = Randomness(state: seed)
    let store = BatchStore(
      limits: BatchLimits(batches: 8, memoryBytes: 256 << 10, recordsPerBatch: 64))
    var batches = makeRing(of: BatchID.self, capacity: 8)
    var progress = makeRing(of: BatchID.self, capacity: 8)
    let findings = Findings()
    let ends = Ends(batches.consumer, progress.producer)
    let delivery = Thread { Self.deliver(ends, store, findings) }
    delivery.start()
    var expected = 0
    var released = 0
    var sent = 0
    while released < Self.batchCount {
      if let batch = progress.consumer.pop() {
        for index in 0..<store.recordCount(of: batch) {
          let record = RecordRef(batch: batch, index: UInt32(index))
          let isOurs = store.source(of: record).sequence == UInt32(index)
          let received = store.takeReceivedNanoseconds(of: record)
          #expect(isOurs && received != nil, "seed \(seed)")
        }
        store.release(batch)
        released += 1
        continue
      }
      guard sent < Self.batchCount,
        let batch = store.open(
          lane: LaneID(rawValue: UInt32(sent % Self.laneCount)), bodyBytes: 64,
          expectedBytes: 4_096)
      else {
        sched_yield()
        continue
      }
      let count = Int.random(in: 1...40, using: &random)
      for index in 0..<count where store.hasRoom(batch, bodyBytes: 64) {
        let byte = UInt8(truncatingIfNeeded: sent &+ index)
        _ = BatchStoreTests.append(
          [UInt8](repeating: byte, count: 1 + index), key: [byte], to: store, batch: batch,
          sequence: UInt32(index), receivedNanoseconds: UInt64(sent) * 1_000_000)
        expected += 1
      }
      store.seal(batch)
      sent += 1
      // As many places as batches: there is always room.
      let hadRoom = batches.producer.push(batch)
      #expect(hadRoom, "seed \(seed)")
    }
    while !delivery.isFinished { usleep(1_000) }
    #expect(findings.records.load(ordering: .acquiring) == expected, "seed \(seed)")
    #expect(findings.mistakes.load(ordering: .acquiring) == 0, "seed \(seed)")
    #expect(store.batchesInUse == 0 && store.bytesInUse == 0, "seed \(seed)")
  }

  private static func deliver(_ ends: Ends, _ store: BatchStore, _ findings: Findings) {
    var taken = 0
    while taken < batchCount {
      guard let batch = ends.batches.pop() else {
        sched_yield()
        continue
      }
      var previous: RecordRef?
      let count = store.recordCount(of: batch)
      var isRight =
        Int(store.lane(of: batch).rawValue) == taken % laneCount
        && store.unsettledCount(of: batch) == count
      for index in 0..<count {
        let record = RecordRef(batch: batch, index: UInt32(index))
        let byte = UInt8(truncatingIfNeeded: taken &+ index)
        var hash = FNV1a()
        hash.combine([byte].span.bytes)
        let body = BatchStoreTests.bytes(store.messageBody(of: record))
        isRight =
          isRight && store.keyHash(of: record) == hash.value
          && body.suffix(1 + index).allSatisfy { $0 == byte }
          && store.receivedNanoseconds(of: record) == UInt64(taken) * 1_000_000
          && store.deliveryMark(of: record) == 0 && store.next(of: record) == nil
        store.setDeliveryMark(UInt32(index) + 1, of: record)
        if let previous { store.setNext(record, of: previous) }
        previous = record
        isRight = isRight && store.settleOne(of: batch) == count - index - 1
      }
      if !isRight { findings.mistakes.add(1, ordering: .releasing) }
      findings.records.add(count, ordering: .releasing)
      taken += 1
      while !ends.progress.push(batch) { sched_yield() }
    }
  }
}

/// SplitMix64: the same seed draws the same numbers.
struct Randomness: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
