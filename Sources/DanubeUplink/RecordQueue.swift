import Records

/// Records that can be sent, first in first out. Their links are the store's delivery marks: the
/// queue has no memory of its own.
struct RecordQueue {
  private var head: UInt32 = .max
  private var tail: UInt32 = .max
  /// Records in the queue.
  private(set) var count = 0

  /// Whether no record waits.
  var isEmpty: Bool { count == 0 }

  /// Appends a record that is in no queue.
  mutating func append(_ record: RecordRef, in store: BatchStore) {
    store.setDeliveryMark(.max, of: record)
    if let last = RecordRef(packed: tail) {
      store.setDeliveryMark(record.packed, of: last)
    } else {
      head = record.packed
    }
    tail = record.packed
    count += 1
  }

  /// Puts a record that is in no queue before the others.
  mutating func prepend(_ record: RecordRef, in store: BatchStore) {
    store.setDeliveryMark(head, of: record)
    if head == .max { tail = record.packed }
    head = record.packed
    count += 1
  }

  /// The first record, without taking it.
  var first: RecordRef? { RecordRef(packed: head) }

  /// Takes the first record.
  mutating func removeFirst(in store: BatchStore) {
    guard let first = RecordRef(packed: head) else { preconditionFailure("queue is empty") }
    head = store.deliveryMark(of: first)
    if head == .max { tail = .max }
    count -= 1
  }
}
