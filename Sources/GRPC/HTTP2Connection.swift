internal import Bytes
internal import CNGHTTP2
internal import IOPort

/// One HTTP/2 session of the library with its memory and its way out; what client and server share.
///
/// It is a handle to a body on the heap, so that the library's callbacks and the session's own
/// calls meet only through the pointer: no Swift access is open while the library runs. Its owner
/// calls ``destroy()``.
@safe
struct HTTP2Connection: BitwiseCopyable {
  enum Side: BitwiseCopyable {
    case client
    /// With the rate of stream resets a second that the peer may reach, also as a burst.
    case server(resetsPerSecond: Int)
  }

  /// Output is produced until the outbox has this much waiting.
  static let outboxLimitBytes = 256 * 1024
  /// A DATA frame that would be cut to what the outbox may take has so many bytes at least.
  private static let leastDataBytes = 4 * 1024
  /// Control frames held until the next ``writeOutput(to:)`` are limited to this.
  private static let controlLimitBytes = 64 * 1024
  /// Malformed frames that end streams (and so cost us a reset each) before the peer is cut off.
  private static let invalidFrameLimit = 1_000
  private static let frameHeaderBytes = 9

  @safe
  private struct Body: ~Copyable {
    let slab: Slab
    var session: OpaquePointer?
    /// Frames that were made while receiving, before any outbox was there.
    var control = GrowableBytes()
    var runs: FrameRuns
    var outbox: UnsafeMutablePointer<Outbox>?
    /// DATA is produced until the outbox has this much waiting.
    var dataLimitBytes = HTTP2Connection.outboxLimitBytes
    var failure: GRPCError?
    var invalidFrameCount = 0
    var isAbandoned = false
  }

  private let body: UnsafeMutablePointer<Body>

  /// Opens a session. `userData` is what the callbacks get.
  @unsafe
  init(
    side: Side, userData: UnsafeMutableRawPointer, setCallbacks: (OpaquePointer) -> Void
  ) {
    let slab = Slab()
    unsafe body = .allocate(capacity: 1)
    let isServer = if case .server = side { true } else { false }
    unsafe body.initialize(to: Body(slab: slab, runs: FrameRuns(afterPreface: isServer)))
    var callbacks: OpaquePointer?
    var options: OpaquePointer?
    unsafe nghttp2_session_callbacks_new(&callbacks)
    unsafe nghttp2_option_new(&options)
    guard let callbacks = unsafe callbacks, let options = unsafe options else {
      preconditionFailure("no memory for an HTTP/2 session")
    }
    unsafe setCallbacks(callbacks)
    unsafe nghttp2_option_set_no_closed_streams(options, 1)
    var allocator = unsafe slab.allocator
    var session: OpaquePointer?
    switch side {
    case .client:
      unsafe nghttp2_session_client_new3(&session, callbacks, userData, options, &allocator)
    case .server(let resets):
      unsafe nghttp2_option_set_stream_reset_rate_limit(options, UInt64(resets), UInt64(resets))
      unsafe nghttp2_session_server_new3(&session, callbacks, userData, options, &allocator)
    }
    unsafe nghttp2_session_callbacks_del(callbacks)
    unsafe nghttp2_option_del(options)
    precondition(unsafe session != nil, "no memory for an HTTP/2 session")
    unsafe body.pointee.session = session
  }

  /// Frees the session and its memory.
  func destroy() {
    let slab = unsafe body.pointee.slab
    unsafe nghttp2_session_del(body.pointee.session)
    unsafe body.deinitialize(count: 1)
    unsafe body.deallocate()
    slab.destroy()
  }

  /// The library's session, for calls that run no callback.
  @unsafe
  var session: OpaquePointer? { unsafe body.pointee.session }
  /// The session's memory.
  var slab: Slab { unsafe body.pointee.slab }
  /// Why the session is of no use, nil while it is.
  var failure: GRPCError? { unsafe body.pointee.failure }

  /// Whether there are frames to write now or as soon as the outbox has room.
  var wantsWrite: Bool {
    unsafe !body.pointee.isAbandoned
      && (!body.pointee.control.isEmpty || nghttp2_session_want_write(body.pointee.session) != 0)
  }

  /// Announces the settings, and grows the connection's receive window to `windowBytes`.
  func start(settings: [(id: nghttp2_settings_id, value: UInt32)], windowBytes: Int) {
    let entries = settings.map {
      nghttp2_settings_entry(settings_id: Int32($0.id.rawValue), value: $0.value)
    }
    unsafe nghttp2_submit_settings(session, 0, entries, entries.count)
    unsafe nghttp2_session_set_local_window_size(
      session, 0, 0, Int32(clamping: max(windowBytes, 65_535)))
  }

  /// Feeds received bytes; the callbacks run. Throws once the connection is of no use, and from
  /// then on always. What the callbacks tell does not depend on how bytes are cut, but where
  /// frames come too late for a stream that was reset: they are passed over or end the connection.
  func receive(_ bytes: RawSpan) throws(GRPCError) {
    if let failure { throw failure }
    var start = 0
    while start < bytes.byteCount {
      let rest = bytes.extracting(start..<bytes.byteCount)
      let count = unsafe body.pointee.runs.next(of: rest)
      receive(run: rest.extracting(0..<count))
      if let failure { throw failure }
      start += count
    }
  }

  private func receive(run bytes: RawSpan) {
    let queued = unsafe nghttp2_session_get_outbound_queue_size(session)
    let result = unsafe bytes.withUnsafeBytes { source in
      unsafe nghttp2_session_mem_recv(
        session, source.baseAddress?.assumingMemoryBound(to: UInt8.self), source.count)
    }
    if result < 0 { fail(GRPCError(libraryCode: result)) }
    // The library reports most violations only by the GOAWAY it queues: look at what it queued.
    if unsafe nghttp2_session_get_outbound_queue_size(session) > queued { gatherControl() }
  }

  private func fail(_ error: GRPCError) {
    if unsafe body.pointee.failure == nil { unsafe body.pointee.failure = error }
  }

  /// A frame that the peer sent was not valid; too many of them end the connection.
  func countInvalidFrame() {
    unsafe body.pointee.invalidFrameCount += 1
    if unsafe body.pointee.invalidFrameCount == Self.invalidFrameLimit {
      unsafe nghttp2_session_terminate_session(session, UInt32(NGHTTP2_ENHANCE_YOUR_CALM.rawValue))
    }
  }

  private func gatherControl() {
    while unsafe body.pointee.control.count < Self.controlLimitBytes, let frame = unsafe nextFrame()
    {
      unsafe body.pointee.control.append(frame.bytes)
    }
  }

  /// The next frame of the library; it stays valid until the next call. DATA goes to the outbox by
  /// ``sendData(_:payload:)`` meanwhile, or waits where there is none.
  private func nextFrame() -> UnsafeRawBufferPointer? {
    var data: UnsafePointer<UInt8>?
    let count = unsafe nghttp2_session_mem_send(session, &data)
    guard count > 0, let data = unsafe data else {
      if count < 0 { fail(GRPCError(libraryCode: count)) }
      return nil
    }
    let frame = unsafe UnsafeRawBufferPointer(start: data, count: count)
    // A GOAWAY with an error (RFC 9113 §6.8: at byte 13 of the frame) is ours about the peer.
    if unsafe count >= 17 && data[3] == UInt8(CNGHTTP2_TYPE_GOAWAY) {
      let code = unsafe UInt32(
        bigEndian: frame.loadUnaligned(fromByteOffset: 13, as: UInt32.self))
      if code != 0 { fail(GRPCError(goAwayCode: code)) }
    }
    return unsafe frame
  }

  /// Moves frames to the outbox until there are none or it has enough waiting: DATA up to
  /// `dataLimitBytes`, of which there may be none.
  func writeOutput(to outbox: inout Outbox, dataLimitBytes: Int = outboxLimitBytes) {
    guard unsafe !body.pointee.isAbandoned else { return }
    unsafe body.pointee.dataLimitBytes = min(dataLimitBytes, Self.outboxLimitBytes)
    unsafe withUnsafeMutablePointer(to: &outbox) { outbox in
      unsafe write(to: outbox)
    }
  }

  private func write(to outbox: UnsafeMutablePointer<Outbox>) {
    guard unsafe outbox.pointee.pendingBytes < Self.outboxLimitBytes else { return }
    if unsafe !body.pointee.control.isEmpty {
      unsafe outbox.pointee.append(body.pointee.control.bytes)
      unsafe body.pointee.control.removeAll(keepingCapacityUpTo: 4096)
    }
    if failure != nil { return }
    unsafe body.pointee.outbox = outbox
    while unsafe outbox.pointee.pendingBytes < Self.outboxLimitBytes,
      let frame = unsafe nextFrame()
    {
      unsafe outbox.pointee.append(frame.bytes)
    }
    unsafe body.pointee.outbox = nil
  }

  /// How large the next DATA frame should be at most, for the sake of a small limit.
  var dataFrameBytes: Int {
    let limit = unsafe body.pointee.dataLimitBytes
    guard limit < Self.outboxLimitBytes, let outbox = unsafe body.pointee.outbox else {
      return .max
    }
    return max(Self.leastDataBytes, unsafe limit - outbox.pointee.pendingBytes)
  }

  /// Sends a DATA frame: its header and then what `payload` appends. False when it has to wait.
  @unsafe
  func sendData(
    header: UnsafePointer<UInt8>, payload: (inout Outbox) -> Void
  ) -> Bool {
    guard let outbox = unsafe body.pointee.outbox,
      unsafe outbox.pointee.pendingBytes < body.pointee.dataLimitBytes
    else { return false }
    unsafe outbox.pointee.append(
      UnsafeRawBufferPointer(start: header, count: Self.frameHeaderBytes).bytes)
    unsafe payload(&outbox.pointee)
    return true
  }

  /// A stream that had nothing to send has more, or its end.
  func resume(_ stream: Int32) {
    // It fails when the stream does not wait, and then there is nothing to do.
    _ = unsafe nghttp2_session_resume_data(session, stream)
  }

  /// Lets the peer send so much more on a stream than was received (RFC 9113 §6.9): none when 0,
  /// beyond what it was granted before.
  func setReceiveWindow(_ stream: Int32, bytes: Int) {
    unsafe nghttp2_session_set_local_window_size(session, 0, stream, Int32(clamping: bytes))
  }

  /// Resets a stream (RFC 9113 §6.4).
  func reset(_ stream: Int32, code: nghttp2_error_code) {
    unsafe nghttp2_submit_rst_stream(session, 0, stream, code.rawValue)
  }

  /// Nothing is read or written any more: the connection is gone.
  func abandon() {
    fail(GRPCError(.closed))
    unsafe body.pointee.isAbandoned = true
  }
}
