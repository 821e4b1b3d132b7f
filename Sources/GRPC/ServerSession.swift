internal import CNGHTTP2
public import IOPort

/// The server's side of one HTTP/2 connection that carries gRPC calls. It does no I/O: it is fed
/// with received bytes and writes frames to an ``Outbox``.
///
/// Requests have one message (unary and server streaming), but for the paths in
/// ``Options/clientStreamingPaths``: their messages are told one by one. A turn: `receive` for each
/// buffer, `nextEvent` until nil, answers, then `writeOutput` once. Answers to a stream that is
/// gone do nothing, so a late answer needs no care. After `receive` threw, `writeOutput` once more
/// (it tells the peer why), close the connection, and ``abandonAllCalls()``.
///
/// What is no gRPC request is answered here: another `content-type` by HTTP 415, another method
/// than POST by HTTP 405 (both with `unimplemented`), a compressed message by `unimplemented`, one
/// above the limit by `outOfRange`, no message or more than one where one is due by
/// `internalError`.
@safe
public struct ServerSession: ~Copyable {
  private let state: UnsafeMutablePointer<ServerState>

  /// Opens a session.
  public init(options: Options) {
    unsafe state = .allocate(capacity: 1)
    // A client may cancel all its calls at once, time after time; only a flood is cut off.
    let resets = max(1_000, 4 * options.maximumConcurrentCalls)
    let connection = unsafe HTTP2Connection(
      side: .server(resetsPerSecond: resets), userData: UnsafeMutableRawPointer(state),
      setCallbacks: { unsafe ServerCallbacks.set($0) })
    unsafe state.initialize(to: ServerState(connection: connection, options: options))
    connection.start(
      settings: [
        (NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, UInt32(clamping: options.maximumConcurrentCalls)),
        (NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, UInt32(clamping: options.initialStreamWindowBytes)),
        (NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, UInt32(ServerState.maximumHeaderBytes)),
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

  /// Calls whose streams are open.
  public var callsOpen: Int { unsafe state.pointee.openCount }

  /// Whether ``writeOutput(to:)`` has frames to write, or will have once the outbox has room.
  public var hasOutput: Bool { unsafe state.pointee.connection.wantsWrite }

  /// Why the connection is of no use, nil while it is: what `receive` threw, or would throw now.
  public var failure: GRPCError? { unsafe state.pointee.connection.failure }

  /// Calls to the C heap since the session opened; constant in steady state.
  public var heapCallCount: Int { unsafe state.pointee.slab.heapCallCount }

  /// Bytes of memory that the session holds.
  public var heldBytes: Int { unsafe state.pointee.slab.heldBytes }

  // MARK: Bytes and events

  /// Takes received bytes; events follow. Throws when the connection is of no use: the client broke
  /// the protocol, or a limit. Bad calls end only themselves.
  public mutating func receive(_ bytes: RawSpan) throws(GRPCError) {
    try unsafe state.pointee.connection.receive(bytes)
  }

  /// The next event, nil when there is none. Take all before the next `receive`.
  public mutating func nextEvent() -> ServerEvent? {
    let slab = unsafe state.pointee.slab
    return unsafe state.pointee.events.next(in: slab)
  }

  /// `:path` of the `call` or `opened` event that was taken last, until the next event is taken.
  public var currentPath: RawSpan {
    @_lifetime(borrow self)
    get {
      let entry = unsafe state.pointee.events.current
      return unsafe _overrideLifetime(bytes(of: entry.path), borrowing: self)
    }
  }

  /// The request message of the `call` or `message` event that was taken last, until the next event
  /// is taken.
  public var currentMessage: RawSpan {
    @_lifetime(borrow self)
    get {
      let entry = unsafe state.pointee.events.current
      return unsafe _overrideLifetime(bytes(of: entry.message), borrowing: self)
    }
  }

  /// `authorization` of the `call` or `opened` event that was taken last, until the next event is
  /// taken. Empty when there is none, more than one, one of more than
  /// ``maximumAuthorizationBytes``, or ``Options/keepsAuthorization`` is false.
  public var currentAuthorization: RawSpan {
    @_lifetime(borrow self)
    get {
      let entry = unsafe state.pointee.events.current
      return unsafe _overrideLifetime(bytes(of: entry.authorization), borrowing: self)
    }
  }

  /// The client's time limit (`grpc-timeout`, rounded up) of the `call` or `opened` event that was
  /// taken last; nil when there was none or it was malformed.
  public var currentTimeoutMilliseconds: Int? {
    unsafe state.pointee.events.current.timeoutMilliseconds
  }

  @_lifetime(borrow self)
  private func bytes(of message: ReceivedMessage) -> RawSpan {
    guard let block = message.block else { return RawSpan() }
    return unsafe _overrideLifetime(block.bytes(message.count).bytes, borrowing: self)
  }

  // MARK: Answers

  private func slot(_ stream: Int32) -> Int? {
    unsafe ServerCallbacks.slot(state.pointee.connection.session, stream)
  }

  /// Answers a unary call: headers, the message (copied) and an OK.
  public mutating func respond(_ stream: Int32, message: RawSpan) {
    guard let slot = slot(stream) else { return }
    unsafe state.pointee.send(slot, head: message, body: RawSpan(), tail: RawSpan())
    unsafe state.pointee.end(slot, .ok, "")
  }

  /// Answers a call by nothing but a status (trailers-only); the text is percent-encoded.
  public mutating func fail(_ stream: Int32, status: StatusCode, message: String) {
    guard let slot = slot(stream) else { return }
    unsafe state.pointee.fail(slot, status, message)
  }

  /// Begins a streamed answer: its headers are sent before the first message.
  public mutating func openStream(_ stream: Int32) {
    guard let slot = slot(stream) else { return }
    _ = unsafe state.pointee.open(slot)
  }

  /// Adds one message to a streamed answer: head, body and tail in a row, copied. See
  /// ``queuedBytes(_:)`` for how far the client is behind.
  public mutating func send(_ stream: Int32, head: RawSpan, body: RawSpan, tail: RawSpan) {
    guard let slot = slot(stream) else { return }
    unsafe state.pointee.send(slot, head: head, body: body, tail: tail)
  }

  /// Ends a streamed answer after the messages that were added.
  public mutating func endStream(_ stream: Int32, status: StatusCode, message: String) {
    guard let slot = slot(stream) else { return }
    unsafe state.pointee.end(slot, status, message)
  }

  /// Bytes of an answer that are not yet framed, because the client's flow control or the outbox
  /// holds them back. 0 for a stream that is gone.
  public func queuedBytes(_ stream: Int32) -> Int {
    guard let slot = slot(stream) else { return 0 }
    return unsafe state.pointee.calls[slot].response.byteCount
  }

  /// Stops the client from sending more messages in a call that was `opened`, or lets it go on, by
  /// flow control. What it was granted before still comes: up to
  /// ``Options/initialStreamWindowBytes``. Other calls go on.
  public mutating func setReading(_ stream: Int32, isPaused: Bool) {
    guard let slot = slot(stream) else { return }
    unsafe state.pointee.setReading(slot, isPaused: isPaused)
  }

  /// Sends a PING. Whoever lives answers it: bytes will be received.
  public mutating func sendPing() {
    unsafe nghttp2_submit_ping(state.pointee.connection.session, 0, nil)
  }

  /// Tells the client to start no more calls here (GOAWAY, RFC 9113 §6.8). Calls that arrived are
  /// still answered: the connection can be closed when ``callsOpen`` is 0.
  public mutating func shutDown() {
    let session = unsafe state.pointee.connection.session
    unsafe nghttp2_submit_goaway(
      session, 0, nghttp2_session_get_last_proc_stream_id(session), 0, nil, 0)
  }

  /// The connection is gone: every call that was announced gets its `cancelled`. Nothing is read or
  /// written any more.
  public mutating func abandonAllCalls() { unsafe state.pointee.abandonAll() }

  /// Writes the frames that are ready, up to 256 KiB waiting in the outbox: call it once a turn,
  /// and again when the outbox was sent. Answers that it completes lead to `closed` events.
  public mutating func writeOutput(to outbox: inout Outbox) {
    unsafe state.pointee.connection.writeOutput(to: &outbox)
  }
}
