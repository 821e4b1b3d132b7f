import IOPort

/// One of the two copies of the cursor file.
struct CursorCopy {
  enum Content: UInt8, BitwiseCopyable {
    /// There is none, or nothing that could be of use, now or later.
    case none
    /// The file can't be read; perhaps it can later.
    case unreadable
    /// It was written by a later version.
    case foreign
    /// It was read. Perhaps it is not durable: the process that wrote it may have ended before.
    case found
    /// This process made it durable.
    case durable
  }

  let name: FileName
  var content = Content.none
  var generation: UInt64 = 0
  /// Whether there is a file of that name.
  var exists = false
  /// Whether the name survives the end of power.
  var isNameDurable = false
  /// Bytes that have their place on the disk: writing over them needs no space.
  var solidBytes = 0
  /// Bytes of the file.
  var fileBytes = 0

  init(_ name: StaticString) {
    guard let name = FileName(name.description) else {
      preconditionFailure("a name of a few letters")
    }
    self.name = name
  }
}
