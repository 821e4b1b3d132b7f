/// When the records of a lane came to the spool, to some hundred milliseconds: a few marks instead
/// of a time a record. Times are milliseconds of the boot clock; negative before the machine's
/// start.
struct SpoolAges {
  private struct Mark: BitwiseCopyable {
    let sequence: UInt64
    let milliseconds: Int64
  }

  private static var markLimit: Int { 64 }

  /// By sequence; each is about the records from it to the next one's.
  private var marks: [Mark] = []
  /// Records before have their marks.
  private var seen: UInt64 = 0

  /// A lane whose records from `first` to `next` are from an earlier process.
  init(first: UInt64, next: UInt64, at milliseconds: Int64) {
    seen = next
    guard first < next else { return }
    marks.append(Mark(sequence: first, milliseconds: milliseconds))
  }

  /// Records before `next` that were not there at the last advance.
  func countNew(upTo next: UInt64) -> UInt64 { next - min(next, seen) }

  /// Records up to `next` came since `milliseconds`; those before `first` are gone.
  mutating func advance(first: UInt64, next: UInt64, since milliseconds: Int64) {
    if next > seen {
      if marks.count == Self.markLimit {
        // Half of them do: the older a record, the less a moment counts.
        marks = marks.indices.filter { $0 % 2 == 0 }.map { marks[$0] }
      }
      marks.append(Mark(sequence: seen, milliseconds: milliseconds))
      seen = next
    }
    while marks.count > 1, marks[1].sequence <= first { marks.removeFirst() }
    if first >= next { marks.removeAll(keepingCapacity: true) }
  }

  /// Records from `sequence` on were written at `milliseconds`, as was found on the disk.
  mutating func learn(_ sequence: UInt64, at milliseconds: Int64) {
    guard let oldest = marks.first, sequence >= oldest.sequence,
      marks.count == 1 || sequence < marks[1].sequence
    else { return }
    marks[0] = Mark(sequence: sequence, milliseconds: milliseconds)
  }

  /// Whether it is known when the record came.
  func knows(_ sequence: UInt64) -> Bool { marks.first.map { $0.sequence <= sequence } ?? false }

  /// Records from `sequence` on wait again that were settled before, or that a new reader wants:
  /// they were written at `milliseconds`.
  mutating func returned(_ sequence: UInt64, at milliseconds: Int64) {
    marks.insert(Mark(sequence: sequence, milliseconds: milliseconds), at: 0)
    if marks.count > Self.markLimit { marks.remove(at: 1) }
  }

  /// When the oldest record came; nil when there is none.
  var oldest: Int64? { marks.first?.milliseconds }
}
