public import Bytes

/// How a file is opened.
public enum FileMode: UInt8, BitwiseCopyable, Sendable {
  /// To read a file that exists.
  case read
  /// To read and write a file that exists.
  case update
  /// To read and write a new file; a file of that name is an error (`alreadyExists`).
  case create
}

/// Work on files that a decider asks of a port. Each yields exactly one completion, a
/// ``FileEvent``, with the same token.
///
/// Operations under way have no order among each other: what is to happen after something else is
/// asked for after that one's completion. What was written survives the end of the process; only
/// what was written before a `sync` that completed survives the end of power.
public enum FileOperation: BitwiseCopyable, Sendable {
  /// Open a file of a directory, by a name of the queue: `opened`.
  case open(Descriptor, name: Int32, FileMode)
  /// Reserve the disk's space for the first `bytes` of a file, which then has at least that size
  /// and reads as zeros where nothing was written: `done`.
  case allocate(Descriptor, bytes: UInt64)
  /// Cut a file to its first `bytes`: `done`.
  case truncate(Descriptor, bytes: UInt64)
  /// Write the slices `first` ..< `first + count` of the queue at `offset`: `transferred`, possibly
  /// fewer bytes than given. The memory stays untouched until the completion.
  case write(Descriptor, offset: UInt64, first: Int32, count: Int32)
  /// Read into memory that stays in place until the completion, from `offset`: `transferred`,
  /// possibly fewer bytes than asked for; 0 at the end of the file.
  case read(Descriptor, offset: UInt64, into: MutableMemorySlice)
  /// Make durable what was written and completed before: of a file its content and size, of a
  /// directory its names: `done`. After a failure nobody knows what is durable, and trying again
  /// does not tell.
  case sync(Descriptor)
  /// Remove a file's name from a directory: `done`.
  case remove(Descriptor, name: Int32)
  /// Give a file of a directory another name; one that has the new name is replaced: `done`.
  case rename(Descriptor, name: Int32, to: Int32)
}

/// What became of a ``FileOperation``.
@frozen
public enum FileEvent: BitwiseCopyable, Sendable {
  /// The file is open and has so many bytes.
  case opened(Descriptor, bytes: UInt64)
  /// So many bytes were written or read.
  case transferred(Int)
  /// It is done.
  case done
  /// It did not happen; for a `write` at most in part.
  case failed(IOError)
}

extension OperationQueue {
  /// Asks for a file of a directory to be opened.
  public mutating func open(
    _ name: FileName, in directory: Descriptor, _ mode: FileMode, token: Token
  ) {
    append(.file(.open(directory, name: keep(name), mode)), token: token)
  }

  /// Asks for the write that began at `first`; see ``beginSend()`` and ``appendSlice(_:)``.
  public mutating func endWrite(
    to file: Descriptor, offset: UInt64, from first: Int, token: Token
  ) {
    precondition(slices.count > first, "a write names no memory")
    append(
      .file(
        .write(file, offset: offset, first: Int32(first), count: Int32(slices.count - first))),
      token: token)
  }

  /// Asks for a name to be removed.
  public mutating func remove(_ name: FileName, from directory: Descriptor, token: Token) {
    append(.file(.remove(directory, name: keep(name))), token: token)
  }

  /// Asks for a file to be named anew.
  public mutating func rename(
    _ name: FileName, to newName: FileName, in directory: Descriptor, token: Token
  ) {
    let old = keep(name)
    append(.file(.rename(directory, name: old, to: keep(newName))), token: token)
  }
}
