public import Bytes

/// What became of an operation.
@frozen
public struct Completion: ~Copyable {
  /// The token of the operation.
  public let token: Token
  /// What happened.
  public var event: Event

  /// A completion for `token`.
  public init(token: Token, event: consuming Event) {
    self.token = token
    self.event = event
  }

  /// What happened.
  @frozen
  public enum Event: ~Copyable {
    /// A peer connected; more may follow with the same token.
    case accepted(Descriptor, peer: SocketAddress)
    /// Accepting ended; ask again unless it was cancelled.
    case acceptEnded(IOError)
    /// Our connection is open.
    case connected(Descriptor)
    /// Our connection did not come about; there is nothing to close.
    case connectFailed(IOError)
    /// Bytes arrived (at least one); give the buffer back through `OperationQueue.recycle`. More
    /// may follow with the same token.
    case received(ReceivedBytes)
    /// Receiving ended: nil when the peer ended its direction. On `resourcesExhausted` ask again.
    case receiveEnded(IOError?)
    /// So many bytes of a send were taken, at least one.
    case sent(Int)
    /// Nothing of the send was taken and the connection is of no use.
    case sendFailed(IOError)
    /// So many bytes that sends took are not acknowledged by the other host; 0 of a connection that
    /// is being closed.
    case queueMeasured(Int)
    /// The descriptor is closed and none of its operations is under way.
    case closed
    /// Somebody rang this port's doorbell.
    case rung
    /// Work on a file ended.
    case file(FileEvent)
  }
}

/// Bytes in a buffer that belongs to the port.
@safe
public struct ReceivedBytes: ~Copyable {
  let memory: MemorySlice
  /// The port's number for the buffer.
  public let bufferIndex: UInt32

  /// Bytes of the port's buffer `bufferIndex`; the port leaves them alone until it is recycled.
  @unsafe
  public init(memory: MemorySlice, bufferIndex: UInt32) {
    self.memory = memory
    self.bufferIndex = bufferIndex
  }

  /// Number of bytes.
  public var count: Int { memory.count }

  /// The bytes.
  public var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      let buffer = unsafe UnsafeRawBufferPointer(start: memory.address, count: memory.count)
      return unsafe _overrideLifetime(buffer.bytes, borrowing: self)
    }
  }
}
