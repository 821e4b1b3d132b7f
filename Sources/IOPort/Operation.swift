public import Bytes

/// A socket, file or directory that a port opened. Valid until its `close` completed.
public struct Descriptor: BitwiseCopyable, Sendable, Hashable {
  /// The port's own number for it.
  public let rawValue: Int32
  /// The descriptor with a port's number.
  @inlinable public init(rawValue: Int32) { self.rawValue = rawValue }
}

/// What wakes a port that waits: made by that port, rung through another one.
public struct Doorbell: BitwiseCopyable, Sendable, Hashable {
  /// The port's own number for it.
  public let rawValue: Int32
  /// The doorbell with a port's number.
  @inlinable public init(rawValue: Int32) { self.rawValue = rawValue }
}

/// Work that a decider asks of a port. Each yields at least one completion with the same token,
/// unless it says otherwise.
public enum Operation: BitwiseCopyable, Sendable {
  /// Accept connections on a listening socket until cancelled: one `accepted` each, and at the end
  /// one `acceptEnded`.
  case accept(Descriptor)
  /// Open a TCP connection: `connected` or `connectFailed`.
  case connect(SocketAddress)
  /// Receive into buffers of the port until cancelled: one `received` each, and at the end one
  /// `receiveEnded` (also when the port ran out of buffers: then ask again).
  case receive(Descriptor)
  /// End the operation that has this token. No completion of its own; the operation's last
  /// completion comes as usual, with the error `cancelled` if it was still waiting.
  case cancel(Token)
  /// Send the slices `first` ..< `first + count` of the queue: `sent` with the bytes taken
  /// (possibly fewer than given) or `sendFailed`. At most one send a descriptor may be under way.
  /// The memory stays untouched until the completion.
  case send(Descriptor, first: Int32, count: Int32)
  /// End our direction of a connection after what was sent. No completion.
  case shutdownWrites(Descriptor)
  /// Cancel what is under way on the descriptor and close it: after every other operation on it has
  /// given its last completion, `closed`.
  case close(Descriptor)
  /// Ask how many bytes that sends on a connection took are not acknowledged by the other host:
  /// `queueMeasured`. A system call.
  case measureQueue(Descriptor)
  /// Wake the port that owns the doorbell. No completion here; there, `rung`.
  case ring(Doorbell)
  /// Give a received buffer back. No completion.
  case recycle(bufferIndex: UInt32)
  /// Work on a file: one completion, `file`.
  case file(FileOperation)
}

/// What deciders fill and ports drain: operations in order, and the memory that sends name.
public struct OperationQueue: ~Copyable {
  /// Operations in the order asked, each with its token.
  public private(set) var entries: [(token: Token, operation: Operation)] = []
  /// The memory named by sends and writes.
  public private(set) var slices: [MemorySlice] = []
  /// The files named by operations.
  public private(set) var names: [FileName] = []

  /// An empty queue.
  public init() {}

  /// Whether nothing was asked.
  public var isEmpty: Bool { entries.isEmpty }

  /// Asks for an operation.
  public mutating func append(_ operation: Operation, token: Token) {
    entries.append((token, operation))
  }

  /// Gives a received buffer back.
  public mutating func recycle(_ received: consuming ReceivedBytes) {
    entries.append((Token(rawValue: 0), .recycle(bufferIndex: received.bufferIndex)))
  }

  /// Starts the list of slices of a send or a write; ``appendSlice(_:)`` and
  /// ``endSend(on:from:token:)`` or ``endWrite(to:offset:from:token:)`` follow.
  public mutating func beginSend() -> Int { slices.count }

  /// Names memory of the send or write that was begun.
  public mutating func appendSlice(_ slice: MemorySlice) { slices.append(slice) }

  /// Asks for the send that began at `first`.
  public mutating func endSend(on descriptor: Descriptor, from first: Int, token: Token) {
    precondition(slices.count > first, "a send names no memory")
    append(
      .send(descriptor, first: Int32(first), count: Int32(slices.count - first)), token: token)
  }

  /// Names a file for an operation and answers the number of the name.
  mutating func keep(_ name: FileName) -> Int32 {
    names.append(name)
    return Int32(names.count - 1)
  }

  /// Forgets everything, keeping the memory; the port does so when it has taken all.
  public mutating func removeAll() {
    entries.removeAll(keepingCapacity: true)
    slices.removeAll(keepingCapacity: true)
    names.removeAll(keepingCapacity: true)
  }
}
