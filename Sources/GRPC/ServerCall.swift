internal import Bytes

/// One call of a server, in a slot that is reused.
struct ServerCall: BitwiseCopyable {
  /// The stream, 0 while the slot is free.
  var streamID: Int32 = 0
  /// Bytes of header fields, counted as SETTINGS_MAX_HEADER_LIST_SIZE does.
  var headerBytes = 0
  var isPost = false
  /// Whether `content-type` is gRPC's.
  var isGRPC = false
  var path = ReceivedMessage.empty
  /// `authorization`, and how many of its fields came.
  var authorization = ReceivedMessage.empty
  var authorizationCount = 0
  var timeoutMilliseconds: Int?
  var reader = MessageReader()
  var message: ReceivedMessage?
  /// Whether each message is told when it arrives, and not the request when it is complete.
  var isStreaming = false
  /// Whether the client ended its direction.
  var isRequestEnded = false
  /// Whether the event `call` was given, so that a last event has to follow.
  var isAnnounced = false
  /// What is still to be sent.
  var response = SendQueue()
  /// Whether response headers were given to the library.
  var isOpen = false
  /// Whether nothing will be added to the response.
  var isEnded = false
  /// Whether the library took the last frame.
  var isAnswered = false
  var status = StatusCode.ok
  /// `grpc-message`, encoded, until the trailers are written.
  var statusMessage = ReceivedMessage.empty
}
