import IOPort

/// Who is refused because there is no space on the disk, or because the disk fails.
struct SpaceWant {
  /// Lanes whose new records are refused.
  var refusingCount = 0
  /// Lanes that are shut (``DeliveryLane/isShut``).
  var shutCount = 0
  /// When something that waits for space has waited long enough.
  var nextRefusal = Instant.distantFuture
  /// Since when the disk takes nothing; nil while it does.
  var stuckSince: Instant?
  /// Lanes, the first ones of the table, that are told to refuse because the spool can't be opened.
  var unopenedCount = 0
  /// Since when attempts to open the spool fail; nil before the first that did.
  private var unopenedSince: Instant?
  /// When the last one failed.
  private var lastUnopened = Instant(nanoseconds: 0)

  /// How long records wait for space that nobody makes before their senders are told, milliseconds.
  /// A write that failed once often succeeds at the next attempt.
  static var patienceMilliseconds: Int { 1_000 }

  /// The same before the spool was ever open: what can't be read may be readable soon.
  private static var openPatienceMilliseconds: Int { 5_000 }

  /// How long after a failed attempt the next one is taken to be still to come, milliseconds.
  private static var attemptMilliseconds: Int { 15_000 }

  /// The spool could not be opened; it is tried again.
  mutating func noteUnopened(at now: Instant) {
    let isNew = now >= lastUnopened.advanced(milliseconds: Self.attemptMilliseconds)
    if isNew || unopenedSince == nil { unopenedSince = now }
    lastUnopened = now
  }

  /// When records that wait for the spool to open are refused; nil while no attempt failed, or the
  /// one under way takes long.
  func refusesUnopened(at now: Instant) -> Instant? {
    guard let unopenedSince,
      now < lastUnopened.advanced(milliseconds: Self.attemptMilliseconds)
    else { return nil }
    return unopenedSince.advanced(milliseconds: Self.openPatienceMilliseconds)
  }

  /// The spool is open.
  mutating func noteOpened() { unopenedSince = nil }
}
