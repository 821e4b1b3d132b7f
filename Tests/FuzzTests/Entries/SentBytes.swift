import Bytes
import IOPort

/// The other end of an outbox: everything is taken at once.
struct SentBytes: ~Copyable {
  private var outbox = Outbox()
  /// Bytes taken so far.
  private(set) var count = 0
  /// Tags of memory that was released.
  private(set) var releasedTags: [UInt32] = []

  /// Lets `body` write, and sends what it wrote.
  mutating func send(_ body: (inout Outbox) -> Void) {
    while true {
      body(&outbox)
      var operations = OperationQueue()
      outbox.flush(
        to: Descriptor(rawValue: 0), token: Token(owner: 0, verb: 0), operations: &operations)
      var taken = 0
      if case .send(_, let first, let slices)? = operations.entries.first?.operation {
        for index in Int(first)..<Int(first + slices) {
          taken += operations.slices[index].count
        }
      }
      if taken > 0 { outbox.sent(taken) }
      while let tag = outbox.takeReleasedTag() { releasedTags.append(tag) }
      if taken == 0 { return }
      count += taken
    }
  }
}
