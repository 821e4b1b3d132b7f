import CLinux
import IOPort

/// What the kernel's error numbers mean to the gateway.
enum KernelError {
  /// The error for a positive error number.
  static func ioError(_ code: Int32) -> IOError {
    IOError(kind(code), code: code)
  }

  private static func kind(_ code: Int32) -> IOError.Kind {
    switch code {
    case ECANCELED, EINTR: .cancelled
    case ECONNRESET, EPIPE, ENOTCONN, ECONNABORTED: .connectionReset
    case ECONNREFUSED: .connectionRefused
    case EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN: .unreachable
    case ETIMEDOUT: .timedOut
    case EADDRINUSE: .addressInUse
    case EADDRNOTAVAIL: .addressNotAvailable
    case EPERM, EACCES: .notPermitted
    case ENOSPC, EDQUOT, EFBIG: .noSpace
    case EROFS: .readOnly
    case EIO, EUCLEAN, ENODATA: .deviceFailed
    case ENOENT: .notFound
    case EEXIST: .alreadyExists
    case EMFILE, ENFILE, ENOBUFS, ENOMEM, EAGAIN: .resourcesExhausted
    case ENOSYS, EOPNOTSUPP, EAFNOSUPPORT, EPROTONOSUPPORT: .notSupported
    default: .other
    }
  }

  /// The system's text for an error number.
  static func text(_ code: Int32) -> String {
    guard let message = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: message)
  }
}
