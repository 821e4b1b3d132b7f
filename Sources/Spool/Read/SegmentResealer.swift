import Bytes
public import IOPort

/// What became of segments without a footer.
public enum SegmentResealEvent: Sendable, Equatable {
  /// The segment has its footer on the disk, at an offset of a file that has so many bytes.
  case sealed(segment: UInt32, footerOffset: UInt32, fileBytes: UInt64)
  /// It did not come about. It is tried again unless that is final: the file is gone, or a sync
  /// failed, after which nobody would know what another one made durable.
  case failed(segment: UInt32, IOError, isFinal: Bool)
}

/// Gives segments their footer that were left without: by the end of power or of a process, or
/// because something failed.
///
/// A decider that works on one segment at a time. Nothing before the footer is touched. A segment
/// is no worse off when it fails: without a valid footer it is gone through at the next start, as
/// before.
public struct SegmentResealer: ~Copyable {
  enum Phase: UInt8, BitwiseCopyable { case idle, opening, truncating, sealing }

  let owner: UInt8
  let directory: Descriptor
  private var queue: [(footer: SegmentFooter, offset: UInt32)] = []
  private var phase = Phase.idle
  /// The segment at hand was given up; it is worked on to the end of the operation.
  private var isCancelled = false
  private var sealer: SegmentSealer?
  /// Why the file could not be cut.
  private var failure: IOError?
  private var events: [SegmentResealEvent] = []
  private var retryAt = Instant(nanoseconds: 0)
  private var backoff: Backoff

  /// A resealer of the segments in a directory, which waits between attempts as `limits` say.
  public init(owner: UInt8, directory: Descriptor, limits: LogLimits, seed: UInt64) {
    self.owner = owner
    self.directory = directory
    backoff = Backoff(
      minimumMilliseconds: limits.retryMinimumMilliseconds,
      maximumMilliseconds: limits.retryMaximumMilliseconds, seed: seed)
  }

  /// Segments that wait for their footer, with the one at hand.
  public var count: Int { queue.count }

  /// Asks for the footer of a segment whose last good block ends at `end`, and to which nothing is
  /// added any more.
  public mutating func add(_ footer: SegmentFooter, end: UInt32) {
    queue.append((footer, Self.offset(of: footer, end: end)))
  }

  /// Forgets a segment, whose file is to be removed.
  public mutating func cancel(_ segment: UInt32) {
    guard let place = queue.firstIndex(where: { $0.footer.number == segment }) else { return }
    if place == 0, phase != .idle {
      isCancelled = true
    } else {
      queue.remove(at: place)
    }
  }

  /// What there is to tell, oldest first.
  public mutating func nextEvent() -> SegmentResealEvent? {
    events.isEmpty ? nil : events.removeFirst()
  }

  /// When `flush` has something to do next.
  public var nextDeadline: Instant {
    phase == .idle && !queue.isEmpty ? retryAt : .distantFuture
  }

  /// Ends a turn: begins with the next segment.
  public mutating func flush(at now: Instant, operations: inout OperationQueue) {
    guard phase == .idle, retryAt <= now, let next = queue.first else { return }
    phase = .opening
    operations.open(
      SegmentHeader.fileName(next.footer.number), in: directory, .update, token: token)
  }

  /// Takes a completion whose token has this part's owner.
  public mutating func handle(
    _ completion: consuming Completion, at now: Instant, operations: inout OperationQueue
  ) {
    switch consume completion.event {
    case .file(let event):
      switch (phase, event) {
      case (.opening, .opened(let file, _)):
        // Whatever lies there is cut off first.
        phase = .truncating
        sealer = SegmentSealer(
          number: queue[0].footer.number, file: file, offset: queue[0].offset)
        operations.append(
          .file(.truncate(file, bytes: UInt64(queue[0].offset))), token: token)
      case (.truncating, _):
        phase = .sealing
        if case .failed(let error) = event { failure = error }
        let footer = failure == nil && !isCancelled ? queue[0].footer : nil
        let token = token
        sealer?.start(footer: footer, token: token, operations: &operations)
      case (.opening, .failed(let error)):
        finish(nil, error, isFinal: error.kind == .notFound, at: now)
      default: sealer?.handle(event, operations: &operations)
      }
    case .closed:
      let done = sealer.take()
      guard let done else { return }
      let error = failure ?? done.failure ?? IOError(.other)
      failure = nil
      finish(done.fileBytes, error, isFinal: done.isSyncFailed, at: now)
    default: break
    }
  }

  private var token: Token { Token(owner: owner, verb: LogVerb.reseal) }

  private mutating func finish(
    _ fileBytes: UInt64?, _ error: IOError, isFinal: Bool, at now: Instant
  ) {
    phase = .idle
    let (footer, offset) = queue.removeFirst()
    if isCancelled {
      isCancelled = false
      return
    }
    if let fileBytes {
      backoff.reset()
      events.append(
        .sealed(segment: footer.number, footerOffset: offset, fileBytes: fileBytes))
      return
    }
    events.append(.failed(segment: footer.number, error, isFinal: isFinal))
    // The others first, then this one again.
    if !isFinal { queue.append((footer, offset)) }
    retryAt = now.advanced(milliseconds: backoff.next())
  }

  /// Where the footer goes: behind what is damaged at the end, which stays for somebody to look at.
  private static func offset(of footer: SegmentFooter, end: UInt32) -> UInt32 {
    var gaps: UInt64 = 0
    var from = UInt64(SegmentHeader.encodedBytes)
    for block in footer.blocks {
      gaps += UInt64(block.offset) - min(from, UInt64(block.offset))
      from = UInt64(block.offset) + UInt64(block.totalBytes)
    }
    guard footer.damagedBytes > gaps else { return end }
    let tail = footer.damagedBytes - gaps
    let offset = UInt64(end) + UInt64(BlockHeader.aligned(Int(clamping: tail)))
    return offset <= UInt64(UInt32.max / 2) ? UInt32(offset) : end
  }
}
