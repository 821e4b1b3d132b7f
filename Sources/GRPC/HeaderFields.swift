internal import CNGHTTP2

/// A list of header fields in memory of its own.
///
/// The library does not copy the fields of a list that is `isStable`: it must outlive the session.
@safe
struct HeaderFields: ~Copyable {
  private let fields: UnsafeMutablePointer<nghttp2_nv>
  private let capacity: Int
  private(set) var count = 0
  /// Copies of texts that were made at run time.
  private var texts: [UnsafeMutablePointer<UInt8>]

  private let flags: UInt8

  /// A list of at most `capacity` fields.
  init(capacity: Int, isStable: Bool) {
    flags = isStable ? UInt8(CNGHTTP2_NV_NO_COPY) : 0
    self.capacity = capacity
    unsafe fields = .allocate(capacity: capacity)
    unsafe texts = []
  }

  deinit {
    for index in unsafe texts.indices { unsafe texts[index].deallocate() }
    unsafe fields.deallocate()
  }

  private static func pointer(_ text: StaticString) -> UnsafeMutablePointer<UInt8> {
    // The library's type is not const; it only reads.
    unsafe UnsafeMutablePointer(mutating: text.utf8Start)
  }

  /// Appends a field of literals.
  mutating func append(_ name: StaticString, _ value: StaticString) {
    unsafe append(
      Self.pointer(name), name.utf8CodeUnitCount, Self.pointer(value), value.utf8CodeUnitCount)
  }

  /// Appends a field with a value of run time, copied into memory of the list.
  mutating func append(_ name: StaticString, _ value: RawSpan) {
    let copy = unsafe copy(value)
    unsafe append(Self.pointer(name), name.utf8CodeUnitCount, copy, value.byteCount)
  }

  /// Appends a field with the bytes of a block, copied into memory of the list; no field if there
  /// is no block.
  mutating func append(_ name: StaticString, _ value: ReceivedMessage) {
    guard let block = value.block else { return }
    unsafe append(name, block.bytes(value.count).bytes)
  }

  /// Appends a field of run time, copied into memory of the list.
  mutating func append(name: RawSpan, _ value: RawSpan) {
    let nameCopy = unsafe copy(name)
    let copy = unsafe copy(value)
    unsafe append(nameCopy, name.byteCount, copy, value.byteCount)
  }

  private mutating func copy(_ bytes: RawSpan) -> UnsafeMutablePointer<UInt8> {
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: max(bytes.byteCount, 1))
    for offset in 0..<bytes.byteCount { unsafe memory[offset] = bytes.byte(at: offset) }
    unsafe texts.append(memory)
    return unsafe memory
  }

  private mutating func append(
    _ name: UnsafeMutablePointer<UInt8>, _ nameCount: Int, _ value: UnsafeMutablePointer<UInt8>,
    _ valueCount: Int
  ) {
    precondition(count < capacity)
    unsafe (fields + count).initialize(
      to: nghttp2_nv(
        name: name, value: value, namelen: nameCount, valuelen: valueCount,
        flags: flags))
    count += 1
  }

  /// Replaces the value of the field at `index` by a literal.
  func setValue(at index: Int, _ value: StaticString) {
    precondition(index >= 0 && index < count)
    unsafe fields[index].value = Self.pointer(value)
    unsafe fields[index].valuelen = value.utf8CodeUnitCount
  }

  /// The fields from `index` on, for the library; valid as long as the list.
  @unsafe
  func address(of index: Int) -> UnsafeMutablePointer<nghttp2_nv> {
    precondition(index >= 0 && index < count)
    return unsafe fields + index
  }
}
