import IOPort

/// What a start found in the directory of a spool.
public struct RecoveredLog: Sendable {
  /// One segment.
  public struct Segment: Sendable {
    /// What it holds that can be read. Its blocks and runs may be left out when it is sealed.
    public var footer: SegmentFooter
    /// Bytes of its file.
    public var fileBytes: UInt64
    /// Whether it has its footer on the disk.
    public var isSealed: Bool
    /// Where its last good block ends.
    public var end: UInt32
  }

  /// The spool's identity; nil when there is no segment yet.
  public var identity: SpoolIdentity?
  /// Whether only the first half of that is known, from a block.
  public var isIdentityGuessed = false
  /// The segments in the order of the log.
  public var segments: [Segment] = []
  /// A number above that of every segment of the spool, also of those that are gone.
  public var nextSegment: UInt32 = 1
  /// Up to where the log was synced, as far as is known.
  public var synced = SpoolPosition.start
  /// Bytes that were synced once and can't be read now.
  public var damagedBytes: UInt64 = 0
  /// Places where that is so.
  public var damagedPlaces = 0
  /// Segments cut behind their last good block: writes that the end of power or of a process
  /// interrupted, of which nobody was told that they are safe.
  public var cutSegments = 0
  /// Segments that were being made when power or the process ended: they hold nothing, and may go.
  public var blankSegments: [UInt32] = []
  /// Segments that were emptied for their space: everybody had what was in them, but the ends of
  /// their lanes may be known no more.
  public var emptiedSegments: [UInt32] = []
  /// Files with a segment's name that are none of this spool; they are left alone.
  public var foreignSegments: [UInt32] = []
  /// Segments that can't be read now; they may hold records that nobody has got.
  public var unreadSegments: [SpoolUnreadFile] = []

  /// What a later version of the program wrote: then the rest does not count, and nothing is to be
  /// written.
  public var laterVersions: [SpoolLaterVersion] = []

  /// What a start finds where there is nothing.
  public init() {}

  /// The segments of those that there were, by the cursor file, whose files are not there, or are
  /// none of this spool. They may come back, with records that nobody has got.
  func missing(of known: [ClosedRange<UInt32>]) -> [SpoolUnreadFile] {
    var found = Set(segments.map(\.footer.number))
    found.formUnion(blankSegments)
    found.formUnion(emptiedSegments)
    found.formUnion(unreadSegments.map(\.segment))
    found.formUnion(laterVersions.compactMap { SegmentHeader.number(of: $0.file) })
    return known.joined().filter { !found.contains($0) }.map {
      SpoolUnreadFile(
        segment: $0, error: IOError(.notFound), isForeign: foreignSegments.contains($0))
    }
  }

  /// The files with a segment's name that are none of this spool, and in nobody's place.
  func strangers(among known: [ClosedRange<UInt32>]) -> [UInt32] {
    foreignSegments.filter { number in !known.contains { $0.contains(number) } }
  }
}
