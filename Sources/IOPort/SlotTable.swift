/// A table of a fixed number of places, each empty or holding one value; O(1) insert and remove.
///
/// Memory for all places is reserved at once but touched only when used.
@safe
public struct SlotTable<Element: ~Copyable>: ~Copyable {
  @usableFromInline let elements: UnsafeMutablePointer<Element>
  /// Generation of each place shifted left by one; the lowest bit says whether it is in use.
  @usableFromInline let marks: UnsafeMutablePointer<UInt32>
  private let nextFree: UnsafeMutablePointer<UInt32>
  private var freeHead: UInt32
  private var touched = 0
  /// Places in all.
  public let capacity: Int
  /// Places in use.
  public private(set) var count = 0

  private static var none: UInt32 { .max }

  /// A table of `capacity` empty places, at most 2^24.
  public init(capacity: Int) {
    precondition(capacity > 0 && capacity <= 1 << 24)
    self.capacity = capacity
    unsafe elements = .allocate(capacity: capacity)
    unsafe marks = .allocate(capacity: capacity)
    unsafe nextFree = .allocate(capacity: capacity)
    freeHead = Self.none
  }

  deinit {
    for index in 0..<touched where unsafe marks[index] & 1 == 1 {
      unsafe (elements + index).deinitialize(count: 1)
    }
    unsafe elements.deallocate()
    unsafe marks.deallocate()
    unsafe nextFree.deallocate()
  }

  /// Whether every place is in use.
  public var isFull: Bool { count == capacity }

  /// Every place ever used lies below this index; for walks over all tenants.
  public var upperBound: Int { touched }

  /// Puts a value into an empty place. The table must not be full.
  public mutating func insert(_ element: consuming Element) -> SlotID {
    precondition(!isFull, "slot table is full")
    let index: Int
    if freeHead != Self.none {
      index = Int(freeHead)
      freeHead = unsafe nextFree[index]
    } else {
      index = touched
      touched += 1
      unsafe (marks + index).initialize(to: 0)
      unsafe (nextFree + index).initialize(to: Self.none)
    }
    let generation = unsafe ((marks[index] >> 1) &+ 1) & 0xff_ffff
    unsafe marks[index] = generation << 1 | 1
    unsafe (elements + index).initialize(to: element)
    count += 1
    return SlotID(index: UInt32(index), generation: generation)
  }

  /// Whether the tenant is still there.
  @inlinable
  public func contains(_ id: SlotID) -> Bool {
    guard Int(id.index) < upperBound else { return false }
    return unsafe marks[Int(id.index)] == id.generation << 1 | 1
  }

  /// The tenant of a place, if any.
  public func tenant(at index: Int) -> SlotID? {
    guard index < touched, unsafe marks[index] & 1 == 1 else { return nil }
    return SlotID(index: UInt32(index), generation: unsafe marks[index] >> 1)
  }

  /// The value of a tenant that is there.
  @inlinable
  public subscript(id: SlotID) -> Element {
    // Accessor coroutines: values that can't be copied are looked at and changed in place.
    _read {
      precondition(contains(id), "no such tenant")
      yield unsafe elements[Int(id.index)]
    }
    _modify {
      precondition(contains(id), "no such tenant")
      yield unsafe &elements[Int(id.index)]
    }
  }

  /// Takes the value out; the place is empty then, and the id never valid again.
  public mutating func remove(_ id: SlotID) -> Element {
    precondition(contains(id), "no such tenant")
    let index = Int(id.index)
    unsafe marks[index] = id.generation << 1
    unsafe nextFree[index] = freeHead
    freeHead = id.index
    count -= 1
    return unsafe (elements + index).move()
  }
}
