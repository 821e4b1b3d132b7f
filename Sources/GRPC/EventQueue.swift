/// Events that wait to be taken, each with the bytes that belong to it.
///
/// The bytes of the event taken last stay until the next one is taken.
struct EventQueue<Event: BitwiseCopyable>: ~Copyable {
  struct Entry: BitwiseCopyable {
    /// nil when the event was withdrawn.
    var event: Event?
    /// A message or a text.
    var message = ReceivedMessage.empty
    /// The path of a call that arrived.
    var path = ReceivedMessage.empty
    /// `authorization` of a call that arrived.
    var authorization = ReceivedMessage.empty
    /// The time limit of a call that arrived, milliseconds.
    var timeoutMilliseconds: Int?
    /// Whether the server did nothing of the call that completed.
    var isUntouched = false
  }

  private var entries: [Entry] = []
  private var head = 0
  /// The event taken last.
  private(set) var current = Entry(event: nil)

  /// Appends an event.
  mutating func append(_ entry: Entry) { entries.append(entry) }

  /// The next event; frees the bytes of the one before.
  mutating func next(in slab: Slab) -> Event? {
    current.message.free(in: slab)
    current.path.free(in: slab)
    current.authorization.free(in: slab)
    current = Entry(event: nil)
    while head < entries.count {
      current = entries[head]
      head += 1
      if let event = current.event { return event }
    }
    entries.removeAll(keepingCapacity: true)
    head = 0
    return nil
  }

  /// Withdraws the events that `isMeant` tells, with their bytes. O(count).
  mutating func withdraw(in slab: Slab, where isMeant: (Event) -> Bool) {
    for index in head..<entries.count {
      guard let event = entries[index].event, isMeant(event) else { continue }
      entries[index].message.free(in: slab)
      entries[index].path.free(in: slab)
      entries[index].authorization.free(in: slab)
      entries[index] = Entry(event: nil)
    }
  }

  /// Frees everything.
  mutating func removeAll(in slab: Slab) {
    while next(in: slab) != nil {}
  }
}
