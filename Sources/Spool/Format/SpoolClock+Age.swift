import Records

// How long ago something was, by clocks that may not have been set.
extension SpoolClock {
  /// A time of day before this is one that nobody set: 2024-01-01T00:00:00Z, Unix milliseconds.
  public static let earliestSetMilliseconds = Int64(PublishTimes.earliestMilliseconds)

  /// Unix milliseconds; nil when the time of day was not set.
  public var wallMilliseconds: Int64? {
    guard let boot = Int64(exactly: bootMilliseconds) else { return nil }
    let (wall, overflow) = boot.addingReportingOverflow(wallOffsetMilliseconds)
    return overflow || wall < Self.earliestSetMilliseconds ? nil : wall
  }

  /// Milliseconds from this moment to `now`; nil when nobody can know: another start of the
  /// machine, and one of the two times of day was not known to be right. `offset` is what it was
  /// known to be at some time in the same start of the machine, which counts more.
  public func age(at now: SpoolClock, correctedBy offset: Int64? = nil) -> UInt64? {
    if bootID != 0, bootID == now.bootID {
      return now.bootMilliseconds >= bootMilliseconds
        ? now.bootMilliseconds - bootMilliseconds : nil
    }
    var corrected = self
    if let offset {
      corrected.wallOffsetMilliseconds = offset
      corrected.isTrusted = true
    }
    guard corrected.isTrusted, now.isTrusted, let then = corrected.wallMilliseconds,
      let wall = now.wallMilliseconds, wall >= then
    else { return nil }
    return UInt64(wall - then)
  }
}
