internal import Bytes
internal import CNGHTTP2

/// What a ``ClientSession`` knows, reached by the library's callbacks through a pointer.
struct ClientState: ~Copyable {
  static let maximumHeaderBytes = 16 * 1024

  let connection: HTTP2Connection
  let slab: Slab
  let options: ClientSession.Options
  private var calls: [ClientCall] = []
  /// The tag of each slot, apart from the calls: cancelling looks through them.
  private var tags: [UInt64] = []
  private var freeSlots: [Int] = []
  private(set) var liveCount = 0
  var events = EventQueue<ClientEvent>()
  private var budget: MessageReader.Budget
  private var abandonedTags: [UInt32] = []
  /// Tags of bodies of which the outbox may still name a part.
  private var partlyFramedTags: [UInt32] = []
  private(set) var nextStreamID: Int64 = 1
  private(set) var peerConcurrentLimit = 100
  private(set) var hasGoAway = false

  init(connection: HTTP2Connection, options: ClientSession.Options) {
    self.connection = connection
    slab = connection.slab
    self.options = options
    budget = MessageReader.Budget(
      maximumMessageBytes: options.maximumMessageBytes,
      maximumBufferedBytes: max(options.maximumBufferedBytes, options.maximumMessageBytes))
  }

  // MARK: Calls

  var streamIDsLeft: Int {
    max(0, Int((Int64(options.lastStreamID) - nextStreamID + 2) / 2))
  }

  var isDraining: Bool { hasGoAway || streamIDsLeft == 0 || connection.failure != nil }

  /// The own limit on calls or the peer's, whichever is less.
  var callLimit: Int { min(options.maximumConcurrentCalls, peerConcurrentLimit) }

  /// Calls that may be started now.
  var freeCallCount: Int {
    isDraining ? 0 : max(callLimit - (calls.count - freeSlots.count), 0)
  }

  var canStartCall: Bool { freeCallCount > 0 }

  /// A slot for a call with the message that was queued, or whose messages follow; so does the
  /// stream.
  mutating func takeSlot(tag: UInt64, request: SendQueue, isRequestOpen: Bool) -> Int {
    let slot: Int
    if let free = freeSlots.popLast() {
      slot = free
    } else {
      slot = calls.count
      calls.append(ClientCall())
      tags.append(0)
    }
    calls[slot].isLive = true
    calls[slot].request = request
    calls[slot].isRequestOpen = isRequestOpen
    tags[slot] = tag
    liveCount += 1
    return slot
  }

  /// The library opened a stream for the slot.
  mutating func opened(_ slot: Int, stream: Int32) {
    calls[slot].streamID = stream
    nextStreamID = Int64(stream) + 2
  }

  /// The slot of a call that its caller waits for.
  func slot(ofTag tag: UInt64) -> Int? {
    for slot in tags.indices where tags[slot] == tag && calls[slot].isLive { return slot }
    return nil
  }

  mutating func cancel(tag: UInt64) {
    events.withdraw(in: slab) { event in
      switch event {
      case .message(let other), .completed(let other, _): other == tag
      default: false
      }
    }
    guard let slot = slot(ofTag: tag) else { return }
    connection.reset(calls[slot].streamID, code: NGHTTP2_CANCEL)
    release(slot)
  }

  /// The call is over for its caller: what it holds is given back. The slot stays until the stream
  /// is closed.
  private mutating func release(_ slot: Int) {
    guard calls[slot].isLive else { return }
    calls[slot].isLive = false
    liveCount -= 1
    calls[slot].reader.removeAll(budget: &budget, in: slab)
    calls[slot].statusMessage.free(in: slab)
    calls[slot].statusMessage = .empty
    calls[slot].isRequestOpen = false
    while let abandoned = calls[slot].request.abandonNext(in: slab) {
      if abandoned.isPartlyFramed {
        partlyFramedTags.append(abandoned.tag)
      } else {
        abandonedTags.append(abandoned.tag)
      }
    }
  }

  private mutating func complete(_ slot: Int, _ status: StatusCode, isUntouched: Bool = false) {
    guard calls[slot].isLive else { return }
    let text = calls[slot].statusMessage
    calls[slot].statusMessage = .empty
    events.append(
      .init(
        event: .completed(tag: tags[slot], status: status), message: text, isUntouched: isUntouched)
    )
    release(slot)
  }

  /// Ends a call whose response cannot be used.
  private mutating func giveUp(_ slot: Int, _ status: StatusCode) {
    connection.reset(calls[slot].streamID, code: NGHTTP2_CANCEL)
    complete(slot, status)
  }

  /// The connection is gone: every call completes.
  mutating func abandonAll() {
    connection.abandon()
    for slot in calls.indices { complete(slot, .unavailable) }
    movePartlyFramedTags()
  }

  // MARK: Tags of bodies

  mutating func takeAbandonedTag() -> UInt32? { abandonedTags.popLast() }

  /// Gives back a body that was not even queued.
  mutating func abandon(_ tag: UInt32) { abandonedTags.append(tag) }

  var hasPartlyFramedTags: Bool { !partlyFramedTags.isEmpty }

  mutating func takePartlyFramedTag() -> UInt32? { partlyFramedTags.popLast() }

  /// The outbox names none of their memory any more.
  mutating func movePartlyFramedTags() {
    abandonedTags.append(contentsOf: partlyFramedTags)
    partlyFramedTags.removeAll(keepingCapacity: true)
  }

  // MARK: What the callbacks tell

  mutating func headersBegan(_ slot: Int) {
    calls[slot].headerBytes = 0
  }

  /// A header field or trailer. False when the list is too long: the stream is then reset.
  mutating func headerReceived(_ slot: Int, name: RawSpan, value: RawSpan) -> Bool {
    calls[slot].headerBytes += name.byteCount + value.byteCount + 32
    guard calls[slot].headerBytes <= Self.maximumHeaderBytes else { return false }
    guard calls[slot].isLive else { return true }
    if name.equals(":status") {
      calls[slot].httpStatus = value.decimalNumber(digits: 3) ?? 0
    } else if name.equals("grpc-status") {
      // What is no number is no status that anybody can act on.
      calls[slot].status = StatusCode(decimal: value) ?? .unknown
    } else if name.equals("grpc-message") {
      let block = SlabBlock(byteCount: value.byteCount, in: slab)
      calls[slot].statusMessage.free(in: slab)
      calls[slot].statusMessage = ReceivedMessage(
        block: block, count: PercentCoding.decode(value, into: block))
    } else if name.equals("content-type") {
      calls[slot].isGRPC = value.starts(with: "application/grpc")
    }
    return true
  }

  /// A header block is complete.
  mutating func headersEnded(_ slot: Int) {
    // An informational response (RFC 9110 §15.2) is no response yet.
    guard calls[slot].httpStatus >= 200 else { return }
    calls[slot].isDiscarding = calls[slot].httpStatus != 200 || !calls[slot].isGRPC
  }

  mutating func dataReceived(_ slot: Int, _ bytes: RawSpan) {
    var reader = ByteReader(bytes)
    while calls[slot].isLive, !calls[slot].isDiscarding, !reader.isAtEnd {
      switch calls[slot].reader.read(&reader, budget: &budget, in: slab) {
      case .needMore: return
      case .message(let message):
        events.append(.init(event: .message(tag: tags[slot]), message: message))
      case .compressed, .malformed: giveUp(slot, .internalError)
      case .tooLarge, .overBudget: giveUp(slot, .resourceExhausted)
      }
    }
  }

  /// The server ended its direction.
  mutating func streamEnded(_ slot: Int) {
    guard calls[slot].isLive else { return }
    // The server answered without reading all: there is nothing to send the rest for.
    if calls[slot].request.byteCount > 0 || calls[slot].isRequestOpen {
      connection.reset(calls[slot].streamID, code: NGHTTP2_CANCEL)
    }
    complete(slot, calls[slot].finalStatus)
  }

  /// The stream is closed in both directions.
  mutating func streamClosed(_ slot: Int, code: UInt32) {
    complete(slot, StatusCode(resetCode: code), isUntouched: code == StatusCode.refusedStream)
    calls[slot] = ClientCall()
    freeSlots.append(slot)
  }

  /// The stream was to be reset for a fault of the server, but the connection ends first.
  mutating func resetNotSent(_ slot: Int) { complete(slot, .internalError) }

  mutating func settingsReceived(concurrentLimit: UInt32) {
    peerConcurrentLimit = Int(concurrentLimit)
    events.append(.init(event: .settings))
  }

  mutating func pongReceived() { events.append(.init(event: .pong)) }

  /// Streams above `last` were not and will not be looked at (RFC 9113 §6.8), and the library sends
  /// no request from now on.
  mutating func goAwayReceived(last: Int32, isSent: (Int32) -> Bool) {
    hasGoAway = true
    for slot in calls.indices where calls[slot].isLive {
      let stream = calls[slot].streamID
      if stream > last || !isSent(stream) { complete(slot, .unavailable, isUntouched: true) }
    }
    events.append(.init(event: .goAway))
  }

  // MARK: Sending

  /// Bytes of a call's request that are not yet framed; nil when the call is over.
  func requestBytes(_ slot: Int, stream: Int32) -> Int? {
    guard slot < calls.count, calls[slot].streamID == stream, calls[slot].isLive else { return nil }
    return calls[slot].request.byteCount
  }

  /// Whether messages may follow those that the call's request holds now.
  func isRequestOpen(_ slot: Int) -> Bool { calls[slot].isRequestOpen }

  /// The slot of a call that takes messages.
  func openSlot(ofTag tag: UInt64) -> Int? {
    guard let slot = slot(ofTag: tag), calls[slot].isRequestOpen else { return nil }
    return slot
  }

  /// Bytes of a call's request that are not yet framed; 0 when the call is over.
  func unsentBytes(ofTag tag: UInt64) -> Int {
    slot(ofTag: tag).map { calls[$0].request.byteCount } ?? 0
  }

  /// Ends the request after the messages that are queued.
  mutating func finishRequest(_ slot: Int) {
    calls[slot].isRequestOpen = false
    resume(slot)
  }

  /// There is more to send, or the end.
  func resume(_ slot: Int) { connection.resume(calls[slot].streamID) }

  /// Runs `body` with the queue of a call's request.
  mutating func withRequest(_ slot: Int, _ body: (inout SendQueue) -> Void) {
    body(&calls[slot].request)
  }

  mutating func removeAll() {
    for slot in calls.indices { release(slot) }
    events.removeAll(in: slab)
  }
}
