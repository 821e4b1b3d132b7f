import Records

/// Progress on its way to ingest, oldest first. Neighbouring records of one batch share a message.
struct ProgressQueue: ~Copyable {
  private var messages: [Progress] = []
  private var head = 0

  var isEmpty: Bool { head == messages.count }
  var count: Int { messages.count - head }
  var first: Progress? { isEmpty ? nil : messages[head] }

  mutating func removeFirst() {
    head += 1
    if head == messages.count {
      messages.removeAll(keepingCapacity: true)
      head = 0
    } else if head >= 1024, head * 2 >= messages.count {
      messages.removeSubrange(..<head)
      head = 0
    }
  }

  /// A record is safe.
  mutating func safe(_ record: RecordRef) {
    let word = UInt16(record.index / 64)
    let bit = UInt64(1) << UInt64(record.index % 64)
    if let last = messages.last, !isEmpty, last.batch == record.batch, last.kind == .safe,
      last.word == word
    {
      messages[messages.count - 1] = Progress(
        batch: last.batch, kind: .safe, word: word, bits: last.bits | bit)
    } else {
      messages.append(Progress(batch: record.batch, kind: .safe, word: word, bits: bit))
    }
  }

  /// All records of a batch are safe that were not refused; its memory is still needed.
  mutating func allSafe(_ batch: BatchID, count: Int) {
    var first = 0
    while first < count {
      let group = min(64, count - first)
      let bits = group == 64 ? UInt64.max : (1 << UInt64(group)) - 1
      messages.append(Progress(batch: batch, kind: .safe, word: UInt16(first / 64), bits: bits))
      first += 64
    }
  }

  /// The broker will never take a record.
  mutating func refused(_ record: RecordRef, _ reason: RefusalReason) {
    messages.append(
      Progress(
        batch: record.batch, kind: .refused, word: UInt16(record.index),
        bits: UInt64(reason.rawValue)))
  }

  /// A batch is done with.
  mutating func complete(_ batch: BatchID) {
    // What was said of it last is said again by the completion, unless it was a refusal.
    if let last = messages.last, !isEmpty, last.batch == batch, last.kind == .safe {
      messages.removeLast()
    }
    messages.append(Progress(batch: batch, kind: .complete))
  }

  /// A batch's smaller block is taken.
  mutating func compacted(_ batch: BatchID) {
    messages.append(Progress(batch: batch, kind: .compacted))
  }
}
