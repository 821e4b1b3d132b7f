/// What the placeholders of a route's topic or path stand for, as ranges of the subject's bytes.
struct RouteCaptures: BitwiseCopyable {
  /// Where a placeholder stands in its route.
  struct Place: BitwiseCopyable {
    /// Its level, from 0.
    let level: UInt32
    /// Whether it stands for all levels from there.
    let isRest: Bool
  }

  /// The most that are kept.
  static let limit = 9

  private var starts = InlineArray<9, UInt32>(repeating: 0)
  private var ends = InlineArray<9, UInt32>(repeating: 0)
  private var count = 0

  /// Nothing.
  init() {}

  /// What stands at these places of a subject that the route takes. Linear in the subject.
  init(_ subject: RawSpan, from first: Int, _ places: Span<Place>) {
    var start = first
    var level: UInt32 = 0
    for index in places.indices {
      while level < places[index].level, start <= subject.byteCount {
        start = subject.endOfLevel(from: start) + 1
        level += 1
      }
      // `#` stands for nothing where the topic ends before it.
      let begin = min(start, subject.byteCount)
      let end = places[index].isRest ? subject.byteCount : subject.endOfLevel(from: begin)
      guard count < Self.limit else { return }
      starts[count] = UInt32(truncatingIfNeeded: begin)
      ends[count] = UInt32(truncatingIfNeeded: end)
      count += 1
    }
  }

  /// The bytes of placeholder `number`, counted from 1; nil when there is no such placeholder.
  func range(of number: Int) -> Range<Int>? {
    guard number >= 1, number <= count else { return nil }
    return Int(starts[number - 1])..<Int(ends[number - 1])
  }
}
