import Bytes
public import IOPort

/// Keeps how far readers are, in two copies of a small file that are written in turn.
///
/// A decider with one operation under way at a time. The newest copy is never touched before the
/// other one is durable and newer, so that whatever happens leaves the last saved state or a later
/// one. Copies are written over in place, and the first save makes both: a save needs new space
/// only when the state outgrows what is reserved, so that a full disk does not stop it.
///
/// A copy that an earlier process wrote may be in the kernel's memory only. When it is the newest,
/// its very bytes are written again and made durable before the other copy is given up.
public struct CursorFile: ~Copyable {
  enum Phase: UInt8, BitwiseCopyable {
    case unread
    /// Of reading.
    case opening, reading, closingRead
    case idle
    /// Of writing.
    case openingToWrite, truncating, allocating, writing, syncing, closing, syncingNames
  }

  /// What a save is at.
  enum Step: UInt8, BitwiseCopyable {
    /// The newest copy is written again as it is.
    case confirm
    /// The state is written.
    case write
    /// The state is written to the other copy, too: there is nothing of use.
    case mirror
  }

  /// The verb of all operations.
  let token: Token
  let directory: Descriptor
  var phase = Phase.unread
  var copies = [CursorCopy("cursors-a"), CursorCopy("cursors-b")]
  /// The copy that is being read or written.
  var current = 0
  var file = Descriptor(rawValue: -1)
  var fileBytes = 0
  /// The copy with the newest state.
  var newest: Int?
  var lastGeneration: UInt64 = 0
  /// Failures, or changes of mind, with the copy at hand.
  var attempts = 0

  // Reading.
  var toRead: [Int] = []
  var buffer = ReadBuffer()
  var windowBytes = 0
  var loaded: CursorState?
  var damagedCopies = 0
  /// Why a copy could not be read though it is there; that of the one that may be readable soon, if
  /// there is such a one.
  private(set) var loadFailure: IOError?

  // Writing.
  var step = Step.write
  /// The copy that the state at hand goes to.
  var target = 0
  var image = CursorImage()
  /// The newest copy as it was read.
  var found = CursorImage()
  var askedBytes = 0
  var bytesToWrite = 0
  var writtenBytes = 0
  var failure: IOError?

  /// Bytes beyond the state that are reserved in each copy, at most.
  let mostSpareBytes: Int

  /// Bytes of the state that was saved last.
  var savedBytes = 0

  private var events: [CursorEvent] = []

  /// A copy of a later version of the format, if there is one: such files are left as they are, and
  /// saves fail with `notSupported`.
  public var laterVersion: SpoolLaterVersion? { laterVersions.first }
  var laterVersions: [SpoolLaterVersion] = []

  /// The cursor file of a spool's directory, which holds `files`. `owner` marks its tokens. Each
  /// copy has room for twice what is in it, but for no more than `mostSpareBytes` more.
  public init(
    owner: UInt8, directory: Descriptor, files: [(name: FileName, bytes: UInt64)],
    mostSpareBytes: Int = .max
  ) {
    self.mostSpareBytes = mostSpareBytes
    token = Token(owner: owner, verb: LogVerb.cursorFirst)
    self.directory = directory
    for copy in copies.indices {
      let file = files.first { $0.name == copies[copy].name }
      copies[copy].exists = file != nil
      copies[copy].fileBytes = file.map { Int(clamping: $0.bytes) } ?? 0
    }
  }

  /// Whether a load or save is under way.
  public var isBusy: Bool { phase != .idle && phase != .unread }

  /// Begins to read the newest state; `loaded` tells it. Once, before all else.
  public mutating func load(operations: inout OperationQueue) {
    precondition(phase == .unread)
    toRead = copies.indices.filter { copies[$0].exists }
    // There is always an answer from the disk, so that the owner always hears of it in one way.
    if toRead.isEmpty { toRead = [0] }
    readNext(operations: &operations)
  }

  /// Begins to save a state; `saved` or `failed` tells how it went. Not while one is under way.
  public mutating func save(_ state: CursorState, operations: inout OperationQueue) {
    precondition(phase == .idle, "a save before all else is over")
    guard laterVersion == nil else { return tell(.failed(IOError(.notSupported))) }
    lastGeneration += 1
    image.set(state, generation: lastGeneration)
    guard image.stateBytes <= CursorState.maximumBytes else {
      image.release()
      return tell(.failed(IOError(.other)))
    }
    target = newest.map { 1 - $0 } ?? 0
    step = needsConfirmation ? .confirm : .write
    beginWrite(operations: &operations)
  }

  /// What there is to tell, oldest first.
  public mutating func nextEvent() -> CursorEvent? {
    events.isEmpty ? nil : events.removeFirst()
  }

  /// Takes a completion whose token has this part's owner and verb.
  public mutating func handle(
    _ completion: consuming Completion, operations: inout OperationQueue
  ) {
    switch consume completion.event {
    case .file(let event):
      switch phase {
      case .opening, .reading: didRead(event, operations: &operations)
      default: didWrite(event, operations: &operations)
      }
    case .closed:
      if phase == .closingRead {
        readNext(operations: &operations)
      } else if phase == .closing {
        didClose(operations: &operations)
      }
    default: break
    }
  }

  mutating func noteUnreadable(_ error: IOError) {
    if loadFailure?.mayPass != true { loadFailure = error }
  }

  /// Whether both copies are whole: saving then needs no space that is not reserved, as long as the
  /// state does not outgrow it.
  public var hasBothCopies: Bool {
    copies.allSatisfy { $0.content == .found || $0.content == .durable }
  }

  /// Bytes that both copies take at least.
  static var leastBytes: Int { 128 << 10 }

  /// Bytes that both copies take on the disk.
  var diskBytes: Int { copies.reduce(0) { $0 + $1.fileBytes } }

  mutating func tell(_ event: CursorEvent) { events.append(event) }

  /// Whether writing would give up a copy that may be the only durable one.
  private var needsConfirmation: Bool {
    guard let newest, copies[newest].content == .found else { return false }
    return copies[target].content != .none
  }
}
