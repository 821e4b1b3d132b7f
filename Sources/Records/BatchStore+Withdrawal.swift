import Bytes

// What delivery does with a batch of which the uplink gave records back.
extension BatchStore {
  /// The mark of a record that is settled: no packed record, as there is no batch of that number,
  /// and not `.max`, which ends queues.
  private static var settledMark: UInt32 { .max - 1 }

  /// Whether the uplink has settled the record: the broker accepted it, or refused it for good.
  /// False for a record that the uplink has not got any more, or never had; true for one that a
  /// compaction left out, because ingest was told that it is safe.
  public func isSettled(_ record: RecordRef) -> Bool {
    guard let entry = unsafe slots[Int(record.batch.rawValue)].view?.entry(of: record.index) else {
      return true
    }
    return unsafe entry.pointee.deliveryMark == Self.settledMark
  }

  /// Notes that a record, which is in no queue, is settled.
  public func markSettled(_ record: RecordRef) {
    guard let entry = unsafe slots[Int(record.batch.rawValue)].view?.entry(of: record.index) else {
      return
    }
    unsafe entry.pointee.deliveryMark = Self.settledMark
  }

  /// Who waits for a record: nobody of QoS 0, nor when it was answered before it was safe. Nil for
  /// a record that delivery has told of.
  public func awaiting(_ record: RecordRef) -> RecordSource? {
    guard let entry = unsafe slots[Int(record.batch.rawValue)].view?.entry(of: record.index) else {
      return nil
    }
    return unsafe RecordSource(
      place: entry.pointee.sourceIndex, generation: entry.pointee.sourceGeneration,
      sequence: entry.pointee.sourceSequence)
  }

  /// Counts every record of a batch as settled, wherever it is safe now. Only after the uplink has
  /// released the batch, and before ingest is told that it is complete: a compaction that is on its
  /// way is not taken afterwards.
  public func settleAll(of batch: BatchID) {
    let slot = unsafe slots + Int(batch.rawValue)
    unsafe slot.pointee.settledRecords = unsafe slot.pointee.recordCount
  }

  /// Lends a record as the spool takes it: one element of `ReplicateBatch.messages`, in place.
  public func withElement<Result: ~Copyable>(
    of record: RecordRef, _ body: (RawSpan) -> Result
  ) -> Result {
    guard let view = unsafe slots[Int(record.batch.rawValue)].view,
      let entry = unsafe view.entry(of: record.index)
    else { preconditionFailure("batch is released, or the record settled before a compaction") }
    let length = Int(unsafe entry.pointee.length)
    let count = Self.encodedBytes(length)
    let start = Int(unsafe entry.pointee.offset) + length - count
    let bytes = unsafe UnsafeRawBufferPointer(start: view.block.address + start, count: count)
    return unsafe body(bytes.bytes)
  }
}
