import Bytes
import CLinux
import IOPort

/// Buffers among which the kernel chooses when bytes arrive (IORING_REGISTER_PBUF_RING).
///
/// The kernel takes them in turn, so every buffer it was given gets touched sooner or later. It is
/// therefore given few at first and more whenever it ran short: memory follows the need.
@safe
struct BufferPool: ~Copyable {
  private let ring: UnsafeMutablePointer<io_uring_buf_ring>
  private let base: UnsafeMutableRawPointer
  private let ringBytes: Int
  private let memoryBytes: Int
  /// Bytes of one buffer.
  let bufferBytes: Int
  /// Buffers in all, a power of two.
  let count: Int
  /// Buffers 0 ..< `publishedCount` were given to the kernel at least once.
  private(set) var publishedCount = 0
  /// Buffers the owner of the port holds now.
  private(set) var heldCount = 0

  private static let firstCount = 16

  /// Maps memory for the buffers; nil when there is none.
  init?(count wanted: Int, bufferBytes: Int) {
    precondition(wanted > 0 && bufferBytes > 0, "a port needs buffers")
    var count = 1
    while count < min(wanted, 32_768) { count *= 2 }
    self.count = count
    self.bufferBytes = bufferBytes
    ringBytes = count * MemoryLayout<io_uring_buf>.stride
    memoryBytes = count * bufferBytes
    guard let ringMemory = unsafe clinux_map_anonymous(ringBytes) else { return nil }
    guard let memory = unsafe clinux_map_anonymous(memoryBytes) else {
      unsafe munmap(ringMemory, ringBytes)
      return nil
    }
    unsafe ring = unsafe ringMemory.assumingMemoryBound(to: io_uring_buf_ring.self)
    unsafe base = unsafe memory
    unsafe io_uring_buf_ring_init(ring)
  }

  deinit {
    unsafe munmap(UnsafeMutableRawPointer(ring), ringBytes)
    unsafe munmap(base, memoryBytes)
  }

  /// Where the list of buffers lies, for the registration.
  var ringAddress: UInt64 { unsafe UInt64(UInt(bitPattern: ring)) }

  /// Whether the kernel has buffers to fill, as far as the completions taken so far tell.
  var hasFree: Bool { heldCount < publishedCount }

  /// Gives the kernel as many new buffers as it has; false when it has them all.
  mutating func publishMore() -> Bool {
    guard publishedCount < count else { return false }
    let end = min(count, max(Self.firstCount, publishedCount * 2))
    for index in publishedCount..<end { give(index) }
    publishedCount = end
    return true
  }

  private func give(_ index: Int) {
    unsafe io_uring_buf_ring_add(
      ring, base + index * bufferBytes, UInt32(bufferBytes), UInt16(index),
      io_uring_buf_ring_mask(UInt32(count)), 0)
    unsafe io_uring_buf_ring_advance(ring, 1)
  }

  /// The first `byteCount` bytes of a buffer that the kernel filled.
  mutating func received(_ index: UInt32, byteCount: Int) -> ReceivedBytes {
    precondition(Int(index) < publishedCount && byteCount <= bufferBytes)
    heldCount += 1
    let memory = unsafe MemorySlice(
      baseAddress: UnsafeRawPointer(base + Int(index) * bufferBytes), count: byteCount)
    return unsafe ReceivedBytes(memory: memory, bufferIndex: index)
  }

  /// Gives a received buffer back to the kernel.
  mutating func recycle(_ index: UInt32) {
    precondition(Int(index) < publishedCount && heldCount > 0, "a buffer is given back once")
    heldCount -= 1
    give(Int(index))
  }

  /// Gives back a buffer that the kernel named but that holds nothing.
  mutating func giveBackUnused(_ index: UInt32) {
    precondition(Int(index) < publishedCount)
    give(Int(index))
  }
}
