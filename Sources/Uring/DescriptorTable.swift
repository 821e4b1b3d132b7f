import IOPort

/// The sockets, files and directories of a port: what a ``Descriptor`` stands for.
///
/// A descriptor's number is a place here (20 bits) and a count of its tenants (11 bits), not the
/// kernel's number, which is given away again at once: a late use of a closed one is recognised.
struct DescriptorTable: ~Copyable {
  /// One open socket, file or directory.
  struct Entry: BitwiseCopyable {
    var fileDescriptor: Int32
    /// The token of the close that was asked for, while operations still end.
    var closeToken: Token?
    /// Whether a send is under way.
    var isSending = false
    /// Whether our direction is to be ended when the send is done.
    var endsAfterSend = false
    /// Whether it is a directory.
    var isDirectory = false
    /// Head of the list of operations under way.
    var operations = OperationTable.none
    fileprivate var isOpen = true
    fileprivate var generation: UInt32 = 0
    fileprivate var nextFree = OperationTable.none

    init(fileDescriptor: Int32) { self.fileDescriptor = fileDescriptor }
  }

  private static let placeBits: UInt32 = 20
  private var entries: [Entry] = []
  private var freeHead = OperationTable.none
  /// Open sockets.
  private(set) var count = 0

  init() {}

  /// The entry at a place that is in use.
  subscript(place: UInt32) -> Entry {
    get { entries[Int(place)] }
    set { entries[Int(place)] = newValue }
  }

  /// Adds a socket; nil when there are 2^20 already.
  mutating func insert(_ fileDescriptor: Int32) -> UInt32? {
    var entry = Entry(fileDescriptor: fileDescriptor)
    if freeHead != OperationTable.none {
      let place = freeHead
      freeHead = entries[Int(place)].nextFree
      entry.generation = (entries[Int(place)].generation &+ 1) & 0x7ff
      entries[Int(place)] = entry
      count += 1
      return place
    }
    guard entries.count < 1 << Self.placeBits else { return nil }
    entries.append(entry)
    count += 1
    return UInt32(entries.count - 1)
  }

  /// Forgets a socket.
  mutating func remove(_ place: UInt32) {
    entries[Int(place)].isOpen = false
    entries[Int(place)].nextFree = freeHead
    freeHead = place
    count -= 1
  }

  /// The name of a place for the port's owner.
  func descriptor(of place: UInt32) -> Descriptor {
    Descriptor(
      rawValue: Int32(entries[Int(place)].generation << Self.placeBits | place))
  }

  /// The place that a descriptor names; nil when it was closed.
  func place(of descriptor: Descriptor) -> UInt32? {
    guard descriptor.rawValue >= 0 else { return nil }
    let raw = UInt32(descriptor.rawValue)
    let place = raw & (1 << Self.placeBits - 1)
    guard Int(place) < entries.count, entries[Int(place)].isOpen,
      entries[Int(place)].generation == raw >> Self.placeBits
    else { return nil }
    return place
  }

  /// Places in use, for the end of the port.
  func openFileDescriptors() -> [Int32] {
    entries.filter(\.isOpen).map(\.fileDescriptor)
  }
}
