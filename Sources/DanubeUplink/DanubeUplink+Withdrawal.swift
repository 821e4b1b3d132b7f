import IOPort
public import Records

// Records that somebody else keeps from now on: those of a lane that are not accepted in time are
// taken back, stored, and submitted again later from there.
extension DanubeUplink {
  /// Takes every record of a lane back that is in no call, at once, and tells of each one that is.
  ///
  /// What is in a call ends as `accepted`, `refused` or `returned` once, whatever becomes of the
  /// call; the broker may have what is returned. A batch is `released` as always, now with records
  /// that are not settled (``BatchStore/isSettled(_:)``): then ``BatchStore/settleAll(of:)`` comes
  /// before ingest is told that it is complete. The lane takes batches again once
  /// ``recordsUnderWay(of:)`` is 0, which is at most the longest deadline of a call later. Of a
  /// lane that is withdrawn already nothing more is told.
  ///
  /// O(records of the lane + calls under way).
  public mutating func withdraw(_ lane: LaneID, _ inCall: (RecordRef) -> Void) {
    let lane = place(of: lane)
    guard lanes[lane].recordsUnderWay > 0, !lanes[lane].isWithdrawn else { return }
    lanes[lane].isWithdrawn = true
    keysInFlight -= lanes[lane].keys.count
    // When they come again they have no less time to be answered.
    let attempts = lanes[lane].attemptsBefore + lanes[lane].keys.mostAttempts
    lanes[lane].attemptsBefore = min(attempts, CallTable.maximumPatience)
    lanes[lane].keys.removeAll()
    while let record = lanes[lane].sendable.first {
      lanes[lane].sendable.removeFirst(in: store)
      takeBack(record, lane)
    }
    while let record = retries.popAny(ofLane: lane) { takeBack(record, lane) }
    withdrawCalls(of: lane, inCall)
    precondition(lanes[lane].recordsUnderWay == lanes[lane].callsInFlight, "a record was lost")
    endWithdrawal(lane)
  }

  /// Records of a lane that were submitted and are not accepted, refused, taken back or returned.
  /// What became of the others may still wait to be told: see `nextProgress` first.
  public func recordsUnderWay(of lane: LaneID) -> Int { lanes[place(of: lane)].recordsUnderWay }

  /// Calls with records of a lane that the broker has not answered.
  public func callsInFlight(of lane: LaneID) -> Int { lanes[place(of: lane)].callsInFlight }

  /// Whether records of a lane could be sent now: it has a producer, on a connection that is open.
  public func isReady(_ lane: LaneID) -> Bool {
    guard case .ready(let broker) = lanes[place(of: lane)].phase,
      let id = brokers[broker].current
    else { return false }
    return connections[id].isOpen
  }

  /// What accepted records took lately from the start of their call to the broker's answer, over
  /// all lanes: milliseconds, rounded up; 0 before the first.
  public var smoothedRoundTripMilliseconds: Int { roundTrip.milliseconds }

  private mutating func withdrawCalls(of lane: Int, _ inCall: (RecordRef) -> Void) {
    guard lanes[lane].callsInFlight > 0 else { return }
    for patience in 0...CallTable.maximumPatience {
      var next = calls.newestTag(patience: patience)
      while let tag = next, let call = calls[tag] {
        next = calls.older(than: tag)
        guard call.kind == .send, call.lane == lane else { continue }
        inCall(call.record)
        if let follower = store.next(of: call.record) { takeBack(follower, lane) }
      }
    }
  }

  /// Takes a record back, and all behind it of the same key.
  private mutating func takeBack(_ first: RecordRef, _ lane: Int) {
    var following: RecordRef? = first
    while let record = following {
      following = store.next(of: record)
      lose(record, lane)
    }
  }

  /// A record is the uplink's no more, without being settled.
  private mutating func lose(_ record: RecordRef, _ lane: Int) {
    recordsUnderWay -= 1
    lanes[lane].recordsUnderWay -= 1
    pins[Int(record.batch.rawValue)].takenBackCount += 1
    if pins[Int(record.batch.rawValue)].count == 0 { releaseIfDone(record.batch) }
  }

  // MARK: Calls of a withdrawn lane. Of their records only the batch is touched: ingest may have
  // been told that they are safe, so that a compaction may have left them out.

  /// The call of a record ended, and it is neither accepted nor refused.
  mutating func giveBack(_ record: RecordRef, _ lane: Int) {
    progress.append(.returned(record))
    lose(record, lane)
    endWithdrawal(lane)
  }

  /// The call of a record ended, and it is accepted or refused.
  mutating func settleWithdrawn(_ record: RecordRef, _ lane: Int, _ outcome: UplinkProgress) {
    progress.append(outcome)
    recordsUnderWay -= 1
    lanes[lane].recordsUnderWay -= 1
    _ = store.settleOne(of: record.batch)
    if pins[Int(record.batch.rawValue)].count == 0 { releaseIfDone(record.batch) }
    endWithdrawal(lane)
  }

  private mutating func endWithdrawal(_ lane: Int) {
    if lanes[lane].recordsUnderWay == 0 { lanes[lane].isWithdrawn = false }
  }

  /// No send names the memory of a batch: it is released if its records are gone as well.
  mutating func releaseIfDone(_ batch: BatchID) {
    let unsettled = store.unsettledCount(of: batch)
    if unsettled == Int(pins[Int(batch.rawValue)].takenBackCount) {
      progress.append(.released(batch))
    }
  }
}
