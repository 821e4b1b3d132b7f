import IOPort
import Records

/// The memory for records from the disk, and how lanes share it.
///
/// What a lane has of it comes back when the broker took the records, and a broker may be long
/// about those of one topic, or never answer. So a lane leaves others a part of what is free
/// (dynamic thresholds, as switches share their buffers), a large one while the broker takes
/// nothing of it; what is published finds some whatever is replicated; and for the lane that has
/// waited longest for a large batch what comes back is kept for some seconds.
struct ReplayMemory: BitwiseCopyable {
  /// What a lane has of it.
  struct Share: BitwiseCopyable {
    /// Bytes of batches that are being filled, or under way.
    private(set) var heldBytes = 0
    /// Since when it has some.
    private var heldSince = Instant(nanoseconds: 0)
    /// When the broker last took something of the lane.
    private var servedAt: Instant?
    /// Bytes that the batch which comes next needs, when there were not so many; else 0.
    var neededBytes = 0
    /// Since when the lane, which has none, waits for some; nil while it does not.
    private(set) var waitsSince: Instant?
    private var waitedSince: Instant?

    /// Since when it waits for more than a lane begins with: smaller pieces come back all the time,
    /// and lanes take turns.
    var waitsForLargeSince: Instant? {
      neededBytes > ReplayMemory.firstBytes ? waitsSince : nil
    }

    /// The broker took records of the lane.
    mutating func noteServed(at now: Instant) { servedAt = now }

    /// Whether the broker took records of the lane lately.
    func isServed(at now: Instant) -> Bool {
      servedAt.map { now < $0.advanced(milliseconds: ReplayMemory.patienceMilliseconds) } ?? false
    }

    /// Whether it has some, and the broker took nothing for long.
    func hangs(at now: Instant) -> Bool {
      heldBytes > 0 && !isServed(at: now)
        && now >= heldSince.advanced(milliseconds: ReplayMemory.patienceMilliseconds)
    }

    /// The lane is looked at: as far as is known it does not wait.
    mutating func beginLook() { (waitedSince, waitsSince) = (waitsSince, nil) }

    /// The lane asked, and found some, or waits.
    mutating func noteAsked(isGranted: Bool, at now: Instant) {
      if isGranted {
        // It may be gone when the records have been read.
        waitsSince = waitedSince
      } else if heldBytes == 0 {
        waitsSince = waitedSince ?? now
      }
    }

    fileprivate mutating func hold(_ bytes: Int, at now: Instant) {
      if heldBytes == 0 { heldSince = now }
      heldBytes += bytes
      neededBytes = 0
      (waitedSince, waitsSince) = (nil, nil)
    }

    fileprivate mutating func letGo(_ bytes: Int) {
      heldBytes -= bytes
      // With none it may do with less.
      if heldBytes == 0 { neededBytes = 0 }
    }
  }

  /// How long a broker may take nothing of a lane before others come first.
  private static let patienceMilliseconds = 5_000
  /// What a lane gets that may find the broker take nothing, once half of the memory is in use.
  private static let firstBytes = 64 << 10
  /// Less is not worth a batch.
  private static let leastBytes = 4 << 10
  /// How long a lane waits before what comes back is kept for it, how long that is done, and then
  /// not.
  private static let (waitMilliseconds, reserveMilliseconds) = (1_000, 4_000)
  /// A lane that publishes has at most twice what it leaves free, one that replicates eight times:
  /// alone it has eight batches of a megabyte, all that are under way at a time on a long line.
  private static let (publishWeight, runWeight) = (2, 8)

  let limitBytes: Int
  /// What a batch counts at least: there are only so many.
  private let chargeBytes: Int
  private(set) var heldBytes = 0
  /// Of these, those of batches that are replicated.
  private var runBytes = 0
  /// When a lane was last told to wait that had none, or while there was little.
  private var shortAt: Instant?
  /// For whom all is kept that comes back, so that a large batch finds its memory though small ones
  /// would take each piece of it. Not for long: who hangs may never give any back.
  private var reservation: (lane: Int, isRun: Bool, until: Instant)?
  private var nextReservation = Instant(nanoseconds: 0)

  init(_ limits: ReplayLimits) {
    limitBytes = limits.memoryBytes
    chargeBytes = limits.batches > 0 ? limits.memoryBytes / limits.batches : 0
  }

  /// Whether lanes wait for some.
  func isShort(at now: Instant) -> Bool {
    shortAt.map { now < $0.advanced(milliseconds: 1_000) } ?? false
  }

  /// Whether little of it is left.
  private var isScarce: Bool { heldBytes > limitBytes / 4 * 3 }

  /// A lane was told to wait.
  mutating func noteShort(of share: Share, at now: Instant) {
    if share.heldBytes == 0 || isScarce { shortAt = now }
  }

  /// The lane for which memory is kept.
  func reservedLane(at now: Instant) -> Int? {
    reservation.flatMap { now < $0.until ? $0.lane : nil }
  }

  /// Keeps what comes back for a lane that has waited since then, if that is long enough.
  mutating func reserve(for lane: Int, waitingSince: Instant, isRun: Bool, at now: Instant) {
    guard now >= nextReservation,
      now >= waitingSince.advanced(milliseconds: Self.waitMilliseconds)
    else { return }
    let until = now.advanced(milliseconds: Self.reserveMilliseconds)
    reservation = (lane, isRun, until)
    nextReservation = until.advanced(milliseconds: Self.reserveMilliseconds)
  }

  /// The lane for which memory was kept has it, or has no use for it.
  mutating func endReservation(at now: Instant) {
    reservation = nil
    nextReservation = now
  }

  /// The bytes that one more batch of a lane may have, of `wanted`, but `needed` at least: a power
  /// of two as these are. Nil when the lane has to wait; a batch of any size finds some when there
  /// is no other.
  func grant(
    _ wanted: Int, needed: Int = leastBytes, to share: Share, of lane: Int, isRun: Bool,
    at now: Instant
  ) -> Int? {
    if heldBytes == 0 { return max(wanted, needed) }
    var free = limitBytes - heldBytes
    if isRun { free = min(free, limitBytes / 10 * 9 - runBytes) }
    if let reservation, now < reservation.until, isRun || !reservation.isRun {
      guard reservation.lane == lane else { return nil }
      if share.heldBytes == 0 { return needed <= free ? needed : nil }
    }
    let weight = isRun ? Self.runWeight : Self.publishWeight
    // So many more, and the lane has `weight` times what is left.
    let most = (weight * free - share.heldBytes) / (weight + 1)
    var usual = most
    if !share.isServed(at: now) {
      if heldBytes <= limitBytes / 2 {
        usual = (free - 4 * share.heldBytes) / 5
      } else {
        usual = isRun ? Self.firstBytes : min(Self.firstBytes, free / 16)
        guard share.heldBytes == 0 else { return nil }
      }
    }
    let least = max(min(wanted, Self.leastBytes), needed)
    guard max(least, chargeBytes) <= (share.heldBytes == 0 ? most : usual) else { return nil }
    var size = least
    while 2 * size <= min(wanted, usual) { size *= 2 }
    return size
  }

  /// A lane has a batch of so many bytes more.
  mutating func hold(
    _ bytes: Int, isRun: Bool, of lane: Int, _ share: inout Share, at now: Instant
  ) {
    if reservation?.lane == lane { endReservation(at: now) }
    let bytes = max(bytes, chargeBytes)
    heldBytes += bytes
    if isRun { runBytes += bytes }
    share.hold(bytes, at: now)
  }

  /// A lane has a batch of so many bytes no more.
  mutating func letGo(_ bytes: Int, isRun: Bool, of share: inout Share) {
    let bytes = max(bytes, chargeBytes)
    heldBytes -= bytes
    if isRun { runBytes -= bytes }
    share.letGo(bytes)
  }
}
