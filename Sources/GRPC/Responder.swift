internal import CNGHTTP2

/// Gives response headers and trailers to the library. The texts of an ordinary answer are
/// constants in stable memory, which HPACK's table knows after the first answer.
struct Responder: ~Copyable {
  /// Answers to what is no gRPC request.
  enum Refusal {
    case unsupportedMediaType
    case methodNotAllowed
  }

  private static let openingIndex = 0
  private static let openingCount = 2
  private static let successIndex = 2
  private static let mediaTypeIndex = 3
  private static let methodIndex = 5
  private static let refusalCount = 2

  private var fields = HeaderFields(capacity: 7, isStable: true)

  init() {
    fields.append(":status", "200")
    fields.append("content-type", "application/grpc")
    fields.append("grpc-status", "0")
    fields.append(":status", "415")
    fields.append("grpc-status", "12")
    fields.append(":status", "405")
    fields.append("grpc-status", "12")
  }

  /// Sends the headers of a response whose messages follow.
  func open(_ stream: Int32, slot: Int, on connection: HTTP2Connection) {
    var provider = unsafe nghttp2_data_provider()
    unsafe provider.source.fd = Int32(slot)
    unsafe provider.read_callback = ServerCallbacks.readResponse
    unsafe nghttp2_submit_response(
      connection.session, stream, fields.address(of: Self.openingIndex), Self.openingCount,
      &provider)
  }

  func refuse(_ stream: Int32, _ refusal: Refusal, on connection: HTTP2Connection) {
    let index = refusal == .methodNotAllowed ? Self.methodIndex : Self.mediaTypeIndex
    unsafe nghttp2_submit_response(
      connection.session, stream, fields.address(of: index), Self.refusalCount, nil)
  }

  /// Sends the trailers of a success.
  func succeed(_ stream: Int32, on connection: HTTP2Connection) {
    unsafe nghttp2_submit_trailer(
      connection.session, stream, fields.address(of: Self.successIndex), 1)
  }

  /// Sends trailers with a status and a text, which is percent-encoded.
  func end(
    _ stream: Int32, _ status: StatusCode, message: ReceivedMessage, on connection: HTTP2Connection
  ) {
    var trailers = HeaderFields(capacity: 2, isStable: false)
    trailers.append("grpc-status", status.decimal)
    trailers.append("grpc-message", message)
    unsafe nghttp2_submit_trailer(
      connection.session, stream, trailers.address(of: 0), trailers.count)
  }

  /// Sends a trailers-only response.
  func fail(
    _ stream: Int32, _ status: StatusCode, message: ReceivedMessage, on connection: HTTP2Connection
  ) {
    var headers = HeaderFields(capacity: 4, isStable: false)
    headers.append(":status", "200")
    headers.append("content-type", "application/grpc")
    headers.append("grpc-status", status.decimal)
    headers.append("grpc-message", message)
    unsafe nghttp2_submit_response(
      connection.session, stream, headers.address(of: 0), headers.count, nil)
  }
}
