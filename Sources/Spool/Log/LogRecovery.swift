import Bytes
public import IOPort
import Records

/// Finds out what is in the log: reads the footers of sealed segments, and goes through the others.
///
/// A decider that has one operation under way at a time. Its cost does not depend on how much is
/// stored: a process that ends in order, or not, leaves one or two segments without a footer.
public struct LogRecovery: ~Copyable {
  enum Phase: UInt8, BitwiseCopyable {
    case idle, opening, readingTrailer, readingFooter, readingHeader, scanning, closing, done
  }

  /// What a scan found, in order.
  enum Item {
    case block(BlockHeader)
    case bad(from: UInt32)
  }

  static let windowBytes = 256 << 10

  let token: Token
  let directory: Descriptor
  private(set) var phase = Phase.idle
  /// The segments to read, the next one last.
  private var left: [(number: UInt32, bytes: UInt64)]
  private var current: (number: UInt32, bytes: UInt64) = (0, 0)
  private var file = Descriptor(rawValue: -1)
  private var buffer = ReadBuffer()
  /// Where in the file the buffer begins, and how much of it is wanted.
  private var windowOffset: UInt64 = 0
  private var windowWanted = 0
  private var scan: SegmentScan?
  private var items: [Item] = []
  private var topics: [LaneHash: [UInt8]] = [:]
  /// Scanned segments, to be judged when all are known.
  private var scanned: [(segment: UInt32, bytes: UInt64, items: [Item])] = []
  /// Up to where each segment was synced.
  private var syncedEnds: [UInt32: UInt32] = [:]
  private var result = RecoveredLog()
  /// The spool's identity as the cursor file has it, for a segment whose header is gone.
  private let knownIdentity: SpoolIdentity?
  /// How often a segment that can't be read is tried again.
  private let patience: Int
  private var attempts = 0
  private var isFailing = false
  /// The header of the segment at hand is not there: nothing in it counts unless a block does.
  private var isHeaderLost = false
  /// A segment could not be read: `retry` tries it again, after a while.
  private(set) var isWaiting = false
  var plantedFault: PlantedSpoolFault?

  /// A recovery of the files of a directory. All its tokens are `token`; `synced` is a place up to
  /// which the log is known to have been durable. Whoever asks for `patience` has to `retry`.
  public init(
    token: Token, directory: Descriptor, files: [(name: FileName, bytes: UInt64)],
    synced: SpoolPosition = .start, identity: SpoolIdentity? = nil, patience: Int = 0
  ) {
    self.token = token
    knownIdentity = identity
    self.patience = patience
    self.directory = directory
    left = files.compactMap { file in
      SegmentHeader.number(of: file.name).map { ($0, file.bytes) }
    }.sorted { $0.0 > $1.0 }
    result.nextSegment = (left.first?.number ?? 0) + 1
    result.synced = synced
    syncedEnds[synced.segment] = synced.offset
  }

  /// Whether everything was read.
  public var isDone: Bool { phase == .done }

  /// Begins.
  public mutating func start(operations: inout OperationQueue) {
    precondition(phase == .idle)
    openNext(operations: &operations)
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
    switch consume completion.event {
    case .file(let event): handle(event, operations: &operations)
    case .closed:
      if isFailing {
        isWaiting = true
      } else {
        openNext(operations: &operations)
      }
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
      if attempts < patience, error.kind != .notFound {
        attempts += 1
        isFailing = true
        isWaiting = true
        return
      }
      result.unreadableSegments.append(current.number)
      openNext(operations: &operations)
    case (_, .transferred(let count)):
      buffer.advance(count)
      if count > 0, buffer.count < windowWanted {
        readOn(operations: &operations)
      } else {
        take(operations: &operations)
      }
    default:
      if attempts < patience {
        attempts += 1
        isFailing = true
        scan = nil
        return close(operations: &operations)
      }
      giveUp(operations: &operations)
    }
  }

  /// Tries the segment again that could not be read.
  mutating func retry(operations: inout OperationQueue) {
    guard isWaiting else { return }
    isWaiting = false
    isFailing = false
    open(operations: &operations)
  }

  // MARK: Files

  private mutating func openNext(operations: inout OperationQueue) {
    guard let next = left.popLast() else {
      judge()
      buffer.release()
      phase = .done
      return
    }
    current = next
    attempts = 0
    open(operations: &operations)
  }

  private mutating func open(operations: inout OperationQueue) {
    phase = .opening
    isHeaderLost = false
    operations.open(
      SegmentHeader.fileName(current.number), in: directory, .read, token: token)
  }

  private mutating func close(operations: inout OperationQueue) {
    phase = .closing
    operations.append(.close(file), token: token)
  }

  /// The file can't be read, or is none of ours.
  private mutating func giveUp(operations: inout OperationQueue) {
    result.unreadableSegments.append(current.number)
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
      else { return giveUp(operations: &operations) }
      result.identity = header.identity
    } catch {
      return takeLostHeader(operations: &operations)
    }
    phase = .readingTrailer
    let trailer = UInt64(SegmentFooter.trailerBytes)
    read(current.bytes - trailer, Int(trailer), operations: &operations)
  }

  /// There is no header. When it never came to be, nothing in the segment counts; when it was
  /// damaged later, its blocks are as good as they were.
  private mutating func takeLostHeader(operations: inout OperationQueue) {
    guard SegmentHeader.isBlank(buffer.bytes) || SegmentHeader.isMarked(buffer.bytes) else {
      return giveUp(operations: &operations)
    }
    result.identity = result.identity ?? knownIdentity
    guard result.identity != nil else {
      if !SegmentHeader.isBlank(buffer.bytes) { return giveUp(operations: &operations) }
      result.blankSegments.append(current.number)
      return close(operations: &operations)
    }
    isHeaderLost = true
    beginScan(operations: &operations)
  }

  private mutating func takeTrailer(operations: inout OperationQueue) {
    guard
      let offset = SegmentFooter.offset(trailer: buffer.bytes, fileBytes: current.bytes)
    else { return beginScan(operations: &operations) }
    phase = .readingFooter
    read(
      UInt64(offset), Int(clamping: current.bytes - UInt64(offset)), operations: &operations)
  }

  private mutating func takeFooter(operations: inout OperationQueue) {
    do throws(SpoolFormatError) {
      let footer = try SegmentFooter(decoding: buffer.bytes)
      guard footer.number == current.number, footer.identity == result.identity?.first else {
        return beginScan(operations: &operations)
      }
      result.segments.append(
        RecoveredLog.Segment(
          footer: footer, fileBytes: current.bytes, isSealed: true,
          end: UInt32(clamping: windowOffset)))
      result.synced = max(
        result.synced,
        SpoolPosition(segment: current.number, offset: UInt32(clamping: windowOffset)))
      note(synced: footer.syncedBefore)
      result.damagedBytes += footer.damagedBytes
    } catch {
      return beginScan(operations: &operations)
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
      number: current.number, identity: result.identity?.first ?? 0, fileBytes: current.bytes)
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
          return giveUp(operations: &operations)
        }
        self.scan = scan
        let wanted = max(count, Self.windowBytes)
        read(
          UInt64(offset), Int(min(UInt64(wanted), current.bytes - UInt64(offset))),
          operations: &operations)
        return
      case .block(let header):
        note(header)
        items.append(.block(header))
      case .bad(let from, _): items.append(.bad(from: from))
      case .end: return endScan(operations: &operations)
      }
    }
  }

  private mutating func endScan(operations: inout OperationQueue) {
    let hasBlock = items.contains { if case .block = $0 { true } else { false } }
    if isHeaderLost, !hasBlock {
      result.blankSegments.append(current.number)
    } else {
      scanned.append((current.number, current.bytes, items))
    }
    scan = nil
    items = []
    close(operations: &operations)
  }

  /// Learns from a good block: up to where segments were synced, and the topics of new lanes.
  private mutating func note(_ header: BlockHeader) {
    note(synced: header.syncedPosition)
    guard header.runs.contains(where: { topics[$0.lane] == nil }) else { return }
    let start = Int(UInt64(header.position.offset) - windowOffset) + header.headerBytes
    do throws(SpoolFormatError) {
      let content = try BlockContent(
        header, payload: buffer.bytes.extracting(droppingFirst: start))
      for index in header.runs.indices where topics[header.runs[index].lane] == nil {
        topics[header.runs[index].lane] = content.firstRecord(ofRun: index) { record in
          RecordElement.topic(of: record)
        }
      }
    } catch {
      // Its checksum was right: it was written so. Its lanes stay unknown, and unread.
    }
  }

  private mutating func note(synced: SpoolPosition) {
    syncedEnds[synced.segment] = max(syncedEnds[synced.segment] ?? 0, synced.offset)
    result.synced = max(result.synced, synced)
  }

  /// Tells damage from writes that never ended, now that all blocks are known.
  private mutating func judge() {
    for entry in scanned {
      var footer = SegmentFooter(number: entry.segment, identity: result.identity?.first ?? 0)
      var end = UInt32(SegmentHeader.encodedBytes)
      var damageFrom: UInt32?
      items: for item in entry.items {
        switch item {
        case .block(let header):
          if let from = damageFrom {
            footer.damagedBytes += UInt64(header.position.offset - from)
            damageFrom = nil
          }
          footer.add(header) { topics[$0] ?? [] }
          end = header.position.offset + UInt32(header.totalBytes)
        case .bad(let from):
          guard from < syncedEnds[entry.segment] ?? 0, plantedFault != .cutsAtDamage else {
            result.cutSegments += 1
            break items
          }
          result.damagedPlaces += 1
          damageFrom = from
        }
      }
      if let from = damageFrom {
        footer.damagedBytes += UInt64((syncedEnds[entry.segment] ?? from) - from)
      }
      result.damagedBytes += footer.damagedBytes
      result.segments.append(
        RecoveredLog.Segment(
          footer: footer, fileBytes: entry.bytes, isSealed: false, end: end))
    }
    result.segments.sort { $0.footer.number < $1.footer.number }
  }
}
