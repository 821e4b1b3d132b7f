internal import Bytes
internal import IOPort

/// The messages of one stream that are not yet framed: copied bytes, and memory by reference.
///
/// It lives in blocks of the session's slab: a node with its bytes behind it. A message is gRPC's
/// prefix (a flag 0 and the length, most significant byte first) and then its parts.
@safe
struct SendQueue: BitwiseCopyable {
  /// The tag of the pieces of a reference before the last one: the outbox releases it too, and
  /// callers ignore it.
  static let pieceTag = UInt32.max
  private static let prefixBytes = 5

  @safe
  private struct Node: BitwiseCopyable {
    var next: UnsafeMutablePointer<Node>?
    var start: UnsafeRawPointer?
    var count: Int
    var tag: UInt32
    var isReference: Bool
    var isPartlyFramed: Bool
  }

  /// A reference that left the queue before its last byte was framed.
  struct Abandoned: BitwiseCopyable {
    let tag: UInt32
    /// Whether the outbox still names a part of the memory.
    let isPartlyFramed: Bool
  }

  private var first: UnsafeMutablePointer<Node>?
  private var last: UnsafeMutablePointer<Node>?
  /// Bytes not yet framed.
  private(set) var byteCount = 0

  init() {
    unsafe first = nil
    unsafe last = nil
  }

  private mutating func appendNode(_ node: UnsafeMutablePointer<Node>) {
    if let last = unsafe last {
      unsafe last.pointee.next = node
    } else {
      unsafe first = node
    }
    unsafe last = node
    byteCount += unsafe node.pointee.count
  }

  /// A node with room for `count` bytes behind it, and where they begin.
  private static func makeNode(
    _ count: Int, in slab: Slab
  ) -> (node: UnsafeMutablePointer<Node>, bytes: UnsafeMutableRawPointer) {
    let stride = MemoryLayout<Node>.stride
    let memory = unsafe slab.allocateRaw(stride + count)
    let bytes = unsafe memory + stride
    let node = unsafe memory.bindMemory(to: Node.self, capacity: 1)
    unsafe node.initialize(
      to: Node(
        next: nil, start: UnsafeRawPointer(bytes), count: count, tag: 0, isReference: false,
        isPartlyFramed: false))
    return unsafe (node, bytes)
  }

  private static func storePrefix(_ messageBytes: Int, at address: UnsafeMutableRawPointer) {
    precondition(messageBytes <= Int(UInt32.max), "a gRPC message is below 4 GiB")
    unsafe address.storeBytes(of: 0, as: UInt8.self)
    unsafe address.storeBytes(
      of: UInt32(messageBytes).bigEndian, toByteOffset: 1, as: UInt32.self)
  }

  private static func copy(
    _ bytes: RawSpan, to address: UnsafeMutableRawPointer
  ) -> UnsafeMutableRawPointer {
    unsafe bytes.withUnsafeBytes { source in
      if let from = source.baseAddress {
        unsafe address.copyMemory(from: from, byteCount: source.count)
      }
    }
    return unsafe address + bytes.byteCount
  }

  /// Appends a message, copied: head, body and tail in one node.
  mutating func append(head: RawSpan, body: RawSpan, tail: RawSpan, in slab: Slab) {
    let count = head.byteCount + body.byteCount + tail.byteCount
    let made = unsafe Self.makeNode(Self.prefixBytes + count, in: slab)
    unsafe Self.storePrefix(count, at: made.bytes)
    var end = unsafe made.bytes + Self.prefixBytes
    unsafe end = Self.copy(head, to: end)
    unsafe end = Self.copy(body, to: end)
    unsafe end = Self.copy(tail, to: end)
    unsafe appendNode(made.node)
  }

  /// Appends a message whose body is memory of somebody else, which stays untouched until `tag`
  /// comes back.
  mutating func append(
    head: RawSpan, referencing body: MemorySlice, tag: UInt32, tail: RawSpan, in slab: Slab
  ) {
    let start = unsafe Self.makeNode(Self.prefixBytes + head.byteCount, in: slab)
    unsafe Self.storePrefix(
      head.byteCount + body.count + tail.byteCount, at: start.bytes)
    _ = unsafe Self.copy(head, to: start.bytes + Self.prefixBytes)
    unsafe appendNode(start.node)
    let middle = unsafe Self.makeNode(0, in: slab)
    unsafe middle.node.pointee.start = body.address
    unsafe middle.node.pointee.count = body.count
    unsafe middle.node.pointee.tag = tag
    unsafe middle.node.pointee.isReference = true
    unsafe appendNode(middle.node)
    guard tail.byteCount > 0 else { return }
    let end = unsafe Self.makeNode(tail.byteCount, in: slab)
    _ = unsafe Self.copy(tail, to: end.bytes)
    unsafe appendNode(end.node)
  }

  /// Moves the first `count` bytes, at most ``byteCount``, to the outbox as payload of a frame.
  mutating func frame(_ count: Int, to outbox: inout Outbox, in slab: Slab) {
    precondition(count <= byteCount)
    byteCount -= count
    var left = count
    while left > 0, let node = unsafe first {
      let available = unsafe node.pointee.count
      let taken = min(left, available)
      if let start = unsafe node.pointee.start {
        if unsafe node.pointee.isReference {
          let tag = unsafe taken == available ? node.pointee.tag : Self.pieceTag
          unsafe outbox.appendReference(MemorySlice(baseAddress: start, count: taken), tag: tag)
          unsafe node.pointee.isPartlyFramed = true
        } else {
          unsafe outbox.append(UnsafeRawBufferPointer(start: start, count: taken).bytes)
        }
        unsafe node.pointee.start = start + taken
      }
      unsafe node.pointee.count = available - taken
      left -= taken
      if taken == available { removeFirstNode(in: slab) }
    }
  }

  private mutating func removeFirstNode(in slab: Slab) {
    guard let node = unsafe first else { return }
    unsafe first = node.pointee.next
    if unsafe first == nil { unsafe last = nil }
    unsafe slab.freeRaw(UnsafeMutableRawPointer(node))
  }

  /// Forgets everything up to the next reference, which comes back. nil once nothing is left.
  mutating func abandonNext(in slab: Slab) -> Abandoned? {
    while let node = unsafe first {
      let abandoned: Abandoned? =
        if unsafe node.pointee.isReference {
          unsafe Abandoned(tag: node.pointee.tag, isPartlyFramed: node.pointee.isPartlyFramed)
        } else { nil }
      byteCount -= unsafe node.pointee.count
      removeFirstNode(in: slab)
      if let abandoned { return abandoned }
    }
    return nil
  }

  /// Forgets everything, references as well.
  mutating func removeAll(in slab: Slab) {
    while abandonNext(in: slab) != nil {}
  }
}
