internal import CNGHTTP2

/// The memory of one session: blocks in size classes that are kept when they are freed, so that a
/// session in steady state asks the C heap for nothing.
///
/// Classes are 32, 48, 64, 96 … 32,768 bytes, a 16-byte header included that holds the class. Small
/// classes are cut from chunks of 8 KiB, larger ones are taken one by one. A block above the
/// largest class goes to the C heap and back. It is a handle: its owner calls ``destroy()``.
@safe
struct Slab: BitwiseCopyable {
  private static let headerBytes = 16
  private static let smallestLog2 = 5
  private static let classCount = 21
  private static let largestBytes = 1 << 15
  private static let chunkBytes = 8 * 1024
  /// The class number in the header of a block that came from the C heap.
  private static let heapClass = Int.max

  private struct Header: BitwiseCopyable {
    var classIndex: Int
    /// Bytes the block's user may use.
    var capacity: Int
  }

  @safe
  private struct Body {
    /// Heads of the lists of free blocks; a free block's first word after the header is the next.
    var free: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    /// The chunks; a chunk's first word is the next.
    var chunks: UnsafeMutableRawPointer?
    var heapCallCount = 0
    var heldBytes = 0
    var heapBlockCount = 0
    var blockCount = 0
  }

  private let body: UnsafeMutablePointer<Body>

  init() {
    let free = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: Self.classCount)
    unsafe free.initialize(repeating: nil, count: Self.classCount)
    unsafe body = .allocate(capacity: 1)
    unsafe body.initialize(to: Body(free: free))
  }

  /// Gives all memory back. Blocks above the largest class must have been freed before.
  func destroy() {
    assert(unsafe body.pointee.heapBlockCount == 0, "a block from the C heap was leaked")
    var next = unsafe body.pointee.chunks
    while let chunk = unsafe next {
      unsafe next = chunk.load(as: UnsafeMutableRawPointer?.self)
      unsafe chunk.deallocate()
    }
    unsafe body.pointee.free.deallocate()
    unsafe body.deallocate()
  }

  /// Calls to the C heap so far: allocations and releases.
  var heapCallCount: Int { unsafe body.pointee.heapCallCount }
  /// Bytes held from the C heap, used and free together.
  var heldBytes: Int { unsafe body.pointee.heldBytes }
  /// Blocks handed out.
  var blockCount: Int { unsafe body.pointee.blockCount }

  private static func classIndex(forTotal total: Int) -> Int {
    // 2^(log - 1) < total <= 2^log, and a class lies half way between.
    let log = Int.bitWidth - (total - 1).leadingZeroBitCount
    let power = 2 * (log - smallestLog2)
    return total <= 3 << (log - 2) ? power - 1 : power
  }

  private static func blockBytes(ofClass index: Int) -> Int {
    let log = (index + 1) / 2 + smallestLog2
    return index & 1 == 1 ? 3 << (log - 2) : 1 << log
  }

  /// A block of at least `byteCount` bytes, aligned to 16.
  @unsafe
  func allocateRaw(_ byteCount: Int) -> UnsafeMutableRawPointer {
    let total = max(byteCount + Self.headerBytes, 1 << Self.smallestLog2)
    unsafe body.pointee.blockCount += 1
    guard total <= Self.largestBytes else { return unsafe allocateFromHeap(total) }
    let index = Self.classIndex(forTotal: total)
    if unsafe body.pointee.free[index] == nil { refill(index) }
    guard let block = unsafe body.pointee.free[index] else {
      return unsafe allocateFromHeap(total)
    }
    unsafe body.pointee.free[index] = block.load(
      fromByteOffset: Self.headerBytes, as: UnsafeMutableRawPointer?.self)
    return unsafe block + Self.headerBytes
  }

  private func allocateFromHeap(_ total: Int) -> UnsafeMutableRawPointer {
    let block = UnsafeMutableRawPointer.allocate(byteCount: total, alignment: 16)
    unsafe block.storeBytes(
      of: Header(classIndex: Self.heapClass, capacity: total - Self.headerBytes), as: Header.self)
    unsafe body.pointee.heapCallCount += 1
    unsafe body.pointee.heapBlockCount += 1
    unsafe body.pointee.heldBytes += total
    return unsafe block + Self.headerBytes
  }

  private func refill(_ index: Int) {
    let size = Self.blockBytes(ofClass: index)
    let count = max(1, Self.chunkBytes / size)
    let bytes = Self.headerBytes + count * size
    let chunk = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
    unsafe chunk.storeBytes(of: body.pointee.chunks, as: UnsafeMutableRawPointer?.self)
    unsafe body.pointee.chunks = chunk
    unsafe body.pointee.heapCallCount += 1
    unsafe body.pointee.heldBytes += bytes
    for number in 0..<count {
      let block = unsafe chunk + Self.headerBytes + number * size
      unsafe block.storeBytes(
        of: Header(classIndex: index, capacity: size - Self.headerBytes), as: Header.self)
      unsafe link(block, into: index)
    }
  }

  private func link(_ block: UnsafeMutableRawPointer, into index: Int) {
    unsafe block.storeBytes(
      of: body.pointee.free[index], toByteOffset: Self.headerBytes,
      as: UnsafeMutableRawPointer?.self)
    unsafe body.pointee.free[index] = block
  }

  /// Takes a block back.
  @unsafe
  func freeRaw(_ address: UnsafeMutableRawPointer) {
    let block = unsafe address - Self.headerBytes
    let header = unsafe block.load(as: Header.self)
    unsafe body.pointee.blockCount -= 1
    if header.classIndex == Self.heapClass {
      unsafe body.pointee.heapCallCount += 1
      unsafe body.pointee.heapBlockCount -= 1
      unsafe body.pointee.heldBytes -= header.capacity + Self.headerBytes
      unsafe block.deallocate()
    } else {
      unsafe link(block, into: header.classIndex)
    }
  }

  /// Bytes that the block's user may use.
  @unsafe
  func capacity(ofRaw address: UnsafeMutableRawPointer) -> Int {
    unsafe (address - Self.headerBytes).load(as: Header.self).capacity
  }

  private func reallocateRaw(
    _ address: UnsafeMutableRawPointer, _ byteCount: Int
  ) -> UnsafeMutableRawPointer {
    let capacity = unsafe capacity(ofRaw: address)
    if byteCount <= capacity { return unsafe address }
    let grown = unsafe allocateRaw(byteCount)
    unsafe grown.copyMemory(from: address, byteCount: capacity)
    unsafe freeRaw(address)
    return unsafe grown
  }

  /// What nghttp2 allocates through; valid as long as the slab.
  @unsafe
  var allocator: nghttp2_mem {
    unsafe nghttp2_mem(
      mem_user_data: UnsafeMutableRawPointer(body),
      malloc: { size, user in
        guard let slab = unsafe Slab(user: user) else { return nil }
        return unsafe slab.allocateRaw(size)
      },
      free: { address, user in
        guard let address = unsafe address, let slab = unsafe Slab(user: user) else { return }
        unsafe slab.freeRaw(address)
      },
      calloc: { count, size, user in
        let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
        guard !overflow, let slab = unsafe Slab(user: user) else { return nil }
        let address = unsafe slab.allocateRaw(bytes)
        unsafe address.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        return unsafe address
      },
      realloc: { address, size, user in
        guard let slab = unsafe Slab(user: user) else { return nil }
        guard let address = unsafe address else { return unsafe slab.allocateRaw(size) }
        return unsafe slab.reallocateRaw(address, size)
      })
  }

  private init?(user: UnsafeMutableRawPointer?) {
    guard let user = unsafe user else { return nil }
    unsafe body = user.assumingMemoryBound(to: Body.self)
  }
}
