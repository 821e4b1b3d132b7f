/// A region of memory that somebody else owns: an address and a byte count.
///
/// It carries no lifetime: whoever names one in an operation keeps the owner alive and unmoved
/// until that operation completed. Making one and reading through one are therefore marked
/// `unsafe`.
@safe
public struct MemorySlice: BitwiseCopyable, @unchecked Sendable {
  /// The address of the first byte; nil only when `count` is 0.
  @usableFromInline let baseAddress: UnsafeRawPointer?
  /// Length in bytes.
  public let count: Int

  /// An empty slice.
  @inlinable
  public init() {
    unsafe baseAddress = nil
    count = 0
  }

  /// A slice of `count` bytes at `baseAddress`, which the caller keeps alive.
  @inlinable
  @unsafe
  public init(baseAddress: UnsafeRawPointer, count: Int) {
    precondition(count >= 0)
    unsafe self.baseAddress = unsafe baseAddress
    self.count = count
  }

  /// The raw address, for the kernel and for C libraries.
  @inlinable
  @unsafe
  public var address: UnsafeRawPointer? { unsafe baseAddress }

  /// The slice less its first `offset` bytes.
  @inlinable
  public func dropping(first offset: Int) -> MemorySlice {
    precondition(offset >= 0 && offset <= count)
    guard let base = unsafe baseAddress else { return self }
    return unsafe MemorySlice(baseAddress: base + offset, count: count - offset)
  }

  /// The first `length` bytes of the slice.
  @inlinable
  public func prefix(_ length: Int) -> MemorySlice {
    precondition(length >= 0 && length <= count)
    guard let base = unsafe baseAddress else { return self }
    return unsafe MemorySlice(baseAddress: base, count: length)
  }

  /// Reads the bytes. The owner must be alive and must not write for the duration of `body`.
  @inlinable
  @unsafe
  public func withBytes<Result: ~Copyable, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let buffer = unsafe UnsafeRawBufferPointer(start: baseAddress, count: count)
    return try unsafe body(buffer.bytes)
  }
}

/// A region of memory that somebody else owns and that a port may write to. It carries no lifetime,
/// as ``MemorySlice``.
@safe
public struct MutableMemorySlice: BitwiseCopyable, @unchecked Sendable {
  @usableFromInline let baseAddress: UnsafeMutableRawPointer
  /// Length in bytes.
  public let count: Int

  /// A slice of `count` bytes at `baseAddress`, which the caller keeps alive and leaves alone.
  @inlinable
  @unsafe
  public init(baseAddress: UnsafeMutableRawPointer, count: Int) {
    precondition(count > 0)
    unsafe self.baseAddress = unsafe baseAddress
    self.count = count
  }

  /// The raw address, for the kernel.
  @inlinable
  @unsafe
  public var address: UnsafeMutableRawPointer { unsafe baseAddress }
}
