public import IOPort

/// What became of segments that nobody needs.
public enum SegmentRemovalEvent: Sendable, Equatable {
  /// The segment is gone, durably.
  case removed(segment: UInt32)
  /// Its file could not be removed, or not durably; it is tried again.
  case failed(segment: UInt32, IOError)
}

/// Removes the files of segments.
///
/// A decider with one operation under way at a time. Several removals share one sync of the
/// directory. A file that can't be removed does not hold up the others, and is tried again.
///
/// A file may be emptied first, when its space is wanted before the disk may forget of it: what is
/// left is the beginning of its header, by which a start knows that what was in it is not missed.
public struct SegmentRemover: ~Copyable {
  enum Phase: UInt8, BitwiseCopyable {
    case idle, removing, syncing
    /// Of emptying.
    case opening, truncating, closing
  }

  /// Bytes that are left of a file that was emptied: magic, version and number.
  static var emptiedBytes: UInt64 { 16 }

  let owner: UInt8
  let directory: Descriptor
  private var phase = Phase.idle
  /// To be removed, the one at hand first.
  private var queue: [UInt32] = []
  /// Could not be removed; tried again later.
  private var failed: [UInt32] = []
  /// Removed, but perhaps not durably.
  private var removed: [UInt32] = []
  private var events: [SegmentRemovalEvent] = []
  private var retryAt = Instant(nanoseconds: 0)
  private var backoff: Backoff
  /// To be emptied, the one at hand first.
  private var toEmpty: [UInt32] = []
  private var file = Descriptor(rawValue: -1)

  /// A remover of segments in a directory, which waits between attempts as `limits` say.
  public init(owner: UInt8, directory: Descriptor, limits: LogLimits, seed: UInt64) {
    self.owner = owner
    self.directory = directory
    backoff = Backoff(
      minimumMilliseconds: limits.retryMinimumMilliseconds,
      maximumMilliseconds: limits.retryMaximumMilliseconds, seed: seed)
  }

  /// Segments that are not gone yet.
  public var count: Int { queue.count + failed.count + removed.count + toEmpty.count }

  /// Asks for a segment's file to be removed.
  public mutating func remove(_ segment: UInt32) { queue.append(segment) }

  /// Asks for a segment's file to be emptied, but not removed. That is tried once.
  mutating func empty(_ segment: UInt32) { toEmpty.append(segment) }

  /// What there is to tell, oldest first.
  public mutating func nextEvent() -> SegmentRemovalEvent? {
    events.isEmpty ? nil : events.removeFirst()
  }

  /// When `flush` has something to do next.
  public var nextDeadline: Instant {
    phase == .idle && !(failed.isEmpty && removed.isEmpty) ? retryAt : .distantFuture
  }

  /// Ends a turn: asks for what is to be done next.
  public mutating func flush(at now: Instant, operations: inout OperationQueue) {
    guard phase == .idle else { return }
    if retryAt <= now, !failed.isEmpty {
      queue += failed
      failed.removeAll()
    }
    if let next = toEmpty.first {
      phase = .opening
      operations.open(SegmentHeader.fileName(next), in: directory, .update, token: token)
    } else if let next = queue.first {
      phase = .removing
      operations.remove(
        SegmentHeader.fileName(next), from: directory, token: token)
    } else if !removed.isEmpty, retryAt <= now {
      phase = .syncing
      operations.append(
        .file(.sync(directory)), token: Token(owner: owner, verb: LogVerb.syncNames))
    }
  }

  private var token: Token { Token(owner: owner, verb: LogVerb.remove) }

  /// Takes a completion whose token has this part's owner.
  public mutating func handle(
    _ completion: consuming Completion, at now: Instant, operations: inout OperationQueue
  ) {
    let event: FileEvent
    switch consume completion.event {
    case .file(let known): event = known
    case .closed: event = .done
    default: return
    }
    switch phase {
    case .idle: break
    case .opening, .truncating, .closing: emptied(event, operations: &operations)
    case .removing:
      phase = .idle
      let segment = queue.removeFirst()
      if case .failed(let error) = event, error.kind != .notFound {
        failed.append(segment)
        fail([segment], error, at: now)
      } else {
        removed.append(segment)
      }
    case .syncing:
      phase = .idle
      if case .failed(let error) = event {
        fail(removed, error, at: now)
      } else {
        backoff.reset()
        for segment in removed { events.append(.removed(segment: segment)) }
        removed.removeAll()
      }
    }
  }

  private mutating func emptied(_ event: FileEvent, operations: inout OperationQueue) {
    switch (phase, event) {
    case (.opening, .opened(let descriptor, _)):
      file = descriptor
      phase = .truncating
      operations.append(.file(.truncate(file, bytes: Self.emptiedBytes)), token: token)
    case (.truncating, _):
      phase = .closing
      operations.append(.close(file), token: token)
    default:
      // Whoever wanted its space fails again, and asks for that of the next one.
      phase = .idle
      toEmpty.removeFirst()
    }
  }

  private mutating func fail(_ segments: [UInt32], _ error: IOError, at now: Instant) {
    for segment in segments { events.append(.failed(segment: segment, error)) }
    retryAt = now.advanced(milliseconds: backoff.next())
  }
}
