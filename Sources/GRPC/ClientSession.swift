public import Bytes
internal import CNGHTTP2
public import IOPort

/// The client's side of one HTTP/2 connection that carries gRPC calls. It does no I/O: it is fed
/// with received bytes and writes frames to an ``Outbox``.
///
/// A turn: `receive` for each buffer, `nextEvent` until nil, `startCall`s, then `writeOutput` once
/// so that the frames of all calls leave in one send. After `receive` threw, `writeOutput` once
/// more (it tells the peer why), close the connection, and ``abandonAllCalls()``.
///
/// **Bodies by reference.** Memory given with a tag is pinned until its tag comes back, exactly
/// once for each message: out of `Outbox.takeReleasedTag()` after its last byte was taken, or out
/// of ``takeAbandonedBodyTag()`` if the call ended before. A body that takes several DATA frames
/// also releases `UInt32.max` for each piece before the last: ignore it, and use it for no body.
@safe
public struct ClientSession: ~Copyable {
  private let state: UnsafeMutablePointer<ClientState>
  /// The header fields of all methods, one list behind the other.
  private var headers: HeaderFields
  /// Fields of a method, the last of which is `grpc-timeout`.
  private let fieldCount: Int
  /// Where the fields of a method begin, by its number; -1 for no method.
  private var firstField: [Int]

  /// Opens a session for calls of `methods`, each with its path (`/package.Service/Method`).
  public init(options: Options, methods: [(method: MethodID, path: String)]) {
    unsafe state = .allocate(capacity: 1)
    let connection = unsafe HTTP2Connection(
      side: .client, userData: UnsafeMutableRawPointer(state),
      setCallbacks: { unsafe ClientCallbacks.set($0) })
    unsafe state.initialize(to: ClientState(connection: connection, options: options))
    fieldCount = 8 + options.additionalHeaders.count
    headers = HeaderFields(capacity: fieldCount * methods.count, isStable: true)
    firstField = Array(repeating: -1, count: 256)
    for (method, path) in methods {
      firstField[Int(method.rawValue)] = headers.count
      headers.append(":method", "POST")
      headers.append(":scheme", options.isSecure ? "https" : "http")
      unsafe headers.append(":path", path.utf8Span.span.bytes)
      unsafe headers.append(":authority", options.authority.utf8Span.span.bytes)
      headers.append("content-type", "application/grpc")
      headers.append("te", "trailers")
      unsafe headers.append("user-agent", options.userAgent.utf8Span.span.bytes)
      for (name, value) in options.additionalHeaders {
        unsafe headers.append(name: name.utf8Span.span.bytes, value.utf8Span.span.bytes)
      }
      headers.append("grpc-timeout", Timeout.step(0).text)
    }
    connection.start(
      settings: [
        (NGHTTP2_SETTINGS_ENABLE_PUSH, 0),
        (NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, UInt32(clamping: options.initialStreamWindowBytes)),
        (NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, UInt32(ClientState.maximumHeaderBytes)),
      ], windowBytes: options.connectionWindowBytes)
  }

  deinit {
    let connection = unsafe state.pointee.connection
    unsafe state.pointee.removeAll()
    unsafe state.deinitialize(count: 1)
    unsafe state.deallocate()
    connection.destroy()
  }

  // MARK: State

  /// How many calls may be under way at a time: the own limit or the server's, whichever is less.
  public var callLimit: Int { unsafe state.pointee.callLimit }

  /// How many calls ``startCall(_:tag:timeoutMilliseconds:message:)`` would take now.
  public var freeCallCount: Int { unsafe state.pointee.freeCallCount }

  /// Whether a call may start now: below the own and the server's limit (100 until the server told
  /// its own), the server takes calls, and stream ids are left.
  public var canStartCall: Bool { unsafe state.pointee.canStartCall }

  /// Calls that have not completed.
  public var callsInFlight: Int { unsafe state.pointee.liveCount }

  /// Whether no call will ever start here again, for GOAWAY was received, stream ids are used up or
  /// the connection failed. Calls in flight may still complete.
  public var isDraining: Bool { unsafe state.pointee.isDraining }

  /// Calls that stream ids are left for.
  public var streamIDsLeft: Int { unsafe state.pointee.streamIDsLeft }

  /// Whether ``writeOutput(to:)`` has frames to write, or will have once the outbox has room.
  public var hasOutput: Bool { unsafe state.pointee.connection.wantsWrite }

  /// Why the connection is of no use, nil while it is: what `receive` threw, or would throw now.
  public var failure: GRPCError? { unsafe state.pointee.connection.failure }

  /// Calls to the C heap since the session opened; constant in steady state.
  public var heapCallCount: Int { unsafe state.pointee.slab.heapCallCount }

  /// Bytes of memory that the session holds.
  public var heldBytes: Int { unsafe state.pointee.slab.heldBytes }

  // MARK: Calls

  /// Starts a call with one request message: head, body and tail in a row (gRPC's prefix is added).
  ///
  /// - Parameters:
  ///   - tag: names the call in events; of no other call in flight.
  ///   - timeoutMilliseconds: is sent as `grpc-timeout`, rounded up to one of few steps up to five
  ///     minutes (above: not sent). The session has no clock: the caller ends the call by
  ///     ``cancelCall(tag:)``.
  ///   - body: is sent by reference if it has at least ``referenceThresholdBytes`` and `bodyTag` is
  ///     not nil, and else copied; then `bodyTag` never comes back.
  /// - Returns: false, and nothing happened, if ``canStartCall`` is false.
  public mutating func startCall(
    _ method: MethodID, tag: UInt64, timeoutMilliseconds: Int?, head: RawSpan, body: MemorySlice,
    bodyTag: UInt32?, tail: RawSpan
  ) -> Bool {
    guard canStartCall else { return false }
    var request = SendQueue()
    let slab = unsafe state.pointee.slab
    Self.append(head: head, body: body, bodyTag: bodyTag, tail: tail, to: &request, in: slab)
    return start(method, tag: tag, timeoutMilliseconds: timeoutMilliseconds, request: request)
  }

  private static func append(
    head: RawSpan, body: MemorySlice, bodyTag: UInt32?, tail: RawSpan,
    to request: inout SendQueue, in slab: Slab
  ) {
    if let bodyTag, body.count >= Self.referenceThresholdBytes {
      precondition(bodyTag != SendQueue.pieceTag, "UInt32.max is the tag of pieces")
      request.append(head: head, referencing: body, tag: bodyTag, tail: tail, in: slab)
    } else {
      unsafe body.withBytes { bytes in
        request.append(head: head, body: bytes, tail: tail, in: slab)
      }
    }
  }

  /// Starts a call with one request message, which is copied. See the other one.
  public mutating func startCall(
    _ method: MethodID, tag: UInt64, timeoutMilliseconds: Int?, message: RawSpan
  ) -> Bool {
    guard canStartCall else { return false }
    var request = SendQueue()
    request.append(
      head: message, body: RawSpan(), tail: RawSpan(), in: unsafe state.pointee.slab)
    return start(method, tag: tag, timeoutMilliseconds: timeoutMilliseconds, request: request)
  }

  private mutating func start(
    _ method: MethodID, tag: UInt64, timeoutMilliseconds: Int?, request: SendQueue,
    isRequestOpen: Bool = false
  ) -> Bool {
    let first = firstField[Int(method.rawValue)]
    precondition(first >= 0, "the session was not opened for this method")
    assert(unsafe state.pointee.slot(ofTag: tag) == nil, "the tag names a call in flight")
    var count = fieldCount - 1
    if let limit = timeoutMilliseconds, let step = Timeout.step(forMilliseconds: limit) {
      headers.setValue(at: first + count, Timeout.step(step).text)
      count += 1
    }
    let slot = unsafe state.pointee.takeSlot(
      tag: tag, request: request, isRequestOpen: isRequestOpen)
    let connection = unsafe state.pointee.connection
    var provider = unsafe nghttp2_data_provider()
    unsafe provider.source.fd = Int32(slot)
    unsafe provider.read_callback = ClientCallbacks.readRequest
    let stream = unsafe nghttp2_submit_request(
      connection.session, nil, headers.address(of: first), count, &provider,
      UnsafeMutableRawPointer(bitPattern: slot + 1))
    precondition(stream > 0, "no memory for a call")
    unsafe state.pointee.opened(slot, stream: stream)
    return true
  }

  // MARK: Calls with several request messages

  /// Starts a call whose request stays open (client and bidirectional streaming): no message is
  /// sent yet, and no time limit. Messages follow by ``sendMessage(tag:head:body:bodyTag:tail:)``,
  /// the end of the request by ``finishRequest(tag:)``. Responses may come at any time; a server
  /// that ends the call before the request ended completes it all the same.
  ///
  /// Returns: false, and nothing happened, if ``canStartCall`` is false.
  public mutating func startStream(_ method: MethodID, tag: UInt64) -> Bool {
    guard canStartCall else { return false }
    return start(
      method, tag: tag, timeoutMilliseconds: nil, request: SendQueue(), isRequestOpen: true)
  }

  /// Queues one request message of a call that ``startStream(_:tag:)`` started: head, body and tail
  /// in a row (gRPC's prefix is added). Any number may wait, see ``unsentBytes(tag:)``.
  /// O(calls in flight).
  ///
  /// - Parameters:
  ///   - body: is sent by reference if it has at least ``referenceThresholdBytes`` and `bodyTag` is
  ///     not nil, and else copied; then `bodyTag` never comes back.
  ///   - bodyTag: comes back exactly once for each message, whatever becomes of the call.
  /// - Returns: false if the call is over or its request was finished: nothing is sent, and
  ///   `bodyTag` comes out of ``takeAbandonedBodyTag()``.
  @discardableResult
  public mutating func sendMessage(
    tag: UInt64, head: RawSpan, body: MemorySlice, bodyTag: UInt32?, tail: RawSpan
  ) -> Bool {
    guard let slot = unsafe state.pointee.openSlot(ofTag: tag) else {
      if let bodyTag, body.count >= Self.referenceThresholdBytes {
        unsafe state.pointee.abandon(bodyTag)
      }
      return false
    }
    let slab = unsafe state.pointee.slab
    unsafe state.pointee.withRequest(slot) {
      Self.append(head: head, body: body, bodyTag: bodyTag, tail: tail, to: &$0, in: slab)
    }
    unsafe state.pointee.resume(slot)
    return true
  }

  /// Ends the request of a call that ``startStream(_:tag:)`` started (END_STREAM), after the
  /// messages that are queued. Nothing happens if there is no such call or it is finished.
  public mutating func finishRequest(tag: UInt64) {
    guard let slot = unsafe state.pointee.openSlot(ofTag: tag) else { return }
    unsafe state.pointee.finishRequest(slot)
  }

  /// Bytes of a call's request that are not yet framed, because the server's flow control or the
  /// outbox holds them back. 0 for a call that is over. O(calls in flight).
  public func unsentBytes(tag: UInt64) -> Int { unsafe state.pointee.unsentBytes(ofTag: tag) }

  /// Ends a call by RST_STREAM(CANCEL). No further event has its tag, not even one that was not
  /// taken yet; the tags of its bodies come back. Nothing happens if there is no such call.
  /// O(calls in flight).
  public mutating func cancelCall(tag: UInt64) { unsafe state.pointee.cancel(tag: tag) }

  /// Sends a PING; `pong` follows.
  public mutating func sendPing() {
    unsafe nghttp2_submit_ping(state.pointee.connection.session, 0, nil)
  }

  /// The connection is gone: every call in flight completes as `unavailable`, and bodies that were
  /// not sent entirely come out of ``takeAbandonedBodyTag()`` (the outbox gives what it still names
  /// by `reset`). Nothing is read or written any more.
  public mutating func abandonAllCalls() { unsafe state.pointee.abandonAll() }

  /// The tag of a body whose call ended before the body was sent: the memory is free. nil when
  /// there is none. Take until nil after ``nextEvent()`` and ``writeOutput(to:)``.
  public mutating func takeAbandonedBodyTag() -> UInt32? {
    unsafe state.pointee.takeAbandonedTag()
  }

  // MARK: Bytes and events

  /// Takes received bytes; events follow. Throws when the connection is of no use: the server broke
  /// the protocol, or a limit. Bad calls end only themselves.
  public mutating func receive(_ bytes: RawSpan) throws(GRPCError) {
    try unsafe state.pointee.connection.receive(bytes)
  }

  /// The next event, nil when there is none. Take all before the next `receive`.
  public mutating func nextEvent() -> ClientEvent? {
    let slab = unsafe state.pointee.slab
    return unsafe state.pointee.events.next(in: slab)
  }

  /// The bytes of the `message` event that was taken last, until the next one is taken.
  public var currentMessage: RawSpan {
    @_lifetime(borrow self)
    get { unsafe _overrideLifetime(attachment(ofMessage: true), borrowing: self) }
  }

  /// The server's text (`grpc-message`, decoded) of the `completed` event that was taken last,
  /// until the next one is taken. Empty if there was none; it should be UTF-8, but nobody checked.
  public var currentStatusMessage: RawSpan {
    @_lifetime(borrow self)
    get { unsafe _overrideLifetime(attachment(ofMessage: false), borrowing: self) }
  }

  /// Whether the server did nothing of the call of the `completed` event that was taken last: it
  /// refused the stream, or told so by GOAWAY.
  public var currentCallWasUntouched: Bool { unsafe state.pointee.events.current.isUntouched }

  @_lifetime(borrow self)
  private func attachment(ofMessage wanted: Bool) -> RawSpan {
    let entry = unsafe state.pointee.events.current
    let isMessage = if case .message = entry.event { true } else { false }
    guard isMessage == wanted, let block = entry.message.block else { return RawSpan() }
    return unsafe _overrideLifetime(block.bytes(entry.message.count).bytes, borrowing: self)
  }

  /// Writes the frames that are ready, up to 256 KiB waiting in the outbox: call it once a turn,
  /// and again when the outbox was sent. It rarely adds events (a stream that could not be opened):
  /// they come with the next turn's.
  ///
  /// With a smaller `dataLimitBytes` no DATA is added beyond that, but for a frame of 4 KiB. Other
  /// frames are, unless one of DATA waits already.
  public mutating func writeOutput(to outbox: inout Outbox, dataLimitBytes: Int = .max) {
    releasePartlyFramed(to: &outbox)
    unsafe state.pointee.connection.writeOutput(to: &outbox, dataLimitBytes: dataLimitBytes)
  }

  /// Bodies that were framed in part are named by earlier pieces in the outbox. Their tags follow
  /// those as references of no bytes, as soon as other bytes follow too: an outbox gives a
  /// reference only when it sends.
  private mutating func releasePartlyFramed(to outbox: inout Outbox) {
    guard unsafe state.pointee.hasPartlyFramedTags else { return }
    if outbox.isEmpty {
      unsafe state.pointee.movePartlyFramedTags()
    } else if hasOutput {
      while let tag = unsafe state.pointee.takePartlyFramedTag() {
        outbox.appendReference(MemorySlice(), tag: tag)
      }
    }
  }
}
