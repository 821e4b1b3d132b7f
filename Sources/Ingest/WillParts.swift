import IOPort

/// The wills of all devices, from CONNECT until they are published or not wanted any more.
struct WillParts: ~Copyable {
  var table: SlotTable<Will>
  /// Memory of all wills, in bytes, about.
  var byteCount = 0
  /// Wills whose connection ended in this turn.
  var ended: [SlotID] = []
  /// The delayed will of a client identifier.
  var delayed: [[UInt8]: SlotID] = [:]
  /// Wills that wait for memory for their records, the longest waiting first.
  var waiting = SlotQueue()

  init(capacity: Int) {
    table = SlotTable(capacity: capacity)
  }

  /// Whether no will is on its way to a record.
  var isSettled: Bool { ended.isEmpty && waiting.count == 0 }

  /// Whether a will waits for memory. Those that were dropped meanwhile, the longest waiting ones,
  /// do not.
  mutating func hasWaiting() -> Bool {
    while let will = waiting.first, !table.contains(will) { _ = waiting.popFirst() }
    return waiting.count > 0
  }

  mutating func insert(_ will: consuming Will) -> SlotID {
    byteCount += will.byteCount
    return table.insert(will)
  }

  mutating func remove(_ id: SlotID) {
    let will = table.remove(id)
    byteCount -= will.byteCount
  }
}
