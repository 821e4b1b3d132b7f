extension TopicFilter {
  /// What the first nine wildcards of a filter stand for, as ranges of the topic's bytes.
  public struct Captures: BitwiseCopyable, Sendable {
    /// How many wildcards are kept.
    public static let limit = 9

    private var starts: InlineArray<9, UInt16>
    private var ends: InlineArray<9, UInt16>
    /// The number of ranges kept, 0 to 9.
    public private(set) var count = 0

    init() {
      starts = InlineArray(repeating: 0)
      ends = InlineArray(repeating: 0)
    }

    /// Ranges beyond the ninth are left out.
    mutating func append(_ range: Range<Int>) {
      guard count < Self.limit else { return }
      starts[count] = UInt16(range.lowerBound)
      ends[count] = UInt16(range.upperBound)
      count += 1
    }

    /// The text of wildcard `number`, counted from 1; nil when there is no such wildcard.
    public func range(of number: Int) -> Range<Int>? {
      guard number >= 1, number <= count else { return nil }
      return Int(starts[number - 1])..<Int(ends[number - 1])
    }
  }
}
