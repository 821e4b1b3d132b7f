public import IOPort

/// What a cursor file has to tell.
public enum CursorEvent: Sendable, Equatable {
  /// The newest state that was found; nil when there is none. Copies that are there and can't be
  /// used are counted: by damage, or since a save was interrupted.
  case loaded(CursorState?, damagedCopies: Int)
  /// The state of the last save is durable.
  case saved
  /// The last save did not come about; what was saved before is as safe as it was.
  case failed(IOError)
}
