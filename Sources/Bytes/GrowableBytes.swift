/// A byte queue that owns its memory: append at the end, remove from the front.
///
/// The memory is kept and reused, so a queue in steady state asks the C heap for nothing. Appending
/// may move the bytes: a slice of them is valid only until the next append.
@safe
public struct GrowableBytes: ~Copyable {
  var base: UnsafeMutableRawPointer?
  var head = 0
  var tail = 0
  /// Bytes of memory held.
  public private(set) var capacity = 0

  /// An empty queue; memory is taken at the first append.
  public init() {
    unsafe base = nil
  }

  /// An empty queue with room for `capacity` bytes.
  public init(capacity: Int) {
    unsafe base = UnsafeMutableRawPointer.allocate(byteCount: max(capacity, 16), alignment: 16)
    self.capacity = max(capacity, 16)
  }

  /// An empty queue that owns `capacity` bytes at `memory`.
  @unsafe
  init(memory: UnsafeMutableRawPointer, capacity: Int) {
    unsafe base = memory
    self.capacity = capacity
  }

  deinit {
    unsafe base?.deallocate()
  }

  /// The memory, which is the caller's then; the queue has none.
  @unsafe
  mutating func takeMemory() -> UnsafeMutableRawPointer? {
    defer {
      unsafe base = nil
      capacity = 0
      head = 0
      tail = 0
    }
    return unsafe base
  }

  /// Bytes in the queue.
  public var count: Int { tail - head }

  /// Whether the queue holds nothing.
  public var isEmpty: Bool { tail == head }

  /// The bytes in the queue.
  public var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      let start = unsafe base.map { unsafe UnsafeRawPointer($0 + head) }
      let buffer = unsafe UnsafeRawBufferPointer(start: start, count: count)
      return unsafe _overrideLifetime(buffer.bytes, borrowing: self)
    }
  }

  /// The bytes at `offset` ..< `offset + length`, as memory to name in an operation. Valid until
  /// the next append or removal of everything.
  @unsafe
  public func slice(at offset: Int, length: Int) -> MemorySlice {
    precondition(offset >= 0 && length >= 0 && offset + length <= count)
    guard let base = unsafe base else { return MemorySlice() }
    return unsafe MemorySlice(
      baseAddress: UnsafeRawPointer(base + head + offset), count: length)
  }

  /// Makes room for `additional` more bytes. O(count) when the memory has to move.
  public mutating func reserve(_ additional: Int) {
    precondition(additional >= 0)
    if capacity - tail >= additional { return }
    moveOrGrow(additional)
  }

  /// Moves the bytes to memory of `wanted` bytes, or of just as many as there are if that is more;
  /// none is kept for none. O(count).
  public mutating func setCapacity(_ wanted: Int) {
    let length = count
    let size = max(wanted, length)
    if size == capacity { return }
    var moved: UnsafeMutableRawPointer?
    if size > 0 {
      let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
      if let base = unsafe base {
        unsafe memory.copyMemory(from: base + head, byteCount: length)
      }
      unsafe moved = memory
    }
    unsafe base?.deallocate()
    unsafe base = moved
    capacity = size
    head = 0
    tail = length
  }

  /// Makes room for `additional` more bytes within the memory that is held, if it has as much:
  /// O(count) when the bytes have to move to the front.
  public mutating func reserveWithin(_ additional: Int) {
    guard capacity - tail < additional, head > 0, let base = unsafe base else { return }
    unsafe base.copyMemory(from: base + head, byteCount: count)
    tail -= head
    head = 0
  }

  private mutating func moveOrGrow(_ additional: Int) {
    let length = count
    if let base = unsafe base, head >= additional, head >= capacity / 2 {
      unsafe base.copyMemory(from: base + head, byteCount: length)
    } else {
      let wanted = max(length + additional, capacity * 2, 64)
      let grown = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
      if let base = unsafe base {
        unsafe grown.copyMemory(from: base + head, byteCount: length)
        unsafe base.deallocate()
      }
      unsafe base = grown
      capacity = wanted
    }
    head = 0
    tail = length
  }

  /// Appends bytes.
  public mutating func append(_ bytes: RawSpan) {
    let length = bytes.byteCount
    if length == 0 { return }
    reserve(length)
    let end = tail
    unsafe bytes.withUnsafeBytes { source in
      if let base = unsafe base, let from = source.baseAddress {
        unsafe (base + end).copyMemory(from: from, byteCount: length)
      }
    }
    tail += length
  }

  /// Appends bytes of an array.
  public mutating func append(contentsOf array: [UInt8]) {
    unsafe append(array.span.bytes)
  }

  /// Appends the UTF-8 of a literal.
  public mutating func append(_ text: StaticString) {
    let buffer = unsafe UnsafeRawBufferPointer(
      start: text.utf8Start, count: text.utf8CodeUnitCount)
    unsafe append(buffer.bytes)
  }

  /// Appends one byte.
  public mutating func append(_ byte: UInt8) {
    reserve(1)
    if let base = unsafe base {
      unsafe base.storeBytes(of: byte, toByteOffset: tail, as: UInt8.self)
    }
    tail += 1
  }

  /// Appends a 16-bit number, most significant byte first.
  public mutating func appendBigEndian(_ value: UInt16) { appendRaw(value.bigEndian) }

  /// Appends a 32-bit number, most significant byte first.
  public mutating func appendBigEndian(_ value: UInt32) { appendRaw(value.bigEndian) }

  /// Appends a 32-bit number, least significant byte first.
  public mutating func appendLittleEndian(_ value: UInt32) { appendRaw(value.littleEndian) }

  /// Appends a 16-bit number, least significant byte first.
  public mutating func appendLittleEndian(_ value: UInt16) { appendRaw(value.littleEndian) }

  /// Appends a 64-bit number, least significant byte first.
  public mutating func appendLittleEndian(_ value: UInt64) { appendRaw(value.littleEndian) }

  private mutating func appendRaw<Value: BitwiseCopyable>(_ value: Value) {
    reserve(MemoryLayout<Value>.size)
    if let base = unsafe base {
      unsafe base.storeBytes(of: value, toByteOffset: tail, as: Value.self)
    }
    tail += MemoryLayout<Value>.size
  }

  /// Overwrites the byte at `offset` from the front.
  public mutating func overwrite(at offset: Int, with byte: UInt8) {
    precondition(offset >= 0 && offset < count)
    if let base = unsafe base {
      unsafe base.storeBytes(of: byte, toByteOffset: head + offset, as: UInt8.self)
    }
  }

  /// Overwrites four bytes at `offset` from the front, most significant first.
  public mutating func overwriteBigEndian(at offset: Int, with value: UInt32) {
    precondition(offset >= 0 && offset + 4 <= count)
    if let base = unsafe base {
      unsafe base.storeBytes(of: value.bigEndian, toByteOffset: head + offset, as: UInt32.self)
    }
  }

  /// Overwrites four bytes at `offset` from the front, least significant first.
  public mutating func overwriteLittleEndian(at offset: Int, with value: UInt32) {
    precondition(offset >= 0 && offset + 4 <= count)
    if let base = unsafe base {
      unsafe base.storeBytes(of: value.littleEndian, toByteOffset: head + offset, as: UInt32.self)
    }
  }

  /// Appends what `body` writes to the memory it is given, `maximum` bytes; it answers how many.
  @unsafe
  public mutating func append(
    atMost maximum: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int
  ) {
    reserve(maximum)
    guard let base = unsafe base, maximum > 0 else { return }
    let written = unsafe body(UnsafeMutableRawBufferPointer(start: base + tail, count: maximum))
    precondition(written >= 0 && written <= maximum)
    tail += written
  }

  /// Appends zeros.
  public mutating func appendZeros(_ length: Int) {
    unsafe append(atMost: length) { memory in
      unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
      return length
    }
  }

  /// Removes `length` bytes from the front.
  public mutating func removeFirst(_ length: Int) {
    precondition(length >= 0 && length <= count)
    head += length
    if head == tail {
      head = 0
      tail = 0
    }
  }

  /// Removes `length` bytes from the end.
  public mutating func removeLast(_ length: Int) {
    precondition(length >= 0 && length <= count)
    tail -= length
  }

  /// Empties the queue. Memory above `limit` bytes is given back.
  public mutating func removeAll(keepingCapacityUpTo limit: Int = .max) {
    head = 0
    tail = 0
    if capacity > limit {
      unsafe base?.deallocate()
      unsafe base = nil
      capacity = 0
    }
  }
}
