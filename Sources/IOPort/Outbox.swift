public import Bytes

/// Bytes on their way out of one connection: small ones copied in, large ones by reference, sent in
/// gathered writes of which one is under way at a time, with short writes continued.
///
/// A reference carries a tag. When its last byte was taken, or the outbox is reset, the tag comes
/// out of ``takeReleasedTag()``: until then the memory must stay untouched.
public struct Outbox: ~Copyable {
  private enum Part: BitwiseCopyable {
    case copied(Int)
    case reference(MemorySlice, tag: UInt32)
  }

  /// Slices a gathered send names at most; the kernel's own limit is 1,024.
  private static let sliceLimit = 512

  private var filling = GrowableBytes()
  private var sending = GrowableBytes()
  private var fillingParts: [Part] = []
  private var fillingCopied = 0
  private var sendingParts: [Part] = []
  private var sendingIndex = 0
  private var released: [UInt32] = []
  /// Bytes not yet taken by a send.
  public private(set) var pendingBytes = 0
  /// Whether a send is under way.
  public private(set) var isSending = false

  /// Copies' memory that is kept from one send to the next; more is given back.
  private let keptBytes: Int

  /// Nothing to send. `keptBytes` is what a busy turn writes, or every such turn allocates anew.
  public init(keptBytes: Int = 64 * 1024) { self.keptBytes = keptBytes }

  /// Whether everything was taken.
  public var isEmpty: Bool { pendingBytes == 0 }

  /// Bytes of memory held for copies.
  public var capacityBytes: Int { filling.capacity + sending.capacity }

  /// Lets `body` append copied bytes; it must only append.
  public mutating func write<Result: ~Copyable, Failure: Error>(
    _ body: (inout GrowableBytes) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let before = filling.count
    defer {
      let added = filling.count - before
      fillingCopied += added
      pendingBytes += added
    }
    return try body(&filling)
  }

  /// Appends a copy of the bytes.
  public mutating func append(_ bytes: RawSpan) {
    filling.append(bytes)
    fillingCopied += bytes.byteCount
    pendingBytes += bytes.byteCount
  }

  /// Appends memory by reference; it stays untouched until `tag` is released. The tag of an empty
  /// slice is released at once.
  public mutating func appendReference(_ slice: MemorySlice, tag: UInt32) {
    guard slice.count > 0 else {
      released.append(tag)
      return
    }
    if fillingCopied > 0 { fillingParts.append(.copied(fillingCopied)) }
    fillingCopied = 0
    fillingParts.append(.reference(slice, tag: tag))
    pendingBytes += slice.count
  }

  /// Asks for a send of what is pending, unless one is under way. Call it once a turn.
  public mutating func flush(
    to descriptor: Descriptor, token: Token, operations: inout OperationQueue
  ) {
    guard !isSending, pendingBytes > 0 else { return }
    if sendingIndex == sendingParts.count { turnOver() }
    let first = operations.beginSend()
    var copiedOffset = 0
    var index = sendingIndex
    var slices = 0
    while index < sendingParts.count, slices < Self.sliceLimit {
      switch sendingParts[index] {
      case .copied(let length):
        unsafe operations.appendSlice(sending.slice(at: copiedOffset, length: length))
        copiedOffset += length
      case .reference(let slice, _):
        operations.appendSlice(slice)
      }
      index += 1
      slices += 1
    }
    operations.endSend(on: descriptor, from: first, token: token)
    isSending = true
  }

  private mutating func turnOver() {
    if fillingCopied > 0 { fillingParts.append(.copied(fillingCopied)) }
    fillingCopied = 0
    sendingParts.removeAll(keepingCapacity: true)
    swap(&fillingParts, &sendingParts)
    sendingIndex = 0
    sending.removeAll(keepingCapacityUpTo: keptBytes)
    swap(&filling, &sending)
  }

  /// A send took `count` bytes.
  public mutating func sent(_ count: Int) {
    precondition(isSending && count <= pendingBytes)
    isSending = false
    pendingBytes -= count
    var left = count
    while sendingIndex < sendingParts.count {
      switch sendingParts[sendingIndex] {
      case .copied(let length):
        if left < length {
          sending.removeFirst(left)
          sendingParts[sendingIndex] = .copied(length - left)
          return
        }
        sending.removeFirst(length)
        left -= length
      case .reference(let slice, let tag):
        if left < slice.count {
          sendingParts[sendingIndex] = .reference(slice.dropping(first: left), tag: tag)
          return
        }
        left -= slice.count
        released.append(tag)
      }
      sendingIndex += 1
      if left == 0 { return }
    }
  }

  /// Moves up to `count` bytes to the end of a queue instead of sending them: somebody encrypts
  /// them. References are copied, and released with their last byte. Never while a send is under
  /// way.
  public mutating func move(atMost count: Int, to queue: inout GrowableBytes) {
    precondition(!isSending)
    if sendingIndex == sendingParts.count { turnOver() }
    var left = min(count, pendingBytes)
    let start = left
    while left > 0, sendingIndex < sendingParts.count {
      switch sendingParts[sendingIndex] {
      case .copied(let length):
        let taken = min(length, left)
        queue.append(sending.bytes.extracting(0..<taken))
        sending.removeFirst(taken)
        left -= taken
        sendingParts[sendingIndex] = .copied(length - taken)
        if taken == length { sendingIndex += 1 }
      case .reference(let slice, let tag):
        let taken = min(slice.count, left)
        unsafe slice.prefix(taken).withBytes { queue.append($0) }
        left -= taken
        sendingParts[sendingIndex] = .reference(slice.dropping(first: taken), tag: tag)
        if taken == slice.count {
          released.append(tag)
          sendingIndex += 1
        }
      }
      if left > 0, sendingIndex == sendingParts.count { turnOver() }
    }
    pendingBytes -= start - left
  }

  /// A reference that is no longer needed, nil when there is none.
  public mutating func takeReleasedTag() -> UInt32? { released.popLast() }

  /// Forgets everything and releases every reference. Only after the descriptor's `closed`.
  public mutating func reset() {
    for part in sendingParts[min(sendingIndex, sendingParts.count)...] {
      if case .reference(_, let tag) = part { released.append(tag) }
    }
    for part in fillingParts {
      if case .reference(_, let tag) = part { released.append(tag) }
    }
    sendingParts.removeAll(keepingCapacity: true)
    fillingParts.removeAll(keepingCapacity: true)
    sendingIndex = 0
    fillingCopied = 0
    filling.removeAll(keepingCapacityUpTo: 4096)
    sending.removeAll(keepingCapacityUpTo: 4096)
    pendingBytes = 0
    isSending = false
  }
}
