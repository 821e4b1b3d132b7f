internal import CNGHTTP2
internal import IOPort

/// The library's callbacks of a client session. `user` is the session's ``ClientState``; a stream's
/// own user data is the call's slot plus one.
///
/// None of them keeps the state open while it calls into the library in a way that could call back.
@safe
enum ClientCallbacks {
  private typealias State = UnsafeMutablePointer<ClientState>

  static func set(_ callbacks: OpaquePointer) {
    unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) {
      session, frame, user in
      guard let (state, slot) = unsafe ClientCallbacks.call(session, frame, user) else { return 0 }
      unsafe state.pointee.headersBegan(slot)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks) {
      session, frame, name, nameCount, value, valueCount, _, user in
      guard let (state, slot) = unsafe ClientCallbacks.call(session, frame, user) else { return 0 }
      let nameBytes = unsafe UnsafeRawBufferPointer(start: name, count: nameCount).bytes
      let valueBytes = unsafe UnsafeRawBufferPointer(start: value, count: valueCount).bytes
      let fits = unsafe state.pointee.headerReceived(slot, name: nameBytes, value: valueBytes)
      return fits ? 0 : Int32(CNGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE)
    }
    unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
      session, _, stream, data, count, user in
      guard let user = unsafe user,
        let slot = unsafe ClientCallbacks.slot(session, stream)
      else { return 0 }
      let state = unsafe user.assumingMemoryBound(to: ClientState.self)
      let bytes = unsafe UnsafeRawBufferPointer(start: data, count: count).bytes
      unsafe state.pointee.dataReceived(slot, bytes)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) {
      session, frame, user in
      unsafe ClientCallbacks.frameReceived(session, frame, user)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) {
      _, _, _, user in
      guard let user = unsafe user else { return 0 }
      unsafe user.assumingMemoryBound(to: ClientState.self).pointee.connection
        .countInvalidFrame()
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) {
      session, stream, code, user in
      guard let user = unsafe user,
        let slot = unsafe ClientCallbacks.slot(session, stream)
      else { return 0 }
      unsafe user.assumingMemoryBound(to: ClientState.self).pointee
        .streamClosed(slot, code: code)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) {
      session, frame, _, user in
      unsafe ClientCallbacks.frameNotSent(session, frame, user)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_send_data_callback(callbacks) {
      _, frame, header, count, source, user in
      unsafe ClientCallbacks.sendData(frame, header, count, source, user)
    }
  }

  /// The slot of a stream's call.
  private static func slot(_ session: OpaquePointer?, _ stream: Int32) -> Int? {
    guard let data = unsafe nghttp2_session_get_stream_user_data(session, stream) else {
      return nil
    }
    return Int(bitPattern: data) - 1
  }

  private static func call(
    _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?,
    _ user: UnsafeMutableRawPointer?
  ) -> (State, Int)? {
    guard let frame = unsafe frame, let user = unsafe user,
      let slot = unsafe slot(session, cnghttp2_stream_id(frame))
    else { return nil }
    return unsafe (user.assumingMemoryBound(to: ClientState.self), slot)
  }

  private static func frameReceived(
    _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?,
    _ user: UnsafeMutableRawPointer?
  ) {
    guard let frame = unsafe frame, let user = unsafe user else { return }
    let state = unsafe user.assumingMemoryBound(to: ClientState.self)
    let flags = unsafe Int(cnghttp2_flags(frame))
    let isAck = flags & CNGHTTP2_FLAG_ACK != 0
    switch unsafe Int(cnghttp2_type(frame)) {
    case CNGHTTP2_TYPE_HEADERS, CNGHTTP2_TYPE_DATA:
      guard let (state, slot) = unsafe call(session, frame, user) else { return }
      if unsafe Int(cnghttp2_type(frame)) == CNGHTTP2_TYPE_HEADERS {
        unsafe state.pointee.headersEnded(slot)
      }
      if flags & CNGHTTP2_FLAG_END_STREAM != 0 {
        unsafe state.pointee.streamEnded(slot)
      }
    case CNGHTTP2_TYPE_SETTINGS where !isAck:
      let limit = unsafe nghttp2_session_get_remote_settings(
        session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
      unsafe state.pointee.settingsReceived(concurrentLimit: limit)
    case CNGHTTP2_TYPE_PING where isAck:
      unsafe state.pointee.pongReceived()
    case CNGHTTP2_TYPE_GOAWAY:
      let last = unsafe cnghttp2_goaway_last_stream_id(frame)
      unsafe state.pointee.goAwayReceived(last: last) { stream in
        unsafe nghttp2_session_find_stream(session, stream) != nil
      }
    default: break
    }
  }

  /// The library resets a bad stream by closing it once RST_STREAM is sent, which it is not if the
  /// connection is to end. The call ended all the same, and by its own fault.
  private static func frameNotSent(
    _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?,
    _ user: UnsafeMutableRawPointer?
  ) {
    guard let frame = unsafe frame,
      unsafe UInt32(cnghttp2_type(frame)) == NGHTTP2_RST_STREAM.rawValue,
      let (state, slot) = unsafe call(session, frame, user)
    else { return }
    unsafe state.pointee.resetNotSent(slot)
  }

  /// Names the bytes of the next DATA frame; they are moved by `sendData`.
  static let readRequest: nghttp2_data_source_read_callback = {
    _, stream, _, limit, flags, source, user in
    guard let flags = unsafe flags, let source = unsafe source, let user = unsafe user else {
      return CNGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
    }
    let state = unsafe user.assumingMemoryBound(to: ClientState.self)
    let slot = unsafe Int(source.pointee.fd)
    guard let left = unsafe state.pointee.requestBytes(slot, stream: stream) else {
      return CNGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
    }
    let isOpen = unsafe state.pointee.isRequestOpen(slot)
    if isOpen && left == 0 { return CNGHTTP2_ERR_DEFERRED }
    let limit = unsafe min(limit, state.pointee.connection.dataFrameBytes)
    unsafe flags.pointee = UInt32(
      CNGHTTP2_DATA_NO_COPY | (left <= limit && !isOpen ? CNGHTTP2_DATA_EOF : 0))
    return min(left, limit)
  }

  private static func sendData(
    _ frame: UnsafeMutablePointer<nghttp2_frame>?, _ header: UnsafePointer<UInt8>?, _ count: Int,
    _ source: UnsafeMutablePointer<nghttp2_data_source>?, _ user: UnsafeMutableRawPointer?
  ) -> Int32 {
    guard let frame = unsafe frame, let header = unsafe header, let source = unsafe source,
      let user = unsafe user
    else { return Int32(CNGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE) }
    let state = unsafe user.assumingMemoryBound(to: ClientState.self)
    let slot = unsafe Int(source.pointee.fd)
    // The frame may have waited for room while its call was cancelled.
    guard
      let left = unsafe state.pointee.requestBytes(slot, stream: cnghttp2_stream_id(frame)),
      left >= count
    else { return Int32(CNGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE) }
    let connection = unsafe state.pointee.connection
    let slab = unsafe state.pointee.slab
    let sent = unsafe connection.sendData(header: header) { outbox in
      unsafe state.pointee.withRequest(slot) { $0.frame(count, to: &outbox, in: slab) }
    }
    return sent ? 0 : Int32(CNGHTTP2_ERR_WOULDBLOCK)
  }
}
