import Bytes

/// Memory that a port reads a file into.
@safe
struct ReadBuffer: ~Copyable {
  private var memory: UnsafeMutableRawBufferPointer
  /// Bytes of it that were read.
  private(set) var count = 0

  init() {
    unsafe memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  }

  deinit { unsafe memory.deallocate() }

  /// Forgets what was read and has room for at least `bytes`. Not while a read is under way.
  mutating func reset(room bytes: Int) {
    count = 0
    guard unsafe memory.count < bytes else { return }
    unsafe memory.deallocate()
    unsafe memory = .allocate(byteCount: bytes, alignment: 16)
  }

  /// Gives the memory back.
  mutating func release() {
    count = 0
    unsafe memory.deallocate()
    unsafe memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  }

  /// The rest of the first `bytes`, to be read into.
  func target(upTo bytes: Int) -> MutableMemorySlice {
    precondition(count < bytes)
    guard let base = unsafe memory.baseAddress, unsafe bytes <= memory.count else {
      preconditionFailure("no room was made")
    }
    return unsafe MutableMemorySlice(baseAddress: base + count, count: bytes - count)
  }

  /// So many more bytes were read.
  mutating func advance(_ bytes: Int) {
    precondition(bytes >= 0)
    count += bytes
  }

  /// What was read.
  var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      let filled = unsafe UnsafeRawBufferPointer(rebasing: memory[..<count])
      return unsafe _overrideLifetime(filled.bytes, borrowing: self)
    }
  }
}
