public import Bytes

// What the delivery thread does with a batch between the seal and its `complete`.
extension BatchStore {
  /// The hash of a record's key; records of one lane with equal hashes keep their order.
  public func keyHash(of record: RecordRef) -> UInt64 {
    unsafe entry(of: record).pointee.keyHash
  }

  /// The record's `StreamMessage` bytes, without the tag and length before them. They stay where
  /// they are until the batch is released or compacted.
  public func messageBody(of record: RecordRef) -> MemorySlice {
    let entry = unsafe entry(of: record)
    guard let block = unsafe slots[Int(record.batch.rawValue)].view?.block else {
      preconditionFailure("batch is released")
    }
    return unsafe MemorySlice(
      baseAddress: UnsafeRawPointer(block.address + Int(entry.pointee.offset)),
      count: Int(entry.pointee.length))
  }

  /// The whole batch, which is not compacted, as consecutive elements of `ReplicateBatch.messages`.
  public func encodedRecords(of batch: BatchID) -> MemorySlice {
    guard let view = unsafe slots[Int(batch.rawValue)].view, view.keptCount == 0 else {
      preconditionFailure("batch is released or compacted")
    }
    let block = view.block
    return unsafe MemorySlice(
      baseAddress: UnsafeRawPointer(block.address), count: byteCount(of: batch))
  }

  /// When a record was received, to the microsecond, by the clock of `append`. Not after ingest was
  /// told of the record: then, if a compaction left it out, when the first of its batch was. 0 of a
  /// replay batch.
  public func receivedNanoseconds(of record: RecordRef) -> UInt64 {
    let slot = unsafe slots[Int(record.batch.rawValue)]
    guard let entry = unsafe slot.view?.entry(of: record.index),
      unsafe entry.pointee.ageMicroseconds != .max
    else { return slot.receivedNanoseconds }
    return unsafe slot.receivedNanoseconds &+ UInt64(entry.pointee.ageMicroseconds) &* 1_000
  }

  /// The record that waits behind this one for the same key.
  public func next(of record: RecordRef) -> RecordRef? {
    RecordRef(packed: unsafe entry(of: record).pointee.next)
  }

  /// Lets `next` wait behind `record`.
  public func setNext(_ next: RecordRef?, of record: RecordRef) {
    unsafe entry(of: record).pointee.next = next?.packed ?? .max
  }

  /// Delivery's own mark on a record, 0 at first.
  public func deliveryMark(of record: RecordRef) -> UInt32 {
    unsafe entry(of: record).pointee.deliveryMark
  }

  /// Sets delivery's own mark.
  public func setDeliveryMark(_ mark: UInt32, of record: RecordRef) {
    unsafe entry(of: record).pointee.deliveryMark = mark
  }

  /// Counts one more record of the batch as settled and tells how many are not yet.
  public func settleOne(of batch: BatchID) -> Int {
    let slot = unsafe slots + Int(batch.rawValue)
    unsafe slot.pointee.settledRecords += 1
    return unsafe Int(slot.pointee.recordCount) - Int(slot.pointee.settledRecords)
  }

  /// Records of the batch that are not settled.
  public func unsettledCount(of batch: BatchID) -> Int {
    let slot = unsafe slots + Int(batch.rawValue)
    return unsafe Int(slot.pointee.recordCount) - Int(slot.pointee.settledRecords)
  }
}
