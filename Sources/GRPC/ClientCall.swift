internal import Bytes

/// One call of a client, in a slot that is reused.
struct ClientCall: BitwiseCopyable {
  /// The stream, 0 while the slot is free.
  var streamID: Int32 = 0
  /// Whether the caller still waits for events; an ended call keeps its slot until its stream is
  /// closed.
  var isLive = false
  /// What is still to be sent.
  var request = SendQueue()
  /// Whether further messages may follow those in ``request``.
  var isRequestOpen = false
  var reader = MessageReader()
  /// `:status`, 0 before it came.
  var httpStatus = 0
  /// Whether `content-type` is gRPC's.
  var isGRPC = false
  /// `grpc-status`.
  var status: StatusCode?
  /// `grpc-message`, decoded.
  var statusMessage = ReceivedMessage.empty
  /// Whether the body is no gRPC and is ignored.
  var isDiscarding = false
  /// Bytes of header fields, counted as SETTINGS_MAX_HEADER_LIST_SIZE does.
  var headerBytes = 0

  /// The status that the end of the stream leads to.
  var finalStatus: StatusCode {
    guard let status else {
      return httpStatus == 200 ? .unknown : StatusCode(httpStatus: httpStatus)
    }
    // A success must not hide that its last message is cut off.
    return status == .ok && reader.isInsideMessage ? .internalError : status
  }
}
