/// A block of memory out of a ``MemoryArena``: its size is a power of two.
@safe
public struct MemoryBlock: BitwiseCopyable, @unchecked Sendable {
  /// The first byte. The block is valid from `allocate` until `free`.
  @usableFromInline let base: UnsafeMutableRawPointer
  /// The exponent of the size.
  @usableFromInline let sizeLog2: UInt8

  init(base: UnsafeMutableRawPointer, sizeLog2: UInt8) {
    unsafe self.base = unsafe base
    self.sizeLog2 = sizeLog2
  }

  /// Size in bytes.
  @inlinable public var byteCount: Int { 1 << Int(sizeLog2) }

  /// The raw address; using it after `free` is an error.
  @inlinable
  @unsafe
  public var address: UnsafeMutableRawPointer { unsafe base }
}

/// Hands out power-of-two blocks of 256 B to 8 MiB within one byte budget.
///
/// Freed blocks are kept for the next request of the same size, so that steady state asks the C
/// heap for nothing; when the budget is reached, kept blocks of other sizes are given back first.
@safe
public struct MemoryArena: ~Copyable {
  static let smallestLog2 = 8
  static let largestLog2 = 23
  /// The most bytes ever held, used and kept together.
  public let budgetBytes: Int
  /// Bytes in blocks that are handed out.
  public private(set) var usedBytes = 0
  /// Bytes in blocks that wait for the next request.
  public private(set) var keptBytes = 0
  /// Heads of the lists of kept blocks, one a size; a kept block's first word is the next one.
  private var kept: [UnsafeMutableRawPointer?]
  /// How often there was no kept block of each size.
  private var misses: [Int]
  private static let aheadBytes = 256 << 10

  /// The largest block there is, in bytes.
  public static var largestBlockBytes: Int { 1 << largestLog2 }

  /// An arena that never holds more than `budgetBytes`.
  public init(budgetBytes: Int) {
    self.budgetBytes = budgetBytes
    let sizeCount = Self.largestLog2 - Self.smallestLog2 + 1
    unsafe kept = Array(repeating: nil, count: sizeCount)
    misses = Array(repeating: 0, count: sizeCount)
  }

  deinit {
    for index in unsafe kept.indices {
      var next = unsafe kept[index]
      while let block = unsafe next {
        unsafe next = block.load(as: UnsafeMutableRawPointer?.self)
        unsafe block.deallocate()
      }
    }
  }

  /// The size of the block that `allocate` gives for `byteCount` bytes; nil beyond the largest.
  public static func blockBytes(for byteCount: Int) -> Int? {
    byteCount > largestBlockBytes ? nil : 1 << log2(ofBlockFor: byteCount)
  }

  private static func log2(ofBlockFor byteCount: Int) -> Int {
    var log2 = smallestLog2
    while (1 << log2) < byteCount { log2 += 1 }
    return log2
  }

  /// A block of at least `byteCount` bytes; nil when the budget does not allow it or when it is
  /// larger than the largest block. While no more than half of the budget is in use, a kept block
  /// of up to `atMostBytes` serves where none of the size is kept: how many of each size are
  /// needed at once varies more than how many of all.
  public mutating func allocate(byteCount: Int, atMostBytes: Int = 0) -> MemoryBlock? {
    precondition(byteCount >= 0)
    guard byteCount <= Self.largestBlockBytes else { return nil }
    let log2 = Self.log2(ofBlockFor: byteCount)
    if let block = takeKept(log2) { return block }
    var larger = log2 + 1
    while larger <= Self.largestLog2, 1 << larger <= atMostBytes,
      usedBytes + (1 << larger) <= budgetBytes / 2
    {
      if let block = takeKept(larger) { return block }
      larger += 1
    }
    let size = 1 << log2
    guard usedBytes + size <= budgetBytes else { return nil }
    giveBack(untilFree: size)
    usedBytes += size
    keepSome(log2)
    let fresh = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
    return unsafe MemoryBlock(base: fresh, sizeLog2: UInt8(log2))
  }

  /// Makes blocks ahead where none was kept, more each time, up to 256 KiB and within a quarter of
  /// the budget: how many are needed at once varies, and misses end soon with a few too many.
  private mutating func keepSome(_ log2: Int) {
    let index = log2 - Self.smallestLog2
    let size = 1 << log2
    for _ in 0..<min((1 << min(misses[index], 10)) - 1, Self.aheadBytes >> log2) {
      guard usedBytes + keptBytes + size <= budgetBytes / 4 else { break }
      unsafe keep(.allocate(byteCount: size, alignment: 16), index)
    }
    misses[index] += 1
  }

  private mutating func keep(_ block: UnsafeMutableRawPointer, _ index: Int) {
    unsafe block.storeBytes(of: kept[index], as: UnsafeMutableRawPointer?.self)
    unsafe kept[index] = block
    keptBytes += 1 << (index + Self.smallestLog2)
  }

  private mutating func takeKept(_ log2: Int) -> MemoryBlock? {
    let index = log2 - Self.smallestLog2
    guard let block = unsafe kept[index] else { return nil }
    unsafe kept[index] = block.load(as: UnsafeMutableRawPointer?.self)
    keptBytes -= 1 << log2
    usedBytes += 1 << log2
    return unsafe MemoryBlock(base: block, sizeLog2: UInt8(log2))
  }

  /// Takes a block back.
  public mutating func free(_ block: MemoryBlock) {
    usedBytes -= block.byteCount
    unsafe keep(block.base, Int(block.sizeLog2) - Self.smallestLog2)
  }

  /// Gives every kept block back to the C heap.
  public mutating func trim() {
    giveBack(untilFree: budgetBytes)
  }

  private mutating func giveBack(untilFree size: Int) {
    var index = unsafe kept.count - 1
    while index >= 0 && usedBytes + keptBytes + size > budgetBytes {
      if let block = unsafe kept[index] {
        unsafe kept[index] = block.load(as: UnsafeMutableRawPointer?.self)
        keptBytes -= 1 << (index + Self.smallestLog2)
        unsafe block.deallocate()
      } else {
        index -= 1
      }
    }
  }
}
