import Bytes
public import IOPort

/// Finds out what is in the log: reads the footers of sealed segments, and goes through the others.
///
/// A decider. Of a sealed segment it opens the file, reads its end and closes it, many segments at
/// once; whatever is not as it should be, and segments without a footer, of which a process leaves
/// one or two, are looked at afterwards, one operation at a time.
public struct LogRecovery: ~Copyable {
  enum Phase: UInt8, BitwiseCopyable {
    case idle
    /// Many ends of files are read at once: see `FooterProbe`.
    case probing
    case opening, readingTrailer, readingFooter, readingHeader, scanning, closing, done
  }

  /// What a scan found, in order.
  enum Item {
    case block(BlockHeader)
    case bad(from: UInt32, isBlank: Bool)
  }

  static let windowBytes = 256 << 10

  let token: Token
  let directory: Descriptor
  var phase = Phase.idle
  /// The segments whose ends are still to be read, the next one last.
  var unprobed: [UInt32]
  var probes: SlotTable<FooterProbe>
  var idleProbes: [SlotID] = []
  /// Whether some probe read a header, too.
  var hasReadHeader = false
  /// Whether blocks and runs of footers are wanted, too.
  let keepsLists: Bool
  /// The segments to look at one by one.
  var left: [(number: UInt32, bytes: UInt64)] = []
  var current: (number: UInt32, bytes: UInt64) = (0, 0)
  private var file = Descriptor(rawValue: -1)
  var buffer = ReadBuffer()
  /// Where in the file the buffer begins, and how much of it is wanted.
  private(set) var windowOffset: UInt64 = 0
  private var windowWanted = 0
  private var footerOffset: UInt32 = 0
  var scan: SegmentScan?
  var items: [Item] = []
  var topics: [LaneHash: [UInt8]] = [:]
  /// Scanned segments, to be judged when all are known.
  var scanned: [(segment: UInt32, bytes: UInt64, items: [Item])] = []
  /// Segments without a header and without a block that is good.
  var lost: [LostSegment] = []
  /// The segments that there were, by the cursor file.
  let listed: [ClosedRange<UInt32>]
  /// Up to where each segment was synced.
  var syncedEnds: [UInt32: UInt32] = [:]
  var result = RecoveredLog()
  /// How often segments that can't be read are tried again, all of them together.
  let patience: Int
  var rounds = 0
  /// Why the segment at hand can't be read; nil while nothing speaks against it.
  var failure: IOError?
  /// Segments that could not be read in this round.
  var postponed: [SpoolUnreadFile] = []
  /// The header of the segment at hand is not there: nothing in it counts unless a block does.
  private var isHeaderLost = false
  /// Some segments could not be read: `retry` tries them again, after a while.
  var isWaiting = false
  /// The segments that could not be read when that was last tried.
  var unread: [SpoolUnreadFile] = []
  var plantedFault: PlantedSpoolFault?
  /// Whether the first block of a segment without a header may tell the spool's identity, half of
  /// it, when nothing else does: enough to read, not to write.
  var trustsFirstBlock = false
  /// The header at hand is not even one that is damaged: only a footer makes the file ours.
  private var isForeign = false
  /// The segment at hand has a block of another spool.
  private var hasForeignBlock = false

  /// A recovery of the files of a directory. All its tokens are `token`; `synced` is a place up to
  /// which the log is known to have been durable. The `identity`, which the cursor file tells, says
  /// whose a segment is; without it the first segment does. `nextSegment` is above the number of
  /// every segment that the cursor file knows, and those `listed` are the ones that it wants to be
  /// there. Whoever asks for `patience` has to `retry`: so
  /// often, and for as long as a person or the end of other work can make a file readable, whoever
  /// can't read one of them waits.
  /// Without `keepsLists` the footers that are found have neither blocks nor runs, and cost the
  /// same however many there are.
  public init(
    token: Token, directory: Descriptor, files: [(name: FileName, bytes: UInt64)],
    synced: SpoolPosition = .start, identity: SpoolIdentity? = nil, nextSegment: UInt32 = 1,
    listed: [ClosedRange<UInt32>] = [], patience: Int = 0, keepsLists: Bool = true
  ) {
    self.token = token
    self.listed = listed
    self.patience = patience
    self.directory = directory
    self.keepsLists = keepsLists
    unprobed = files.compactMap { file in SegmentHeader.number(of: file.name) }.sorted(by: >)
    probes = SlotTable(capacity: Self.probeCount)
    result.nextSegment = min(max(nextSegment, 1), SegmentHeader.endOfNumbers)
    result.identity = identity
    result.synced = synced
    syncedEnds[synced.segment] = synced.offset
  }

  /// Whether everything was read.
  public var isDone: Bool { phase == .done }

  /// Begins.
  public mutating func start(operations: inout OperationQueue) {
    precondition(phase == .idle)
    phase = .probing
    probe(operations: &operations)
  }

  /// What was found, once it is done.
  public consuming func finish() -> RecoveredLog {
    precondition(phase == .done)
    return result
  }

  /// Takes a completion whose token is the recovery's.
  public mutating func handle(
    _ completion: consuming Completion, operations: inout OperationQueue
  ) {
    if phase == .probing {
      let slot = completion.token.slot
      return handleProbe(slot, completion, operations: &operations)
    }
    switch consume completion.event {
    case .file(let event): handle(event, operations: &operations)
    case .closed:
      if let failure { postpone(failure) }
      openNext(operations: &operations)
    default: break
    }
  }

  private mutating func handle(_ event: FileEvent, operations: inout OperationQueue) {
    switch (phase, event) {
    case (.opening, .opened(let descriptor, let bytes)):
      file = descriptor
      current.bytes = bytes
      guard bytes > 0 else {
        // Power or the process ended while it was made.
        result.blankSegments.append(current.number)
        return close(operations: &operations)
      }
      phase = .readingHeader
      read(
        0, min(SegmentHeader.encodedBytes, Int(clamping: bytes)), operations: &operations)
    case (.opening, .failed(let error)):
      postpone(error)
      openNext(operations: &operations)
    case (_, .transferred(let count)):
      buffer.advance(count)
      if count > 0, buffer.count < windowWanted {
        readOn(operations: &operations)
      } else {
        take(operations: &operations)
      }
    case (_, .failed(let error)): failed(error, operations: &operations)
    default: failed(IOError(.other), operations: &operations)
    }
  }

  // MARK: Files

  mutating func openNext(operations: inout OperationQueue) {
    guard let next = left.popLast() else { return finishRound() }
    current = next
    open(operations: &operations)
  }

  private mutating func open(operations: inout OperationQueue) {
    phase = .opening
    failure = nil
    isHeaderLost = false
    isForeign = false
    hasForeignBlock = false
    operations.open(
      SegmentHeader.fileName(current.number), in: directory, .read, token: token)
  }

  mutating func close(operations: inout OperationQueue) {
    phase = .closing
    operations.append(.close(file), token: token)
  }

  /// The file is none of ours: it is left alone, for ever.
  private mutating func leaveAlone(operations: inout OperationQueue) {
    result.foreignSegments.append(current.number)
    scan = nil
    items = []
    close(operations: &operations)
  }

  private mutating func read(
    _ offset: UInt64, _ count: Int, operations: inout OperationQueue
  ) {
    windowOffset = offset
    windowWanted = count
    buffer.reset(room: count)
    readOn(operations: &operations)
  }

  private mutating func readOn(operations: inout OperationQueue) {
    operations.append(
      .file(
        .read(
          file, offset: windowOffset + UInt64(buffer.count),
          into: buffer.target(upTo: windowWanted))),
      token: token)
  }

  // MARK: Content

  private mutating func take(operations: inout OperationQueue) {
    switch phase {
    case .readingHeader: takeHeader(operations: &operations)
    case .readingTrailer: takeTrailer(operations: &operations)
    case .readingFooter: takeFooter(operations: &operations)
    case .scanning: goOn(operations: &operations)
    default: preconditionFailure("nothing was read")
    }
  }

  private mutating func takeHeader(operations: inout OperationQueue) {
    do throws(SpoolFormatError) {
      let header = try SegmentHeader(decoding: buffer.bytes)
      guard header.number == current.number,
        result.identity == nil || result.identity == header.identity
      else { return leaveAlone(operations: &operations) }
      result.identity = header.identity
    } catch .unknownVersion(let version) {
      noteLater(.segment, version)
      return close(operations: &operations)
    } catch {
      return takeLostHeader(operations: &operations)
    }
    readTrailer(operations: &operations)
  }

  /// There is no header. When it never came to be, nothing in the segment counts; when it was
  /// damaged later, its blocks are as good as they were.
  private mutating func takeLostHeader(operations: inout OperationQueue) {
    isHeaderLost = true
    isForeign = !SegmentHeader.isMarked(buffer.bytes)
    if result.identity != nil, current.bytes >= UInt64(SegmentHeader.encodedBytes) {
      return readTrailer(operations: &operations)
    }
    scanUnlessForeign(operations: &operations)
  }

  /// There is no footer of this spool. Its identity in a block shows that a file is one of this
  /// spool, whatever became of its header.
  private mutating func scanUnlessForeign(operations: inout OperationQueue) {
    if isForeign, !trustsFirstBlock, result.identity == nil {
      return leaveAlone(operations: &operations)
    }
    beginScan(operations: &operations)
  }

  /// How much of a file is gone through that nobody misses, and that shows nothing of this spool.
  private static var strangeBytes: UInt64 { 4 << 20 }

  /// Whether enough was seen of a file to call it somebody else's.
  private var isStrange: Bool {
    isForeign && windowOffset >= Self.strangeBytes && !hasBlock && !isListed(current.number)
  }

  private var hasBlock: Bool { items.contains { if case .block = $0 { true } else { false } } }

  private mutating func readTrailer(operations: inout OperationQueue) {
    phase = .readingTrailer
    let trailer = UInt64(SegmentFooter.trailerBytes)
    read(current.bytes - trailer, Int(trailer), operations: &operations)
  }

  private mutating func takeTrailer(operations: inout OperationQueue) {
    if let version = SegmentFooter.laterVersion(
      trailer: buffer.bytes, number: current.number, identity: result.identity?.first ?? 0)
    {
      noteLater(.footer, version)
      return close(operations: &operations)
    }
    guard let place = SegmentFooter.place(trailer: buffer.bytes, fileBytes: current.bytes)
    else { return scanUnlessForeign(operations: &operations) }
    phase = .readingFooter
    footerOffset = place.offset
    let offset = keepsLists ? UInt64(place.offset) : place.summary
    read(offset, Int(clamping: current.bytes - offset), operations: &operations)
  }

  private mutating func takeFooter(operations: inout OperationQueue) {
    var known: [LaneHash: [UInt8]] = [:]
    swap(&known, &topics)
    defer { swap(&known, &topics) }
    do throws(SpoolFormatError) {
      let footer =
        if keepsLists {
          try SegmentFooter(decoding: buffer.bytes)
        } else {
          try SegmentFooter(summary: buffer.bytes, topics: &known)
        }
      guard footer.number == current.number, footer.identity == result.identity?.first else {
        return scanUnlessForeign(operations: &operations)
      }
      add(footer, at: footerOffset, fileBytes: current.bytes)
    } catch {
      return scanUnlessForeign(operations: &operations)
    }
    close(operations: &operations)
  }

  private mutating func beginScan(operations: inout OperationQueue) {
    phase = .scanning
    items = []
    guard current.bytes > UInt64(SegmentHeader.encodedBytes) else {
      // The end of power left a header and nothing else.
      return endScan(operations: &operations)
    }
    scan = SegmentScan(
      number: current.number, identity: result.identity?.first, fileBytes: current.bytes)
    read(
      UInt64(SegmentHeader.encodedBytes),
      Int(min(UInt64(Self.windowBytes), current.bytes - UInt64(SegmentHeader.encodedBytes))),
      operations: &operations)
  }

  private mutating func goOn(operations: inout OperationQueue) {
    guard var scan else { preconditionFailure("no scan is under way") }
    let end = windowOffset + UInt64(buffer.count)
    while true {
      switch scan.next(window: buffer.bytes, at: UInt32(clamping: windowOffset)) {
      case .needs(let offset, let count):
        // A file that ends earlier than it said can't be read further.
        if UInt64(offset) == windowOffset, end < current.bytes, buffer.count < windowWanted {
          return failed(IOError(.other), operations: &operations)
        }
        if isStrange { return leaveAlone(operations: &operations) }
        self.scan = scan
        let wanted = max(count, Self.windowBytes)
        read(
          UInt64(offset), Int(min(UInt64(wanted), current.bytes - UInt64(offset))),
          operations: &operations)
        return
      case .block(let header):
        if result.identity == nil, trustsFirstBlock,
          header.position.offset == UInt32(SegmentHeader.encodedBytes)
        {
          result.identity = SpoolIdentity(first: header.identity, second: 0)
          result.isIdentityGuessed = true
        }
        if let identity = result.identity, identity.first != header.identity {
          hasForeignBlock = true
          items.append(.bad(from: header.position.offset, isBlank: false))
          continue
        }
        if result.identity != nil { note(header) }
        items.append(.block(header))
      case .bad(let from, _): items.append(.bad(from: from, isBlank: scan.isBlank))
      case .later(let version): noteLater(.block, UInt32(version))
      case .end:
        if scan.hasForeignBlock { hasForeignBlock = true }
        return endScan(operations: &operations)
      }
    }
  }

  private mutating func endScan(operations: inout OperationQueue) {
    let hasBlock = hasBlock
    let isLater = result.laterVersions.contains { $0.part == .block }
    // Blocks of a spool that nobody knows can't be told from records that look like blocks.
    if hasBlock, result.identity == nil { return leaveAlone(operations: &operations) }
    if isForeign || isHeaderLost && hasForeignBlock, !hasBlock {
      return leaveAlone(operations: &operations)
    }
    if isHeaderLost, !hasBlock, current.bytes == SegmentRemover.emptiedBytes {
      result.emptiedSegments.append(current.number)
    } else if isHeaderLost, !hasBlock, !isLater {
      let isBlank = items.allSatisfy { if case .bad(_, let isBlank) = $0 { isBlank } else { true } }
      lost.append(LostSegment(number: current.number, bytes: current.bytes, isBlank: isBlank))
    } else {
      scanned.append((current.number, current.bytes, items))
    }
    scan = nil
    items = []
    close(operations: &operations)
  }
}
