import Bytes
import DanubeProtocol
import Records
import Testing

@Suite("Batches of stored records")
struct ReplayTests {
  static let lane = LaneID(rawValue: 4)
  static let limits = BatchLimits(batches: 8, memoryBytes: 1 << 20)

  static func element(_ body: [UInt8]) -> [UInt8] {
    var bytes = GrowableBytes()
    bytes.appendLengthDelimited(2, body)
    return [UInt8](copying: bytes.bytes)
  }

  static func element(payload: [UInt8], key: [UInt8]? = nil) -> [UInt8] {
    var message = StreamMessage()
    message.messageID = MessageID(topicName: Array("/default/t".utf8))
    message.attributes = [.init(key: [1], value: [2])]
    message.payload = payload
    message.routingKey = key
    var body = GrowableBytes()
    message.encode(into: &body)
    return element([UInt8](copying: body.bytes))
  }

  static func append(
    _ bytes: [UInt8], sequence: UInt64, keyHash: UInt64 = 7, to batch: BatchID,
    in store: BatchStore
  ) throws -> RecordRef? {
    guard let element = RecordElement(bytes.span.bytes) else {
      Issue.record("no element")
      return nil
    }
    return store.appendReplay(element, keyHash: keyHash, sequence: sequence, to: batch)
  }

  static func isElement(_ bytes: [UInt8]) -> Bool {
    if RecordElement(bytes.span.bytes) != nil { true } else { false }
  }

  @Test("A record that was stored comes back byte for byte, with its number and its hash")
  func content() throws {
    let store = BatchStore(
      limits: Self.limits, replay: ReplayLimits(batches: 2, memoryBytes: 1 << 16))
    let fresh = try #require(store.open(lane: Self.lane, bodyBytes: 100, expectedBytes: 0))
    let first = BatchStoreTests.append([1, 2, 3], key: [0x6b], to: store, batch: fresh)
    store.seal(fresh)
    let stored = store.withElement(of: first) { [UInt8](copying: $0) }
    #expect(stored == BatchStoreTests.bytes(store.encodedRecords(of: fresh)))
    let batch = try #require(
      store.openReplay(lane: Self.lane, byteCount: 4 * stored.count, records: 4))
    #expect(store.isReplay(batch) && !store.isReplay(fresh))
    #expect(batch.rawValue == 8)
    let sequences: [UInt64] = [0, 1 << 31, 1 << 32 | 5, .max]
    for (index, sequence) in sequences.enumerated() {
      let record = try #require(
        try Self.append(stored, sequence: sequence, keyHash: .max, to: batch, in: store))
      #expect(record == RecordRef(batch: batch, index: UInt32(index)))
      #expect(store.sequence(of: record) == sequence)
      #expect(store.keyHash(of: record) == .max)
      #expect(
        BatchStoreTests.bytes(store.messageBody(of: record))
          == BatchStoreTests.bytes(store.messageBody(of: first)))
      #expect(store.next(of: record) == nil && !store.isSettled(record))
    }
    #expect(store.lane(of: batch) == Self.lane)
    #expect(store.recordCount(of: batch) == 4 && store.unsettledCount(of: batch) == 4)
    let all = BatchStoreTests.bytes(store.encodedRecords(of: batch))
    #expect(all == stored + stored + stored + stored)
    store.releaseReplay(batch)
    #expect(store.batchesInUse == 1)
  }

  @Test("Replays have batches and memory of their own, up to their limits")
  func budget() throws {
    let store = BatchStore(
      limits: Self.limits, replay: ReplayLimits(batches: 3, memoryBytes: 32 << 10))
    let element = Self.element(payload: [UInt8](repeating: 9, count: 900))
    var batches: [BatchID] = []
    // Seven elements of 937 bytes and more, with entries of 40.
    while let batch = store.openReplay(
      lane: Self.lane, byteCount: 7 * element.count, records: 7)
    {
      batches.append(batch)
    }
    #expect(batches.map(\.rawValue) == [8, 9, 10])
    #expect(store.replayBatchesInUse == 3 && store.replayBytesInUse == 24 << 10)
    #expect(store.bytesInUse == 0 && store.batchesInUse == 0)
    var count = 0
    while try Self.append(element, sequence: UInt64(count), to: batches[1], in: store) != nil {
      count += 1
    }
    // What is left of the power of two is used as well.
    #expect(count == (8 << 10) / (element.count + 40) && count >= 7)
    store.releaseReplay(batches[1])
    #expect(store.openReplay(lane: Self.lane, byteCount: 16 << 10) == nil)
    let last = try #require(
      store.openReplay(lane: Self.lane, byteCount: element.count, records: 100))
    #expect(last == batches[1])
    #expect(store.recordCount(of: last) == 0)
    #expect(try Self.append(element, sequence: 1, to: last, in: store) != nil)
    for batch in batches { store.releaseReplay(batch) }
    #expect(store.replayBatchesInUse == 0 && store.replayBytesInUse == 0)
    store.trimReplay()
    #expect(store.openReplay(lane: Self.lane, byteCount: 32 << 10) == nil)
    #expect(store.openReplay(lane: Self.lane, byteCount: .max / 2) == nil)
  }

  @Test("A store without replays opens none")
  func none() {
    let store = BatchStore(limits: Self.limits)
    #expect(store.openReplay(lane: Self.lane, byteCount: 10) == nil)
  }

  @Test("The largest record fits a replay batch, and open ones do not leak")
  func largest() throws {
    let store = BatchStore(
      limits: Self.limits, replay: ReplayLimits(batches: 2, memoryBytes: 9 << 20))
    let element = Self.element([UInt8](repeating: 0, count: BatchStore.maximumBodyBytes))
    let batch = try #require(store.openReplay(lane: Self.lane, byteCount: element.count))
    #expect(try Self.append(element, sequence: 0, to: batch, in: store) != nil)
    #expect(
      !Self.isElement(Self.element([UInt8](repeating: 0, count: BatchStore.maximumBodyBytes + 1))))
  }

  @Test(
    "Only one whole element is an element",
    arguments: [
      [], [0x12], [0x12, 0x01], [0x12, 0x02, 0x00], [0x12, 0x01, 0x00, 0x00], [0x1a, 0x01, 0x00],
      [0x10, 0x01], [0x12, 0x81, 0x00, 0x00], [0x92, 0x00, 0x01, 0x00], [0x12, 0xff, 0xff],
      [0x12] + [UInt8](repeating: 0xff, count: 9) + [0x01],
    ] as [[UInt8]])
  func noElement(bytes: [UInt8]) {
    #expect(!Self.isElement(bytes))
  }

  @Test("A record names its topic, or it is none")
  func topic() {
    #expect(
      RecordElement.topic(of: Self.element(payload: [1]).span.bytes) == Array("/default/t".utf8))
    for bytes in [[], Self.element([]), Self.element([0xff]), Self.element([0x12, 0x00]), [0x12]] {
      #expect(RecordElement.topic(of: bytes.span.bytes) == nil)
    }
  }

  @Test("A key has the hash that it has at ingest, wherever the field stands")
  func orderByKey() throws {
    let key = Array("pump-7".utf8)
    var hash = FNV1a()
    hash.combine(key.span.bytes)
    // As ingest writes it, and as a client of the embedded broker does.
    let store = BatchStore(limits: Self.limits)
    let batch = try #require(store.open(lane: Self.lane, bodyBytes: 100, expectedBytes: 0))
    let record = BatchStoreTests.append([1], key: key, to: store, batch: batch)
    let stored = store.withElement(of: record) { [UInt8](copying: $0) }
    for bytes in [stored, Self.element(payload: [1], key: key)] {
      guard let element = RecordElement(bytes.span.bytes) else {
        Issue.record("no element")
        continue
      }
      let copy = [UInt8](copying: element.routingKey)
      #expect(copy == key)
      let byKey = element.orderHash(.key, sequence: 1)
      #expect(byKey == store.keyHash(of: record) && byKey == hash.value)
      let byTopic = element.orderHash(.topic, sequence: 1)
      #expect(byTopic == 0)
      let unordered = (0..<5).map { element.orderHash(.none, sequence: $0) }
      #expect(Set(unordered).count == 5)
    }
    #expect(RecordOrder.hash(ofKey: key.span.bytes) == hash.value)
  }

  @Test("Records without a key stay in order all together, and so do those that nobody can read")
  func orderWithoutKey() {
    let keyless = [
      Self.element(payload: [1]), Self.element(payload: [1], key: []), Self.element([]),
      // A key, and then rubbish.
      Self.element([0x52, 0x01, 0x6b, 0x07]), Self.element([0x52, 0x05, 0x6b]),
      Self.element([0xff]),
      // Another wire type.
      Self.element([0x50, 0x6b]),
    ]
    for bytes in keyless {
      guard let element = RecordElement(bytes.span.bytes) else {
        Issue.record("no element")
        continue
      }
      let isEmpty = element.routingKey.isEmpty
      #expect(isEmpty)
      let hash = element.orderHash(.key, sequence: 5)
      #expect(hash == RecordOrder.topicHash)
    }
  }

  @Test("What is settled is told from what was given back")
  func settled() throws {
    let store = BatchStore(limits: Self.limits)
    let batch = try #require(store.open(lane: Self.lane, bodyBytes: 100, expectedBytes: 0))
    let records = (0..<3).map { BatchStoreTests.append([$0], to: store, batch: batch) }
    store.seal(batch)
    for mark in [0, 1, UInt32.max, records[2].packed] {
      store.setDeliveryMark(mark, of: records[1])
      #expect(!store.isSettled(records[1]))
    }
    // No record of a store is packed as the mark.
    let last = RecordRef(
      batch: BatchID(rawValue: UInt32(BatchStore.maximumBatches - 1)), index: 4095)
    store.setDeliveryMark(last.packed, of: records[1])
    #expect(!store.isSettled(records[1]))
    store.markSettled(records[0])
    #expect(records.map { store.isSettled($0) } == [true, false, false])
    #expect(store.settleOne(of: batch) == 2)
    store.settleAll(of: batch)
    #expect(store.unsettledCount(of: batch) == 0)
    #expect(records.map { store.isSettled($0) } == [true, false, false])
  }

  @Test("A record that a compaction left out counts as settled, and may be settled again")
  func settledBeforeCompaction() throws {
    let store = BatchStore(limits: BatchLimits(memoryBytes: 1 << 20))
    store.compact(aboveBytes: 0)
    let batch = try #require(store.open(lane: Self.lane, bodyBytes: 30_000, expectedBytes: 0))
    let records = (0..<100).map {
      BatchStoreTests.append([UInt8](repeating: $0, count: 100), to: store, batch: batch)
    }
    store.seal(batch)
    // Ingest was told that all but two are safe, although the uplink has not settled any.
    for record in records.dropFirst(2) { _ = store.takeReceivedNanoseconds(of: record) }
    store.markSettled(records[1])
    store.noteNews(of: batch)
    var effort = Int.max
    #expect(store.compactNext(effort: &effort) == batch)
    store.takeCompaction(of: batch)
    store.endCompaction(of: batch)
    store.markSettled(records[50])
    #expect(store.isSettled(records[50]) && store.isSettled(records[1]))
    #expect(!store.isSettled(records[0]))
    #expect(store.receivedNanoseconds(of: records[50]) == 0)
    #expect(
      store.withElement(of: records[0]) { $0.byteCount } == store.messageBody(of: records[0]).count
        + 2)
  }
}
