internal import Bytes

/// A block out of a ``Slab``, for one message, path or text. Whoever holds it frees it, once.
@safe
struct SlabBlock: BitwiseCopyable {
  private let address: UnsafeMutableRawPointer
  /// Bytes of room.
  let capacity: Int

  /// A block with room for at least `byteCount` bytes.
  init(byteCount: Int, in slab: Slab) {
    unsafe address = slab.allocateRaw(byteCount)
    capacity = unsafe slab.capacity(ofRaw: address)
  }

  /// A block with a copy of `bytes`.
  init(copying bytes: RawSpan, in slab: Slab) {
    self.init(byteCount: bytes.byteCount, in: slab)
    copy(bytes, at: 0)
  }

  /// Gives the block back.
  func free(in slab: Slab) {
    unsafe slab.freeRaw(address)
  }

  /// Writes `bytes` at `offset`.
  func copy(_ bytes: RawSpan, at offset: Int) {
    precondition(offset >= 0 && offset + bytes.byteCount <= capacity)
    unsafe bytes.withUnsafeBytes { source in
      if let from = source.baseAddress {
        unsafe (address + offset).copyMemory(from: from, byteCount: source.count)
      }
    }
  }

  /// Copies the first `count` bytes to the start of another block.
  func copyContents(_ count: Int, to other: SlabBlock) {
    precondition(count >= 0 && count <= capacity && count <= other.capacity)
    unsafe other.address.copyMemory(from: address, byteCount: count)
  }

  /// Writes one byte at `offset`.
  func store(_ byte: UInt8, at offset: Int) {
    precondition(offset >= 0 && offset < capacity)
    unsafe address.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
  }

  /// Whether the block begins with the bytes of `text`.
  func starts(with text: String) -> Bool {
    let count = text.utf8.count
    guard count <= capacity else { return false }
    return unsafe bytes(count).elementsEqual(text.utf8)
  }

  /// The first `count` bytes. The caller ties them to the block's owner.
  @unsafe
  func bytes(_ count: Int) -> UnsafeRawBufferPointer {
    precondition(count >= 0 && count <= capacity)
    return unsafe UnsafeRawBufferPointer(start: UnsafeRawPointer(address), count: count)
  }
}
