import DanubeUplink
import IOPort
import Records
import Spool

// Who has memory for records from the disk.
extension Delivery {
  /// How long a lane that found no memory waits at most before it asks again, ms: others may have
  /// to give some back first, which makes no turn.
  private static var memoryPauseMilliseconds: Int { 500 }

  /// What a replayed batch takes of memory: a block of the spool and the entries of its records, as
  /// a power of two.
  private static var usualReplayBytes: Int { 512 << 10 }

  /// A replay batch of a lane was opened.
  mutating func hold(_ batch: BatchID, of lane: Int, at now: Instant) {
    replayMemory.hold(
      store.replayBytes(of: batch), isRun: store.isRun(batch), of: lane, &lanes[lane].memory,
      at: now)
  }

  /// Gives the memory of a replay batch back.
  mutating func letGo(_ batch: BatchID) {
    guard let lane = lanePlaceOfReplay(batch) else {
      preconditionFailure("a batch of a lane that nobody knows")
    }
    replayMemory.letGo(
      store.replayBytes(of: batch), isRun: store.isRun(batch), of: &lanes[lane].memory)
    store.releaseReplay(batch)
  }

  /// Whether there is memory for one more batch of a lane, as far as is known before its records
  /// are read.
  mutating func hasReplayMemory(_ lane: Int, isRun: Bool, at now: Instant) -> Bool {
    let share = lanes[lane].memory
    let granted =
      share.neededBytes > 0
      ? replayMemory.grant(
        share.neededBytes, needed: share.neededBytes, to: share, of: lane, isRun: isRun, at: now)
      : replayMemory.grant(Self.usualReplayBytes, to: share, of: lane, isRun: isRun, at: now)
    lanes[lane].memory.noteAsked(isGranted: granted != nil, at: now)
    guard granted == nil else { return true }
    replayMemory.noteShort(of: share, at: now)
    nextDrain = min(nextDrain, now.advanced(milliseconds: Self.memoryPauseMilliseconds))
    return false
  }

  /// Keeps what comes back for the lane that has waited longest for a large batch.
  mutating func reserveMemory(at now: Instant) {
    if let lane = replayMemory.reservedLane(at: now) {
      if lanes[lane].memory.waitsSince == nil { replayMemory.endReservation(at: now) }
      return
    }
    guard replayMemory.isShort(at: now) else { return }
    var longest: (lane: Int, since: Instant)?
    for lane in spooling {
      guard let since = lanes[lane].memory.waitsForLargeSince,
        since < longest?.since ?? .distantFuture
      else { continue }
      longest = (lane, since)
    }
    guard let longest else { return }
    replayMemory.reserve(
      for: longest.lane, waitingSince: longest.since,
      isRun: lanes[longest.lane].replication.isActive, at: now)
  }

  /// Whether others need the memory of a lane's replayed batches, and its broker is away, or took
  /// nothing of it and owes no answer: what is in a call would stay anyway, and its time to be
  /// answered is not cut short. What of the lane is not on the disk would be taken back as well.
  func isToBeRecalled(_ lane: Int, at now: Instant) -> Bool {
    guard lanes[lane].replays > 0, replayMemory.isShort(at: now), !hasSubmitted(lane) else {
      return false
    }
    let id = lanes[lane].id
    return uplink?.isReady(id) != true
      || lanes[lane].memory.hangs(at: now) && uplink?.callsInFlight(of: id) == 0
  }

  /// Topics whose broker is ready for records from the disk for which there is no memory.
  var lanesWithoutMemory: Int {
    spooling.count { lanes[$0].memory.waitsSince != nil }
  }

  /// Takes the replayed batches of a lane back, which come again from the disk. What is in a call
  /// stays until that ends.
  mutating func recallReplays(of lane: Int) {
    lanes[lane].isRecalled = true
    let id = lanes[lane].id
    uplink?.withdraw(id) { _ in }
  }

  /// Goes on with a lane whose batches were taken back, when every call has ended: two records of a
  /// key must not be under way at a time.
  mutating func endRecall(of lane: Int) -> Bool {
    guard lanes[lane].replays == 0, uplink?.recordsUnderWay(of: lanes[lane].id) == 0 else {
      return false
    }
    lanes[lane].isRecalled = false
    lanes[lane].nextRead = firstOpen(lane, from: 0) ?? lanes[lane].nextRead
    return true
  }
}
