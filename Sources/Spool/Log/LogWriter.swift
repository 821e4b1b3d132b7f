import Bytes
public import IOPort

/// Appends blocks to the log and tells when they are durable.
///
/// A decider. One write and one sync are under way at a time: what is appended while a sync runs is
/// written meanwhile and made durable by the next one, so that one sync serves everybody who
/// waited. Blocks are kept in memory until they are durable. After a write or a sync that failed,
/// nothing is believed about what was not durable before: it goes to a new segment. When the disk
/// is full the blocks wait where they are.
public struct LogWriter: ~Copyable {
  struct Pending: ~Copyable {
    var block: EncodedBlock
    let ticket: UInt64
    /// The topics of its lanes, in the order of the runs.
    let topics: [[UInt8]]
    /// Bytes that it adds to the lists of a footer, at most.
    let footerBytes: Int

    consuming func giveBack(to spare: inout SpareMemory, limitBytes: Int) {
      block.giveBack(to: &spare, limitBytes: limitBytes)
    }
  }

  let owner: UInt8
  let limits: LogLimits
  let directory: Descriptor
  let identity: SpoolIdentity
  var preparer: SegmentPreparer
  var active: ActiveSegment?
  var sealers: SlotTable<SegmentSealer>
  var blocks: SlotTable<Pending>
  /// Blocks that are not durable, in order: first those that are written, then those being
  /// written, then those that wait.
  var order: [SlotID] = []
  var writtenCount = 0
  var writingCount = 0
  /// Bytes of the write under way that were taken so far.
  var takenBytes = 0
  /// How many of the written blocks the sync under way covers; nil when there is none.
  var syncingCount: Int?
  /// When that one was asked for.
  var syncBeganAt: Instant?
  /// What was written or synced since is not to be believed: the segment is left.
  var isLeaving = false
  /// The segment at hand is to be sealed although there is room in it.
  var isToSeal = false
  /// Memory of blocks that are durable, for the next ones.
  private var spare = SpareMemory()
  /// When half of that which nobody needed since is given back; no reason to wake up by itself.
  private var spareAgeAt = Instant.distantFuture
  private static let spareAgeMilliseconds = 10_000
  /// Bytes of blocks that are not durable.
  public private(set) var queuedBytes = 0
  /// Bytes that these add to the lists of footers, at most.
  private(set) var queuedFooterBytes = 0
  /// Up to where the log is durable.
  public internal(set) var syncedPosition: SpoolPosition
  var events: [LogEvent] = []
  var eventsTaken = 0
  /// When blocks are written again after a write or a sync that failed.
  var retryAt = Instant.distantFuture
  var backoff: Backoff
  /// When the next segment is made ready again after that failed. While there is room in the one at
  /// hand nothing waits for it.
  var prepareRetryAt = Instant.distantFuture
  var prepareBackoff: Backoff
  /// The ticket of the block that was appended last; the next one gets the next number.
  public private(set) var lastTicket: UInt64 = 0
  /// Whether the disk had no space for the next segment.
  public internal(set) var isShortOfSpace = false
  /// Whether there is space for the next segment although nothing waits for it yet.
  var mayPrepareAhead = true
  /// Whether the next segment could not be made when that was last tried.
  var hasNoSegment = false
  private(set) var answersBeforeSync = false
  /// The clocks as of this turn.
  var clock = SpoolClock(bootMilliseconds: 0, wallOffsetMilliseconds: 0, bootID: 0)

  /// A writer whose first segment has the number `firstSegment`, larger than every one there is.
  public init(
    owner: UInt8, limits: LogLimits, directory: Descriptor, identity: SpoolIdentity,
    firstSegment: UInt32, synced: SpoolPosition, seed: UInt64
  ) {
    precondition(limits.segmentBytes % UInt32(BlockHeader.alignment) == 0)
    self.owner = owner
    self.limits = limits
    self.directory = directory
    self.identity = identity
    preparer = SegmentPreparer(
      token: Token(owner: owner, verb: LogVerb.prepare), directory: directory,
      identity: identity, segmentBytes: limits.segmentBytes, firstNumber: firstSegment)
    sealers = SlotTable(capacity: 1_024)
    blocks = SlotTable(capacity: 1 << 16)
    syncedPosition = synced
    backoff = Backoff(
      minimumMilliseconds: limits.retryMinimumMilliseconds,
      maximumMilliseconds: limits.retryMaximumMilliseconds, seed: seed)
    prepareBackoff = Backoff(
      minimumMilliseconds: limits.retryMinimumMilliseconds,
      maximumMilliseconds: limits.retryMaximumMilliseconds, seed: seed ^ 1)
  }

  /// Plants a fault that a test has to catch.
  mutating func plant(_ fault: PlantedSpoolFault?) {
    answersBeforeSync = fault == .answersBeforeSync
    preparer.forgetsNameSync = fault == .forgetsNameSync
  }

  /// Segments that could not be made, whose files are to be removed.
  mutating func takeLeftovers() -> [UInt32] {
    if preparer.leftovers.isEmpty { return [] }
    defer { preparer.leftovers.removeAll() }
    return preparer.leftovers
  }

  /// A number above that of every segment that blocks were added to.
  public var nextSegment: UInt32 { preparer.number }

  /// Whether one more block may be appended.
  public var hasRoom: Bool { queuedBytes < limits.queuedBytes && !blocks.isFull }

  /// Whether everything that was appended is durable.
  public var isIdle: Bool { order.isEmpty }

  /// Whether the disk is at work for blocks: a good moment to gather more of them.
  public var isBusy: Bool { writingCount > 0 || syncingCount != nil }

  /// The segment that blocks are being added to.
  public var activeSegment: UInt32? { active?.number }

  /// Bytes that still fit into the segment at hand beside its footer, less what is not durable;
  /// below zero when another segment is needed for what waits.
  public var freeBytes: Int {
    // Not all of the segment is copied for it, which would cost more than all the rest.
    guard let offset = active?.offset, let listBytes = active?.listBytes, !isLeaving else {
      return -queuedBytes - queuedFooterBytes
    }
    // A record that is larger than a segment leaves none.
    let footerBytes = SegmentFooter.encodedBytes(content: listBytes + queuedFooterBytes)
    return max(0, Int(limits.segmentBytes) - Int(offset) - footerBytes) - queuedBytes
  }

  /// Bytes that the file of the segment at hand has.
  var activeFileBytes: Int {
    guard let offset = active?.offset else { return 0 }
    return max(Int(limits.segmentBytes), Int(offset))
  }

  /// Bytes that the file of the next segment takes already.
  var nextFileBytes: Int { preparer.phase == .idle ? 0 : Int(limits.segmentBytes) }

  /// Seals the segment at hand as soon as nothing waits to be written, if there is something in it.
  mutating func sealWhenIdle() { isToSeal = true }

  /// Leaves a segment whose file is gone, if it is the one at hand: what is not durable goes to
  /// another one.
  mutating func abandon(_ segment: UInt32) {
    if active?.number == segment { isLeaving = true }
  }

  /// The newest segment whose file and name are durable; nil before the first.
  var newestSegment: UInt32? {
    preparer.phase == .ready ? preparer.number : active?.number
  }

  /// Appends a block; its ticket is told when it is durable. `topics` are those of its runs.
  public mutating func append(_ block: consuming EncodedBlock, topics: [[UInt8]]) -> UInt64 {
    precondition(topics.count == block.header.runs.count)
    lastTicket += 1
    queuedBytes += block.totalBytes
    let footerBytes = SegmentFooter.contentBytes(
      blocks: 1, runs: topics.count, lanes: topics.count,
      topicBytes: topics.reduce(0) { $0 + $1.count })
    queuedFooterBytes += footerBytes
    order.append(
      blocks.insert(
        Pending(block: block, ticket: lastTicket, topics: topics, footerBytes: footerBytes)))
    return lastTicket
  }

  /// Appends what was gathered, in memory of earlier blocks.
  public mutating func append(_ builder: inout BlockBuilder, topics: [[UInt8]]) -> UInt64 {
    append(builder.finish(using: &spare), topics: topics)
  }

  /// What there is to tell, oldest first.
  public mutating func nextEvent() -> LogEvent? {
    guard eventsTaken < events.count else {
      events.removeAll(keepingCapacity: true)
      eventsTaken = 0
      return nil
    }
    eventsTaken += 1
    return events[eventsTaken - 1]
  }

  /// When `advance` has something to do next.
  public var nextDeadline: Instant { min(retryAt, prepareRetryAt) }

  /// Tries again what failed a while ago, and gives back memory that nobody needs.
  public mutating func advance(to now: Instant, operations: inout OperationQueue) {
    if spareAgeAt <= now {
      spare.age()
      spareAgeAt = .distantFuture
    }
    if spareAgeAt == .distantFuture, spare.heldBytes > 0 {
      spareAgeAt = now.advanced(milliseconds: Self.spareAgeMilliseconds)
    }
    if retryAt <= now { retryAt = .distantFuture }
    if prepareRetryAt <= now { prepareRetryAt = .distantFuture }
  }

  func token(_ verb: UInt8, _ slot: SlotID = SlotID(index: 0, generation: 0)) -> Token {
    Token(owner: owner, verb: verb, slot: slot)
  }

  mutating func tell(_ event: LogEvent) { events.append(event) }

  mutating func fail(_ error: IOError, at now: Instant) {
    tell(.failed(error))
    retryAt = min(retryAt, now.advanced(milliseconds: backoff.next()))
  }

  /// Forgets the first `count` blocks: they are durable.
  mutating func removeDurable(_ count: Int) {
    guard count > 0, var segment = active else { return }
    // There must be one footer alone, or each change would copy all of it.
    active = nil
    var ticket: UInt64 = 0
    for place in 0..<count {
      let pending = blocks.remove(order[place])
      ticket = pending.ticket
      queuedBytes -= pending.block.totalBytes
      queuedFooterBytes -= pending.footerBytes
      let topics = pending.topics
      let header = pending.block.header
      pending.giveBack(to: &spare, limitBytes: limits.queuedBytes)
      var run = 0
      segment.add(header) { hash in
        // It asks in the order of the runs.
        while run < topics.count, header.runs[run].lane != hash { run += 1 }
        return run < topics.count ? topics[run] : []
      }
      tell(.stored(header, topics: topics))
      syncedPosition = SpoolPosition(
        segment: segment.number,
        offset: header.position.offset + UInt32(header.totalBytes))
    }
    active = segment
    order.removeFirst(count)
    writtenCount -= count
    tell(.durable(ticket: ticket))
  }
}
