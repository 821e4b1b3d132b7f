import Bytes
import IOPort

/// Makes the next segment ready before it is needed: a new file with its space reserved and its
/// header, made durable, and then its name.
///
/// A file that could not be made ready is removed; the next attempt takes the next number, so that
/// nothing is ever written over.
struct SegmentPreparer: ~Copyable {
  enum Phase: UInt8, BitwiseCopyable {
    case idle, opening, allocating, writing, syncing, syncingName, ready
    /// The file is being closed after a failure, then removed.
    case closing, removing
  }

  let token: Token
  let directory: Descriptor
  let identity: SpoolIdentity
  let segmentBytes: UInt32
  private(set) var phase = Phase.idle
  /// The number of the segment at hand, or of the next one.
  private(set) var number: UInt32
  private(set) var file: Descriptor?
  /// Why the last attempt failed.
  private var failure = IOError(.other)
  private var header = GrowableBytes()
  private var written = 0
  /// Files that could not be made ready, nor removed.
  var leftovers: [UInt32] = []
  var forgetsNameSync = false

  init(
    token: Token, directory: Descriptor, identity: SpoolIdentity, segmentBytes: UInt32,
    firstNumber: UInt32
  ) {
    self.token = token
    self.directory = directory
    self.identity = identity
    self.segmentBytes = segmentBytes
    number = firstNumber
  }

  /// Begins, if nothing is under way and no segment is ready.
  mutating func start(clock: SpoolClock, operations: inout OperationQueue) {
    guard phase == .idle, number < SegmentHeader.endOfNumbers else { return }
    header.removeAll()
    SegmentHeader(number: number, identity: identity, clock: clock).encode(into: &header)
    written = 0
    phase = .opening
    operations.open(SegmentHeader.fileName(number), in: directory, .create, token: token)
  }

  /// Gives the ready segment away.
  mutating func take() -> (number: UInt32, file: Descriptor)? {
    guard phase == .ready, let file else { return nil }
    defer {
      phase = .idle
      number += 1
      self.file = nil
    }
    return (number, file)
  }

  /// Takes what became of the operation; answers an error when the attempt is over without a
  /// segment.
  mutating func handle(_ event: FileEvent, operations: inout OperationQueue) -> IOError? {
    switch (phase, event) {
    case (.opening, .opened(let descriptor, _)):
      file = descriptor
      phase = .allocating
      operations.append(
        .file(.allocate(descriptor, bytes: UInt64(segmentBytes))), token: token)
    case (.opening, .failed(let error)):
      phase = .idle
      // Somebody's file: ours have other numbers.
      if error.kind == .alreadyExists { number += 1 }
      return error
    case (.allocating, .done), (.writing, .transferred):
      if case .transferred(let count) = event { written += count }
      write(operations: &operations)
    case (.allocating, .failed(let error)) where error.kind == .notSupported:
      write(operations: &operations)
    case (.syncing, .done) where forgetsNameSync: phase = .ready
    case (.syncing, .done):
      phase = .syncingName
      operations.append(.file(.sync(directory)), token: token)
    case (.syncingName, .done): phase = .ready
    case (.removing, _):
      phase = .idle
      if case .failed(let error) = event, error.kind != .notFound { leftovers.append(number) }
      number += 1
      return failure
    case (_, .failed(let error)): abandon(error, operations: &operations)
    default: preconditionFailure("an answer to nothing asked for")
    }
    return nil
  }

  /// The close of a file that failed is over.
  mutating func closed(operations: inout OperationQueue) {
    guard phase == .closing else { return }
    file = nil
    phase = .removing
    operations.remove(SegmentHeader.fileName(number), from: directory, token: token)
  }

  private mutating func write(operations: inout OperationQueue) {
    guard let file else { preconditionFailure("a segment without a file") }
    if written == header.count {
      phase = .syncing
      operations.append(.file(.sync(file)), token: token)
      return
    }
    phase = .writing
    let first = operations.beginSend()
    unsafe operations.appendSlice(
      header.slice(at: written, length: header.count - written))
    operations.endWrite(to: file, offset: UInt64(written), from: first, token: token)
  }

  private mutating func abandon(_ error: IOError, operations: inout OperationQueue) {
    failure = error
    guard let file else { preconditionFailure("a segment without a file") }
    phase = .closing
    operations.append(.close(file), token: token)
  }
}
