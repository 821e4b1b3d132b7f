/// Memory of byte queues that are done, kept for the next ones: whoever needs such memory again and
/// again asks the C heap for none of it in steady state.
///
/// Queues come in sizes of their own, at most an eighth above what was asked for (small ones
/// double), so that the memory of one fits the next. Free memory is linked through its own first
/// bytes.
@safe
public struct SpareMemory: ~Copyable {
  /// The largest size that is kept, bytes.
  public static let mostBytes = 1 << 20

  /// 64, 128 … 4,096 bytes, then eight steps to each doubling.
  private static let doublings = 7
  private static let stepsPerDoubling = 8
  private static let sizeCount = doublings + 8 * stepsPerDoubling
  /// Sizes up to this one are made several at a time, up to so many bytes.
  private static let severalUpToBytes = 4 << 10
  private static let severalBytes = 256 << 10

  /// Free memory of one size.
  @unsafe
  private struct Size {
    var first: UnsafeMutableRawPointer?
    var count = 0
    /// The fewest that were free since the last `age`: nobody needed those.
    var fewest = 0
    /// How often there was none since the last `age`.
    var misses = 0
  }

  private let sizes: UnsafeMutablePointer<Size>
  /// Bytes of memory that is free.
  public private(set) var heldBytes = 0

  /// Nothing is kept yet.
  public init() {
    unsafe sizes = .allocate(capacity: Self.sizeCount)
    unsafe sizes.initialize(repeating: Size(), count: Self.sizeCount)
  }

  deinit {
    for index in 0..<Self.sizeCount {
      while let memory = unsafe sizes[index].first {
        unsafe sizes[index].first = unsafe memory.load(as: UnsafeMutableRawPointer?.self)
        unsafe memory.deallocate()
      }
    }
    unsafe sizes.deallocate()
  }

  /// The place of the smallest size of at least `byteCount`; nil above the largest one.
  private static func place(of byteCount: Int) -> Int? {
    guard byteCount <= mostBytes else { return nil }
    if byteCount <= 64 { return 0 }
    let power = Int.bitWidth - (byteCount - 1).leadingZeroBitCount
    if power <= 12 { return power - 6 }
    let step = 1 << (power - 4)
    let base = 1 << (power - 1)
    return doublings + (power - 13) * stepsPerDoubling + (byteCount - base - 1) / step
  }

  private static func bytes(at place: Int) -> Int {
    if place < doublings { return 64 << place }
    let (doubling, step) = (place - doublings).quotientAndRemainder(dividingBy: stepsPerDoubling)
    return (4_096 << doubling) + (step + 1) * (512 << doubling)
  }

  /// The capacity of a queue for `byteCount` bytes.
  public static func capacity(for byteCount: Int) -> Int {
    place(of: byteCount).map(bytes(at:)) ?? byteCount
  }

  /// An empty queue with `capacity(for: byteCount)`.
  public mutating func take(_ byteCount: Int) -> GrowableBytes {
    guard let place = Self.place(of: byteCount) else { return GrowableBytes(capacity: byteCount) }
    if unsafe sizes[place].first == nil { make(place) }
    guard let memory = unsafe sizes[place].first else { preconditionFailure("it was made") }
    unsafe sizes[place].first = unsafe memory.load(as: UnsafeMutableRawPointer?.self)
    unsafe sizes[place].count -= 1
    unsafe sizes[place].fewest = unsafe min(sizes[place].fewest, sizes[place].count)
    heldBytes -= Self.bytes(at: place)
    return unsafe GrowableBytes(memory: memory, capacity: Self.bytes(at: place))
  }

  /// Makes free memory where there is none. Of small sizes twice as many each time: how many are
  /// needed at once varies, and this ends soon with a few too many.
  private mutating func make(_ place: Int) {
    let bytes = Self.bytes(at: place)
    let misses = unsafe sizes[place].misses
    unsafe sizes[place].misses += 1
    let several = min(1 << min(misses, 12), Self.severalBytes / bytes)
    let count = bytes > Self.severalUpToBytes ? 1 : several
    for _ in 0..<count { unsafe put(.allocate(byteCount: bytes, alignment: 16), at: place) }
  }

  private mutating func put(_ memory: UnsafeMutableRawPointer, at place: Int) {
    unsafe memory.storeBytes(of: sizes[place].first, as: UnsafeMutableRawPointer?.self)
    unsafe sizes[place].first = unsafe memory
    unsafe sizes[place].count += 1
    heldBytes += Self.bytes(at: place)
  }

  /// Keeps a queue's memory, unless more than `limitBytes` would be free then.
  public mutating func giveBack(_ queue: consuming GrowableBytes, limitBytes: Int) {
    // Memory of another size was not taken here.
    guard let place = Self.place(of: queue.capacity), Self.bytes(at: place) == queue.capacity,
      heldBytes + queue.capacity <= limitBytes, let memory = unsafe queue.takeMemory()
    else { return }
    unsafe put(memory, at: place)
  }

  /// Gives back to the C heap half of what nobody needed since this was called last.
  public mutating func age() {
    for place in 0..<Self.sizeCount {
      let unused = unsafe sizes[place].fewest
      for _ in 0..<(unused + 1) / 2 { free(place) }
      unsafe sizes[place].fewest = unsafe sizes[place].count
      unsafe sizes[place].misses = 0
    }
  }

  /// Gives back memory to the C heap, large sizes first, until no more than `limitBytes` are free.
  public mutating func shrink(to limitBytes: Int) {
    var place = Self.sizeCount - 1
    while heldBytes > limitBytes, place >= 0 {
      if unsafe sizes[place].count > 0 { free(place) } else { place -= 1 }
    }
  }

  private mutating func free(_ place: Int) {
    guard let memory = unsafe sizes[place].first else { return }
    unsafe sizes[place].first = unsafe memory.load(as: UnsafeMutableRawPointer?.self)
    unsafe sizes[place].count -= 1
    unsafe sizes[place].fewest = unsafe min(sizes[place].fewest, sizes[place].count)
    heldBytes -= Self.bytes(at: place)
    unsafe memory.deallocate()
  }
}
