import Bytes
import DanubeProtocol
import Records
import Testing

@Suite("Batches of records")
struct BatchStoreTests {
  static func append(
    _ payload: [UInt8], key: [UInt8] = [], to store: BatchStore, batch: BatchID,
    sequence: UInt32 = 0, receivedNanoseconds: UInt64 = 0
  ) -> RecordRef {
    var prefix = GrowableBytes()
    prefix.append(contentsOf: [0x12, 0x04, 0x12, 0x02, 0x2f, 0x74])
    let attributes = GrowableBytes()
    var hash = FNV1a()
    hash.combine(key.span.bytes)
    let pieces = RecordPieces(
      prefix: prefix.bytes, attributes: attributes.bytes, routingKey: key.span.bytes,
      payload: payload.span.bytes, publishTimeMilliseconds: 1_700_000_000_000,
      keyHash: hash.value, source: RecordSource(index: 7, generation: 9, sequence: sequence))
    return store.append(pieces, to: batch, receivedNanoseconds: receivedNanoseconds)
  }

  static func bytes(_ slice: MemorySlice) -> [UInt8] {
    unsafe slice.withBytes { span in
      (0..<span.byteCount).map { unsafe span.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
    }
  }

  @Test("A record is one element of ReplicateBatch.messages: 0x12, length, StreamMessage")
  func encoding() throws {
    let store = BatchStore(limits: BatchLimits())
    let batch = try #require(
      store.open(lane: LaneID(rawValue: 3), bodyBytes: 100, expectedBytes: 0))
    let record = Self.append([1, 2, 3], key: [0x6b], to: store, batch: batch, sequence: 5)
    store.seal(batch)
    let body = Self.bytes(store.messageBody(of: record))
    #expect(
      body == [0x12, 0x04, 0x12, 0x02, 0x2f, 0x74]  // msg_id{topic_name: "/t"}
        + [0x52, 0x01, 0x6b]  // routing_key
        + [0x20, 0x80, 0xd0, 0x95, 0xff, 0xbc, 0x31]  // publish_time
        + [0x1a, 0x03, 1, 2, 3])  // payload
    #expect(Self.bytes(store.encodedRecords(of: batch)) == [0x12, UInt8(body.count)] + body)
    #expect(store.lane(of: batch) == LaneID(rawValue: 3))
    #expect(store.source(of: record) == RecordSource(index: 7, generation: 9, sequence: 5))
  }

  @Test("Appends stop at the memory's end and at the record limit, and the index never overlaps")
  func limits() throws {
    let store = BatchStore(limits: BatchLimits(recordsPerBatch: 50))
    let batch = try #require(store.open(lane: LaneID(rawValue: 0), bodyBytes: 40, expectedBytes: 0))
    var records: [RecordRef] = []
    while store.hasRoom(batch, bodyBytes: 55) {
      records.append(
        Self.append([UInt8](repeating: UInt8(records.count), count: 40), to: store, batch: batch))
    }
    // Each record takes 57 bytes and a 40-byte entry of the 4,096-byte block.
    #expect(records.count == 42)
    for (index, record) in records.enumerated() {
      #expect(
        Self.bytes(store.messageBody(of: record)).suffix(40)
          == [UInt8](repeating: UInt8(index), count: 40)[...])
    }
  }

  @Test("No batch is opened beyond the budget, and released memory is used again")
  func budget() throws {
    let store = BatchStore(limits: BatchLimits(batches: 100, memoryBytes: 64 << 10))
    var open: [BatchID] = []
    while let batch = store.open(lane: LaneID(rawValue: 0), bodyBytes: 10, expectedBytes: 8 << 10) {
      open.append(batch)
    }
    // The last batch takes less: some memory is left for compaction.
    #expect(store.bytesInUse == 60 << 10)
    #expect(open.count == 8)
    store.release(open.removeFirst())
    #expect(store.open(lane: LaneID(rawValue: 0), bodyBytes: 6_000, expectedBytes: 0) != nil)
    #expect(store.open(lane: LaneID(rawValue: 0), bodyBytes: 6_000, expectedBytes: 0) == nil)
  }

  @Test("A record of the largest size fits a batch of its own")
  func largest() throws {
    let store = BatchStore(limits: BatchLimits())
    let payload = [UInt8](repeating: 0xaa, count: BatchStore.maximumBodyBytes - 32)
    let batch = try #require(
      store.open(
        lane: LaneID(rawValue: 0), bodyBytes: BatchStore.maximumBodyBytes, expectedBytes: 0))
    let record = Self.append(payload, to: store, batch: batch)
    #expect(store.messageBody(of: record).count > payload.count)
  }

  @Test(
    "A record knows when it was received, to the microsecond; whoever counts it takes that once")
  func receipt() throws {
    let store = BatchStore(limits: BatchLimits())
    let batch = try #require(store.open(lane: LaneID(rawValue: 0), bodyBytes: 10, expectedBytes: 0))
    let first: UInt64 = 7_000_000_123
    let later: [UInt64] = [0, 999, 1_000, 2_500_000_000, 1 << 52]
    let records = later.map { nanoseconds in
      Self.append([1], to: store, batch: batch, receivedNanoseconds: first + nanoseconds)
    }
    // A clock that goes back would give the first record's time.
    let early = Self.append([1], to: store, batch: batch, receivedNanoseconds: 5)
    let longest = UInt64(UInt32.max - 1) * 1_000
    let expected = [first, first, first + 1_000, first + 2_500_000_000, first + longest, first]
    #expect((records + [early]).map { store.receivedNanoseconds(of: $0) } == expected)
    #expect((records + [early]).map { store.takeReceivedNanoseconds(of: $0) } == expected)
    #expect((records + [early]).allSatisfy { store.takeReceivedNanoseconds(of: $0) == nil })
  }

  @Test("Records link into a list behind one key and are settled one by one")
  func links() throws {
    let store = BatchStore(limits: BatchLimits())
    let batch = try #require(store.open(lane: LaneID(rawValue: 0), bodyBytes: 10, expectedBytes: 0))
    let first = Self.append([1], key: [1], to: store, batch: batch)
    let second = Self.append([2], key: [1], to: store, batch: batch)
    #expect(store.keyHash(of: first) == store.keyHash(of: second))
    #expect(store.next(of: first) == nil)
    store.setNext(second, of: first)
    #expect(store.next(of: first) == second)
    store.setNext(nil, of: first)
    #expect(store.next(of: first) == nil)
    #expect(store.settleOne(of: batch) == 1)
    #expect(store.settleOne(of: batch) == 0)
  }
}

@Suite("References to records")
struct RecordRefTests {
  @Test("Every record that a store can have is packed into a word of its own, never into none's")
  func packing() {
    let last = UInt32(BatchStore.maximumBatches - 1)
    for (batch, index): (UInt32, UInt32) in [(0, 0), (0, 4095), (1, 0), (last, 0), (last, 4095)] {
      let record = RecordRef(batch: BatchID(rawValue: batch), index: index)
      #expect(record.packed != .max)
      #expect(RecordRef(packed: record.packed) == record)
    }
    #expect(RecordRef(packed: .max) == nil)
  }
}
