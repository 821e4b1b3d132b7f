internal import CNGHTTP2
internal import IOPort

/// The library's callbacks of a server session. `user` is the session's ``ServerState``; a stream's
/// own user data is the call's slot plus one.
@safe
enum ServerCallbacks {
  private typealias State = UnsafeMutablePointer<ServerState>

  static func set(_ callbacks: OpaquePointer) {
    unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) {
      session, frame, user in
      unsafe ServerCallbacks.headersBegan(session, frame, user)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks) {
      session, frame, name, nameCount, value, valueCount, _, user in
      guard let (state, slot) = unsafe ServerCallbacks.call(session, frame, user) else { return 0 }
      let nameBytes = unsafe UnsafeRawBufferPointer(start: name, count: nameCount).bytes
      let valueBytes = unsafe UnsafeRawBufferPointer(start: value, count: valueCount).bytes
      let fits = unsafe state.pointee.headerReceived(slot, name: nameBytes, value: valueBytes)
      return fits ? 0 : Int32(CNGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE)
    }
    unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
      session, _, stream, data, count, user in
      guard let user = unsafe user, let slot = unsafe ServerCallbacks.slot(session, stream) else {
        return 0
      }
      let state = unsafe user.assumingMemoryBound(to: ServerState.self)
      unsafe state.pointee.dataReceived(
        slot, UnsafeRawBufferPointer(start: data, count: count).bytes)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) {
      session, frame, user in
      unsafe ServerCallbacks.frameReceived(session, frame, user)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) {
      _, _, _, user in
      guard let user = unsafe user else { return 0 }
      unsafe user.assumingMemoryBound(to: ServerState.self).pointee.connection
        .countInvalidFrame()
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) {
      session, frame, user in
      unsafe ServerCallbacks.frameSent(session, frame, user)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) {
      session, stream, _, user in
      guard let user = unsafe user, let slot = unsafe ServerCallbacks.slot(session, stream) else {
        return 0
      }
      unsafe user.assumingMemoryBound(to: ServerState.self).pointee.streamClosed(slot)
      return 0
    }
    unsafe nghttp2_session_callbacks_set_send_data_callback(callbacks) {
      _, frame, header, count, source, user in
      unsafe ServerCallbacks.sendData(frame, header, count, source, user)
    }
  }

  /// The slot of a stream's call.
  static func slot(_ session: OpaquePointer?, _ stream: Int32) -> Int? {
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
    return unsafe (user.assumingMemoryBound(to: ServerState.self), slot)
  }

  private static func headersBegan(
    _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?,
    _ user: UnsafeMutableRawPointer?
  ) {
    guard let frame = unsafe frame, let user = unsafe user,
      unsafe cnghttp2_is_request(frame) != 0
    else { return }
    let state = unsafe user.assumingMemoryBound(to: ServerState.self)
    let stream = unsafe cnghttp2_stream_id(frame)
    let slot = unsafe state.pointee.opened(stream: stream)
    unsafe nghttp2_session_set_stream_user_data(
      session, stream, UnsafeMutableRawPointer(bitPattern: slot + 1))
  }

  private static func frameReceived(
    _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?,
    _ user: UnsafeMutableRawPointer?
  ) {
    guard let frame = unsafe frame else { return }
    let type = unsafe Int(cnghttp2_type(frame))
    guard type == CNGHTTP2_TYPE_HEADERS || type == CNGHTTP2_TYPE_DATA,
      let (state, slot) = unsafe call(session, frame, user)
    else { return }
    if unsafe cnghttp2_is_request(frame) != 0 { unsafe state.pointee.headersEnded(slot) }
    if unsafe Int(cnghttp2_flags(frame)) & CNGHTTP2_FLAG_END_STREAM != 0 {
      unsafe state.pointee.streamEnded(slot)
    }
  }

  private static func frameSent(
    _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?,
    _ user: UnsafeMutableRawPointer?
  ) {
    guard let frame = unsafe frame, unsafe Int(cnghttp2_type(frame)) == CNGHTTP2_TYPE_HEADERS,
      unsafe Int(cnghttp2_flags(frame)) & CNGHTTP2_FLAG_END_STREAM != 0,
      let (state, slot) = unsafe call(session, frame, user)
    else { return }
    unsafe state.pointee.answered(slot)
  }

  /// Names the bytes of the next DATA frame; they are moved by `sendData`. At the end of the
  /// response it adds the trailers.
  static let readResponse: nghttp2_data_source_read_callback = {
    _, stream, _, limit, flags, source, user in
    guard let flags = unsafe flags, let source = unsafe source, let user = unsafe user else {
      return CNGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
    }
    let state = unsafe user.assumingMemoryBound(to: ServerState.self)
    let slot = unsafe Int(source.pointee.fd)
    guard unsafe state.pointee.holds(slot, stream: stream) else {
      return CNGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
    }
    let left = unsafe state.pointee.calls[slot].response.byteCount
    let isEnded = unsafe state.pointee.calls[slot].isEnded
    if left == 0 && !isEnded { return CNGHTTP2_ERR_DEFERRED }
    var result = left > 0 ? CNGHTTP2_DATA_NO_COPY : 0
    if isEnded && left <= limit {
      result |= CNGHTTP2_DATA_EOF | CNGHTTP2_DATA_NO_END_STREAM
      unsafe state.pointee.writeTrailers(slot)
    }
    unsafe flags.pointee = UInt32(result)
    return min(left, limit)
  }

  private static func sendData(
    _ frame: UnsafeMutablePointer<nghttp2_frame>?, _ header: UnsafePointer<UInt8>?, _ count: Int,
    _ source: UnsafeMutablePointer<nghttp2_data_source>?, _ user: UnsafeMutableRawPointer?
  ) -> Int32 {
    guard let frame = unsafe frame, let header = unsafe header, let source = unsafe source,
      let user = unsafe user
    else { return Int32(CNGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE) }
    let state = unsafe user.assumingMemoryBound(to: ServerState.self)
    let slot = unsafe Int(source.pointee.fd)
    guard unsafe state.pointee.holds(slot, stream: cnghttp2_stream_id(frame)),
      unsafe state.pointee.calls[slot].response.byteCount >= count
    else { return Int32(CNGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE) }
    let connection = unsafe state.pointee.connection
    let slab = unsafe state.pointee.slab
    let sent = unsafe connection.sendData(header: header) { outbox in
      unsafe state.pointee.withResponse(slot) { $0.frame(count, to: &outbox, in: slab) }
    }
    return sent ? 0 : Int32(CNGHTTP2_ERR_WOULDBLOCK)
  }
}
