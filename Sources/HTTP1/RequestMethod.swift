/// The method of a request, RFC 9110 §9. Methods are case-sensitive.
public enum RequestMethod: UInt8, BitwiseCopyable, Sendable {
  /// GET
  case get
  /// HEAD
  case head
  /// POST
  case post
  /// PUT
  case put
  /// PATCH
  case patch
  /// DELETE
  case delete
  /// OPTIONS
  case options
  /// CONNECT
  case connect
  /// Any other token.
  case other

  init(_ token: RawSpan) {
    if token.equals("GET") {
      self = .get
    } else if token.equals("HEAD") {
      self = .head
    } else if token.equals("POST") {
      self = .post
    } else if token.equals("PUT") {
      self = .put
    } else if token.equals("PATCH") {
      self = .patch
    } else if token.equals("DELETE") {
      self = .delete
    } else if token.equals("OPTIONS") {
      self = .options
    } else if token.equals("CONNECT") {
      self = .connect
    } else {
      self = .other
    }
  }
}
