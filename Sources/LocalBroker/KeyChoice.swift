import IOPort

/// Who is to get a record of a KeyShared subscription.
enum KeyChoice: BitwiseCopyable, Equatable {
  /// Not known: its key has to be looked at.
  case open
  /// Nobody who is there takes its key.
  case nobody
  /// This consumer, as long as the same ones are there.
  case consumer(SlotID)
}
