import Bytes
import DanubeUplink
import Records

/// What became of the records of a lane that were taken back.
struct LaneStorage {
  /// Their elements, by their number in `published`. Those that are in a call stay until
  /// the call has ended well.
  var elements: [Int: [UInt8]] = [:]
  /// How many of them are in calls of before.
  var inCallCount = 0
  /// Whether they are to be sent again as soon as the uplink takes them.
  var isReplaying = false
}

/// Stores what the uplink gives back, as delivery does: what is stored is safe, so that ingest may
/// be told at once; what comes later is stored behind it; what is sent again are replay batches.
extension UplinkLoop {
  /// Takes a lane's records back; how many were taken, and how many are in calls. With `tells`
  /// ingest learns at once that they are safe, otherwise with the batch.
  @discardableResult
  func withdraw(lane: Int, tells: Bool = true) -> (taken: Int, inCall: Int) {
    let id = LaneID(rawValue: UInt32(lane))
    if let stored = storage[lane], stored.inCallCount > 0 {
      storage[lane]?.isReplaying = false
      return (0, 0)
    }
    let before = uplink.recordsUnderWay(of: id)
    var inCall: Set<RecordRef> = []
    uplink.withdraw(id) { record in
      if !inCall.insert(record).inserted { violations.append("\(record) is told of twice") }
      if underWay[record] == nil { violations.append("\(record) is in no call") }
    }
    var taken = 0
    for (record, number) in underWay where store.lane(of: record.batch) == id {
      guard isSubmitted(record.batch) else { continue }
      if store.isSettled(record) { violations.append("\(record) is settled") }
      let element = store.withElement(of: record) { [UInt8](copying: $0) }
      storage[lane, default: LaneStorage()].elements[number] = element
      if tells { tell(record) }
      if inCall.contains(record) { continue }
      underWay[record] = nil
      openBatches[record.batch, default: 0] -= 1
      taken += 1
    }
    if uplink.recordsUnderWay(of: id) != inCall.count || taken + inCall.count != before {
      violations.append("\(before) records, \(taken) taken, \(inCall.count) in calls")
    }
    storage[lane]?.isReplaying = false
    storage[lane]?.inCallCount = inCall.count
    wake()
    return (taken, inCall.count)
  }

  /// Sends the stored records of a lane again, as soon as the uplink takes them.
  func replay(lane: Int) {
    storage[lane]?.isReplaying = true
    wake()
  }

  /// Stored records of a lane, those in calls included.
  func storedCount(lane: Int) -> Int { storage[lane]?.elements.count ?? 0 }

  // MARK: For the loop

  /// Ingest learns that a record is safe.
  func tell(_ record: RecordRef) {
    guard !store.isReplay(record.batch), told.insert(record).inserted else { return }
    if store.takeReceivedNanoseconds(of: record) == nil {
      violations.append("\(record) was counted before")
    }
    store.noteNews(of: record.batch)
  }

  func returned(_ record: RecordRef) {
    returnedCount += 1
    openBatches[record.batch, default: 0] -= 1
    let lane = Int(store.lane(of: record.batch).rawValue)
    guard let number = underWay.removeValue(forKey: record),
      storage[lane]?.elements[number] != nil
    else { return violations.append("\(record) returned, but not withdrawn") }
    storage[lane]?.inCallCount -= 1
  }

  /// A record is accepted or refused after all.
  func forgetStored(_ number: Int, lane: Int) {
    if storage[lane]?.elements.removeValue(forKey: number) != nil {
      storage[lane]?.inCallCount -= 1
    }
  }

  /// A batch that the uplink has done with is given back, a turn later if records of it are stored.
  func release(_ batch: BatchID) {
    if store.isReplay(batch) {
      store.releaseReplay(batch)
    } else if store.unsettledCount(of: batch) > 0 {
      toComplete.append(batch)
      wake()
    } else {
      giveBack(batch)
    }
  }

  func completeStored() {
    for batch in toComplete {
      store.settleAll(of: batch)
      giveBack(batch)
    }
    toComplete.removeAll()
  }

  private func giveBack(_ batch: BatchID) {
    for index in 0..<UInt32(store.recordCount(of: batch)) {
      told.remove(RecordRef(batch: batch, index: index))
    }
    store.release(batch)
  }

  /// Stores a new batch whose lane has stored records, instead of submitting it.
  func storeNew(_ batch: BatchID) -> Bool {
    let lane = Int(store.lane(of: batch).rawValue)
    let isWithdrawn = uplink.recordsUnderWay(of: store.lane(of: batch)) > 0 && storage[lane] != nil
    guard isWithdrawn || storedCount(lane: lane) > 0 else { return false }
    for index in 0..<UInt32(store.recordCount(of: batch)) {
      let record = RecordRef(batch: batch, index: index)
      guard let number = underWay.removeValue(forKey: record) else { continue }
      storage[lane, default: LaneStorage()].elements[number] = store.withElement(of: record) {
        [UInt8](copying: $0)
      }
    }
    openBatches[batch] = nil
    batchCount -= 1
    giveBack(batch)
    return true
  }

  func replayStored() {
    for lane in storage.keys.sorted() where storage[lane]?.isReplaying == true {
      let id = LaneID(rawValue: UInt32(lane))
      guard let elements = storage[lane]?.elements else { continue }
      if elements.isEmpty {
        if uplink.recordsUnderWay(of: id) == 0 { storage[lane] = nil }
        continue
      }
      // What ended a call in this turn was not told yet.
      guard storage[lane]?.inCallCount == 0, uplink.recordsUnderWay(of: id) == 0 else { continue }
      var open: BatchID?
      for number in elements.keys.sorted() {
        guard append(elements[number] ?? [], number, lane: id, to: &open) else { break }
        storage[lane]?.elements[number] = nil
      }
      if let open { uplink.submit(open) }
    }
  }

  private func append(
    _ element: [UInt8], _ number: Int, lane: LaneID, to open: inout BatchID?
  ) -> Bool {
    guard let view = RecordElement(element.span.bytes) else {
      violations.append("no element")
      return false
    }
    let hash = view.orderHash(.key, sequence: UInt64(number))
    for _ in 0..<2 {
      if let batch = open,
        let record = store.appendReplay(
          view, keyHash: hash, sequence: UInt64(number), to: batch)
      {
        if store.sequence(of: record) != UInt64(number) { violations.append("wrong sequence") }
        underWay[record] = number
        openBatches[batch, default: 0] += 1
        return true
      }
      if let batch = open { uplink.submit(batch) }
      open = store.openReplay(
        lane: lane, byteCount: max(element.count, 12 << 10), records: 40)
      guard let batch = open else { return false }
      openBatches[batch] = 0
      batchCount += 1
    }
    return false
  }
}
