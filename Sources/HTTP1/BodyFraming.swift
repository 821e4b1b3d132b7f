/// How the end of a request's body is known, RFC 9112 §6.3.
public enum BodyFraming: BitwiseCopyable, Sendable, Equatable {
  /// There is no body.
  case none
  /// So many bytes, at least one.
  case length(Int)
  /// Chunks, the last one empty.
  case chunked
}
