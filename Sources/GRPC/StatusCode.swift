/// How a call ended (gRPC over HTTP/2, "Status codes"); the raw values are those on the wire.
public enum StatusCode: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  /// The call succeeded.
  case ok = 0
  /// The call was cancelled, typically by the caller.
  case cancelled
  /// No more is known; also what a peer without `grpc-status` means.
  case unknown
  /// The request is wrong whatever the state of the system.
  case invalidArgument
  /// The time limit passed; the call may have had its effect.
  case deadlineExceeded
  /// What the request names does not exist.
  case notFound
  /// What the request would create exists.
  case alreadyExists
  /// The caller may not do this.
  case permissionDenied
  /// A quota or a memory limit is reached.
  case resourceExhausted
  /// The system is not in the state that the request needs.
  case failedPrecondition
  /// A conflict with a concurrent operation.
  case aborted
  /// Past the valid range; also a message above the size limit.
  case outOfRange
  /// The method is not implemented here.
  case unimplemented
  /// An invariant of the peer is broken.
  case internalError
  /// The service cannot be reached now; trying again may help.
  case unavailable
  /// Data is lost or damaged.
  case dataLoss
  /// The caller is not known.
  case unauthenticated
}

extension StatusCode {
  /// What an HTTP status means where `grpc-status` is missing (gRPC's http-grpc-status-mapping).
  init(httpStatus: Int) {
    switch httpStatus {
    case 400: self = .internalError
    case 401: self = .unauthenticated
    case 403: self = .permissionDenied
    case 404: self = .unimplemented
    case 429, 502, 503, 504: self = .unavailable
    default: self = .unknown
    }
  }

  /// REFUSED_STREAM.
  static var refusedStream: UInt32 { 7 }

  /// What the code of a RST_STREAM means (gRPC over HTTP/2, "HTTP2 Transport Mapping"; the codes
  /// are those of RFC 9113 §7).
  init(resetCode: UInt32) {
    switch resetCode {
    case Self.refusedStream: self = .unavailable  // Nothing was done, trying again is safe.
    case 8: self = .cancelled  // CANCEL
    case 0xb: self = .resourceExhausted  // ENHANCE_YOUR_CALM
    case 0xc: self = .permissionDenied  // INADEQUATE_SECURITY
    default: self = .internalError
    }
  }

  /// The code that `grpc-status` holds in decimal; a number without a name is `unknown`.
  init?(decimal bytes: RawSpan) {
    guard bytes.byteCount <= 3, let value = bytes.decimalNumber(digits: bytes.byteCount) else {
      return nil
    }
    self = UInt8(exactly: value).flatMap(StatusCode.init(rawValue:)) ?? .unknown
  }

  /// The decimal text on the wire.
  var decimal: StaticString {
    switch self {
    case .ok: "0"
    case .cancelled: "1"
    case .unknown: "2"
    case .invalidArgument: "3"
    case .deadlineExceeded: "4"
    case .notFound: "5"
    case .alreadyExists: "6"
    case .permissionDenied: "7"
    case .resourceExhausted: "8"
    case .failedPrecondition: "9"
    case .aborted: "10"
    case .outOfRange: "11"
    case .unimplemented: "12"
    case .internalError: "13"
    case .unavailable: "14"
    case .dataLoss: "15"
    case .unauthenticated: "16"
    }
  }
}
