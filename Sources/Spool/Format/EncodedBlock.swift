public import Bytes

/// A block on its way to the disk: the payload as it is stored, and a header that depends on where
/// it goes.
public struct EncodedBlock: ~Copyable {
  /// The header; its position is right after `place`.
  public private(set) var header: BlockHeader
  private var headBytes: GrowableBytes
  private let payloadBytes: GrowableBytes

  /// A block with its payload, padded, and memory for its encoded header.
  init(
    header: consuming BlockHeader, head: consuming GrowableBytes,
    payload: consuming GrowableBytes
  ) {
    self.header = header
    headBytes = head
    payloadBytes = payload
  }

  /// Ends the block; its memory goes to `spare`, where no more than `limitBytes` are kept.
  consuming func giveBack(to spare: inout SpareMemory, limitBytes: Int) {
    spare.giveBack(headBytes, limitBytes: limitBytes)
    spare.giveBack(payloadBytes, limitBytes: limitBytes)
  }

  /// Bytes in the file.
  public var totalBytes: Int { header.totalBytes }

  /// Says where the block goes; again, when it has to go elsewhere.
  public mutating func place(
    at position: SpoolPosition, synced: SpoolPosition, identity: UInt64, clock: SpoolClock
  ) {
    header.position = position
    header.syncedPosition = synced
    header.identity = identity
    header.clock = clock
    headBytes.removeAll()
    header.encode(into: &headBytes)
  }

  /// The encoded header.
  public var head: RawSpan {
    @_lifetime(borrow self)
    get { headBytes.bytes }
  }

  /// The payload with the zeros behind it.
  public var payload: RawSpan {
    @_lifetime(borrow self)
    get { payloadBytes.bytes }
  }

  /// Header and payload as memory to name in a write of everything behind the first `skipped`
  /// bytes. It stays in place until the next `place`.
  @unsafe
  public func slices(skipping skipped: Int) -> (MemorySlice, MemorySlice) {
    let head = unsafe headBytes.slice(at: 0, length: headBytes.count)
    let payload = unsafe payloadBytes.slice(at: 0, length: payloadBytes.count)
    if skipped < head.count { return (head.dropping(first: skipped), payload) }
    return (MemorySlice(), payload.dropping(first: skipped - head.count))
  }
}
