import Bytes
public import IOPort

/// Reads records of lanes back from the log.
///
/// A decider. A request names a lane and a sequence and is answered with the run that holds it. A
/// block that several requests want is read and decompressed once. Blocks whose runs are looked at
/// count towards the limit of the cache, and nothing more is read while they fill it: a run is to
/// be released as soon as its records were taken.
public struct LogReader: ~Copyable {
  /// What has to be read for a request.
  enum Want: Hashable {
    case runs(UInt32)
    case block(SpoolPosition, totalBytes: UInt32)

    var segment: UInt32 {
      switch self {
      case .runs(let number): number
      case .block(let position, _): position.segment
      }
    }
  }

  struct Request {
    enum State {
      case wants(Want)
      case ready(SlotID, run: Int)
      /// The event that ends it was not taken yet.
      case over
    }

    let lane: LaneHash
    let sequence: UInt64
    let skipsUnreadable: Bool
    /// The only segment to look into; nil: all.
    let segment: UInt32?
    var state = State.over
    /// Segments whose footer was looked at for it, without finding the sequence, and the lowest one
    /// that they had instead: the footers may be forgotten meanwhile.
    var examined: [UInt32] = []
    var next: UInt64?
  }

  struct File {
    let number: UInt32
    var descriptor: Descriptor?
    var bytes: UInt64 = 0
    /// Reads that need it.
    var users = 0
    var lastUse: UInt64 = 0
    var isForgotten = false
    var isClosing = false
  }

  let owner: UInt8
  let directory: Descriptor
  let limits: LogReaderLimits
  let identity: UInt64
  /// What is where.
  public internal(set) var index: LogIndex
  /// Blocks that were durable and can't be read, or are not what they were; each counts once. In a
  /// segment that has to be gone through some that follow each other count as one.
  public internal(set) var damagedBlocks: UInt64 = 0
  /// Records in them.
  public internal(set) var damagedRecords: UInt64 = 0
  /// Footers that were damaged; their segments were gone through instead.
  public internal(set) var damagedFooters: UInt64 = 0
  /// Bytes of blocks whose runs are looked at.
  public var pinnedBytes: Int { blocks.pinnedBytes }
  /// Bytes read from files.
  public internal(set) var readBytes: UInt64 = 0

  var runs: SegmentRunsCache
  var blocks: BlockCache
  var files: SlotTable<File>
  var loads: SlotTable<LogLoad>
  var loadIDs: [SlotID] = []
  var damaged: Set<SpoolPosition> = []
  /// What was found lost since the start, by segment.
  var lost: [UInt32: [LaneHash: DeliveredSet]] = [:]
  /// Places of damage that nobody asked for yet.
  var untoldDamage: [LogDamage] = []
  var requests: [UInt32: Request] = [:]
  /// Requests that want something read, oldest first; and some that did.
  var wanting: [UInt32] = []
  private var lastHandle: UInt32 = 0
  private var events: [LogReadEvent] = []
  private var eventsTaken = 0
  var uses: UInt64 = 0

  /// A reader of the log that a start found, in `directory`.
  public init(
    owner: UInt8, directory: Descriptor, identity: SpoolIdentity,
    log: RecoveredLog = RecoveredLog(), segmentBytes: UInt32,
    limits: LogReaderLimits = LogReaderLimits()
  ) {
    precondition(limits.openFiles > 0 && limits.reads > 0 && limits.blockBytes > 0)
    self.owner = owner
    self.directory = directory
    self.limits = limits
    self.identity = identity.first
    index = LogIndex(log, segmentBytes: segmentBytes)
    runs = SegmentRunsCache(maximumBytes: limits.footerBytes)
    blocks = BlockCache(
      maximumBytes: limits.blockBytes,
      excess: limits.reads * (1 + limits.readAheadBytes / BlockHeader.alignment))
    files = SlotTable(capacity: limits.openFiles)
    loads = SlotTable(capacity: limits.reads)
    for _ in 0..<limits.reads { loadIDs.append(loads.insert(LogLoad())) }
    for segment in log.segments where !segment.isSealed {
      runs.keep(SegmentRuns(segment.footer), of: segment.footer.number)
    }
  }

  // MARK: What is in the log

  /// Adds a block that is durable. `topics` are those of its runs.
  public mutating func add(_ header: BlockHeader, topics: [[UInt8]]) {
    index.add(header, topics: topics)
    runs.add(header)
  }

  /// Nothing is added to a segment any more and its file is closed: `fileBytes` with the footer, or
  /// nil when there is no footer on the disk.
  public mutating func end(_ segment: UInt32, fileBytes: UInt64?) {
    index.end(segment, fileBytes: fileBytes)
    if fileBytes != nil { runs.letGo(segment) }
  }

  /// A segment that had none has its footer on the disk now, at `footerOffset`.
  public mutating func seal(_ segment: UInt32, footerOffset: UInt32, fileBytes: UInt64) {
    index.seal(segment, footerOffset: footerOffset, fileBytes: fileBytes)
    runs.letGo(segment)
  }

  /// Forgets a segment, whose file may be removed then. Runs that are looked at stay valid.
  public mutating func forget(_ segment: UInt32) {
    index.remove(segment)
    runs.remove(segment)
    blocks.remove(segment: segment)
    damaged = damaged.filter { $0.segment != segment }
    lost[segment] = nil
    for place in 0..<files.upperBound {
      guard let id = files.tenant(at: place), files[id].number == segment else { continue }
      files[id].isForgotten = true
    }
    for handle in wanting {
      guard case .wants(let want)? = requests[handle]?.state, want.segment == segment else {
        continue
      }
      resolve(handle)
    }
  }

  // MARK: Requests

  /// Asks for the run of a lane that holds `sequence`. The answer is an event with the handle that
  /// comes back. With `skipsUnreadable` a block that the device can't read counts as damaged; with
  /// `segment` only what that one holds counts.
  public mutating func request(
    _ lane: LaneHash, from sequence: UInt64, skipsUnreadable: Bool = false,
    in segment: UInt32? = nil
  ) -> UInt32 {
    repeat { lastHandle &+= 1 } while requests[lastHandle] != nil
    requests[lastHandle] = Request(
      lane: lane, sequence: sequence, skipsUnreadable: skipsUnreadable, segment: segment)
    resolve(lastHandle)
    return lastHandle
  }

  /// Looks at the run of a request that is ready: its block, and the run's place in it. The run
  /// holds the sequence asked for, and perhaps others before it.
  public func withRun<Result>(
    _ handle: UInt32, _ body: (borrowing BlockContent, Int) -> Result
  ) -> Result {
    guard case .ready(let id, let run)? = requests[handle]?.state else {
      preconditionFailure("the run is not there")
    }
    return body(blocks.entries[id].content, run)
  }

  /// Ends a request, in whatever state it is; nothing more is heard of it.
  public mutating func release(_ handle: UInt32) {
    guard let request = requests.removeValue(forKey: handle) else { return }
    if case .ready(let id, _) = request.state {
      blocks.unpin(id)
      blocks.makeRoom()
    }
  }

  /// What there is to tell, oldest first.
  public mutating func nextEvent() -> LogReadEvent? {
    while eventsTaken < events.count {
      eventsTaken += 1
      let event = events[eventsTaken - 1]
      switch event {
      case .ready(let handle):
        if requests[handle] != nil { return event }
      case .missing(let handle, _), .failed(let handle, _):
        if requests.removeValue(forKey: handle) != nil { return event }
      case .lost: return event
      }
    }
    events.removeAll(keepingCapacity: true)
    eventsTaken = 0
    return nil
  }

  mutating func tell(_ event: LogReadEvent) { events.append(event) }

  /// Finds out what a request needs next, or answers it. Nothing is asked of the disk here.
  mutating func resolve(_ handle: UInt32) {
    guard var request = requests[handle] else { return }
    let state = nextState(&request, handle)
    let wanted = if case .wants = request.state { true } else { false }
    request.state = state
    requests[handle] = request
    if case .wants = state, !wanted { wanting.append(handle) }
  }

  private mutating func nextState(_ request: inout Request, _ handle: UInt32) -> Request.State {
    while true {
      switch find(&request) {
      case .missing(let next):
        tell(.missing(handle, nextSequence: next))
        return .over
      case .wants(let want): return .wants(want)
      case .at(let id):
        guard let run = run(of: request, in: id) else {
          // The footer and the block contradict each other.
          damage(blocks.entries[id].position)
          continue
        }
        blocks.pin(id)
        tell(.ready(handle))
        return .ready(id, run: run)
      }
    }
  }

  private func run(of request: Request, in id: SlotID) -> Int? {
    blocks.entries[id].content.header.runs.firstIndex { run in
      run.lane == request.lane && run.firstSequence <= request.sequence
        && request.sequence - run.firstSequence < UInt64(run.recordCount)
    }
  }

  private enum Finding {
    case missing(UInt64?)
    case wants(Want)
    case at(SlotID)
  }

  private mutating func find(_ request: inout Request) -> Finding {
    var next = request.next
    var unread: UInt32?
    for extent in index.extents(of: request.lane) where extent.lastSequence >= request.sequence {
      let segment = extent.segment
      if let only = request.segment, only != segment { continue }
      if extent.firstSequence > request.sequence {
        next = min(next ?? .max, extent.firstSequence)
        continue
      }
      if request.examined.contains(segment) { continue }
      guard let known = runs[segment] else {
        unread = unread ?? segment
        continue
      }
      let found = known.first(of: request.lane, from: request.sequence) { offset in
        damaged.contains(SpoolPosition(segment: segment, offset: offset))
      }
      if let found, found.sequence == request.sequence {
        let position = SpoolPosition(segment: segment, offset: found.block.offset)
        if let id = blocks.place(of: position) { return .at(id) }
        return .wants(.block(position, totalBytes: found.block.totalBytes))
      }
      if let found { next = min(next ?? .max, found.sequence) }
      if !runs.isKept(segment) {
        request.examined.append(segment)
        if let found { request.next = min(request.next ?? .max, found.sequence) }
      }
    }
    if let unread { return .wants(.runs(unread)) }
    return .missing(next)
  }
}
