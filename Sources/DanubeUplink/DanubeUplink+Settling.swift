import IOPort
public import Records

// Records that the uplink has done with.
extension DanubeUplink {
  /// A record is settled: the next of its key can be sent.
  mutating func settle(_ record: RecordRef, _ lane: Int, _ outcome: UplinkProgress) {
    store.markSettled(record)
    if lanes[lane].isWithdrawn { return settleWithdrawn(record, lane, outcome) }
    let hash = store.keyHash(of: record)
    if let next = store.next(of: record) {
      lanes[lane].keys.advance(hash: hash)
      lanes[lane].sendable.append(next, in: store)
    } else {
      lanes[lane].keys.remove(hash: hash)
      keysInFlight -= 1
    }
    recordsUnderWay -= 1
    lanes[lane].recordsUnderWay -= 1
    progress.append(outcome)
    if store.settleOne(of: record.batch) == 0, pins[Int(record.batch.rawValue)].count == 0 {
      progress.append(.released(record.batch))
    }
  }

  /// Records of which it is kept what the broker said.
  private static var refusalLimit: Int { 4_096 }

  /// The broker refused a record with the last error.
  mutating func noteRefusal(of record: RecordRef) {
    if refusals.count < Self.refusalLimit { refusals[record] = lastError }
  }

  /// What the broker said of a record that `nextProgress` told to be refused: the name of the gRPC
  /// status and its text. Empty when it was asked for before.
  public mutating func takeRefusal(of record: RecordRef) -> [UInt8] {
    guard let error = refusals.removeValue(forKey: record) else { return [] }
    return error.statusName + (error.text.isEmpty ? [] : Array(": ".utf8) + error.text)
  }

  /// A send names the memory of a batch no more. `.max` is the tag of pieces that do not count.
  mutating func unpin(_ tag: UInt32) {
    if tag == .max { return }
    pins[Int(tag)].count -= 1
    guard pins[Int(tag)].count == 0 else { return }
    let batch = BatchID(rawValue: tag)
    if pins[Int(tag)].awaitsCompaction {
      pins[Int(tag)].awaitsCompaction = false
      progress.append(.compacted(batch))
    }
    releaseIfDone(batch)
  }
}
