import Bytes
public import IOPort

/// A spool's directory, looked at or mended by a command that does nothing else meanwhile.
///
/// It finds out what there is with the very parts that a start uses, and drives the port itself:
/// every call returns when its work is done. A gateway may write to the directory at the same time
/// as long as only reading calls are made: files that vanish or change are passed over.
public struct SpoolInspection<Port: IOPort & ~Copyable>: ~Copyable {
  var port: Port
  let directory: Descriptor
  var operations = OperationQueue()
  var buffer = ReadBuffer()
  var cursorFile: CursorFile
  /// The files of the directory as they were listed.
  var files: [(name: FileName, bytes: UInt64)] = []
  /// What is in the log.
  public private(set) var log = RecoveredLog()
  /// Who has got what: from the cursor file, and from the log what that does not know.
  var state = CursorState()
  /// Whether some copy of the cursor file could be read.
  public private(set) var hasCursors = false
  /// Copies of the cursor file that are there and can't be read.
  public private(set) var damagedCursorCopies = 0

  /// What later versions of the program wrote: of that nothing is known, and nothing can be
  /// changed.
  public private(set) var laterVersions: [SpoolLaterVersion] = []

  static var token: Token { Token(owner: 1, verb: LogVerb.recover) }

  /// An inspection of a directory that `port` opened. Nothing is known before `load`.
  public init(port: consuming Port, directory: Descriptor) {
    self.port = port
    self.directory = directory
    cursorFile = CursorFile(owner: 1, directory: directory, files: [])
  }

  /// Finds out what there is; also anew. The cost is that of a start.
  public mutating func load() throws(IOError) {
    files = try port.files(in: directory)
    cursorFile = CursorFile(owner: 1, directory: directory, files: files)
    cursorFile.load(operations: &operations)
    var loaded: CursorState?
    var isLoaded = false
    while !isLoaded {
      runCursorFile()
      while let event = cursorFile.nextEvent() {
        guard case .loaded(let state, let damaged) = event else { continue }
        loaded = state
        damagedCursorCopies = damaged
        isLoaded = true
      }
    }
    hasCursors = loaded != nil
    laterVersions = cursorFile.laterVersion.map { [$0] } ?? []
    log = recover(loaded)
    laterVersions += log.laterVersions
    state = Self.learned(loaded, from: log)
  }

  mutating func runCursorFile() {
    port.submit(&operations)
    port.wait(until: .distantFuture)
    while let completion = port.next() {
      cursorFile.handle(completion, operations: &operations)
    }
  }

  private mutating func recover(_ loaded: CursorState?) -> RecoveredLog {
    var recovery = LogRecovery(
      token: Self.token, directory: directory, files: files, synced: loaded?.synced ?? .start,
      identity: loaded?.identity, nextSegment: Spool.nextSegment(of: loaded),
      listed: loaded?.segments ?? [])
    recovery.trustsFirstBlock = true
    recovery.start(operations: &operations)
    while !recovery.isDone {
      port.submit(&operations)
      port.wait(until: .distantFuture)
      while let completion = port.next() {
        recovery.handle(completion, operations: &operations)
      }
    }
    return recovery.finish()
  }

  /// What a start makes of the cursor file and of the log.
  private static func learned(_ loaded: CursorState?, from log: RecoveredLog) -> CursorState {
    var state = loaded ?? CursorState()
    if let identity = log.identity { state.identity = identity }
    state.nextSegment = max(state.nextSegment, log.nextSegment)
    state.synced = max(state.synced, log.synced)
    var places: [[UInt8]: Int] = [:]
    for (place, lane) in state.lanes.enumerated() where places[lane.topic] == nil {
      places[lane.topic] = place
    }
    for segment in log.segments {
      for lane in segment.footer.lanes where !lane.topic.isEmpty {
        let next = lane.lastSequence &+ 1
        if let place = places[lane.topic] {
          state.lanes[place].nextSequence = max(state.lanes[place].nextSequence, next)
        } else {
          places[lane.topic] = state.lanes.count
          state.lanes.append(
            LaneCursors(
              topic: lane.topic, hash: lane.hash, nextSequence: next, firstSequence: 0,
              isReliable: true,
              cursors: []))
        }
      }
    }
    return state
  }

  /// The place of a lane by its topic.
  public func lane(topic: [UInt8]) -> Int? { state.lanes.firstIndex { $0.topic == topic } }

  /// The time of day, Unix milliseconds.
  public var unixMilliseconds: UInt64 { port.unixMilliseconds }

  // MARK: Files

  /// A file that was opened to be read.
  struct OpenFile: BitwiseCopyable {
    let descriptor: Descriptor
    let bytes: UInt64
  }

  /// Opens a file to be read.
  mutating func open(_ name: FileName) throws(IOError) -> OpenFile {
    operations.open(name, in: directory, .read, token: Self.token)
    switch perform() {
    case .opened(let descriptor, let bytes): return OpenFile(descriptor: descriptor, bytes: bytes)
    case .failed(let error): throw error
    default: throw IOError(.other)
    }
  }

  /// Reads into the buffer: as much of `count` bytes from `offset` on as there is.
  mutating func read(_ file: OpenFile, at offset: UInt64, count: Int) throws(IOError) {
    buffer.reset(room: max(count, 1))
    while buffer.count < count {
      operations.append(
        .file(
          .read(
            file.descriptor, offset: offset + UInt64(buffer.count),
            into: buffer.target(upTo: count))),
        token: Self.token)
      switch perform() {
      case .transferred(let count):
        if count == 0 { return }
        buffer.advance(count)
      case .failed(let error): throw error
      default: throw IOError(.other)
      }
    }
  }

  mutating func close(_ file: OpenFile) {
    operations.append(.close(file.descriptor), token: Self.token)
    _ = perform()
  }

  /// Hands over what was asked for and waits for its end.
  private mutating func perform() -> FileEvent {
    port.submit(&operations)
    while true {
      port.wait(until: .distantFuture)
      while let completion = port.next() {
        switch consume completion.event {
        case .file(let event): return event
        case .closed: return .done
        default: break
        }
      }
    }
  }
}
