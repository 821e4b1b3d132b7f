extension IOError {
  /// What happened in a few words, for logs and `/status`, with the system's error number.
  public var text: String {
    let words =
      switch kind {
      case .cancelled: "cancelled"
      case .connectionReset: "connection reset"
      case .connectionRefused: "connection refused"
      case .unreachable: "unreachable"
      case .timedOut: "timed out"
      case .addressInUse: "address in use"
      case .addressNotAvailable: "address not available"
      case .notPermitted: "not permitted"
      case .resourcesExhausted: "out of descriptors or memory"
      case .noSpace: "no space left on the disk"
      case .readOnly: "the file system can only be read"
      case .deviceFailed: "the disk failed"
      case .notFound: "no such file"
      case .alreadyExists: "the file exists already"
      case .notSupported: "not supported"
      case .other: Self.words(of: code)
      }
    return code == 0 ? words : "\(words) (\(code))"
  }

  /// Errors that files have and nobody decides on, by Linux's numbers.
  private static func words(of code: Int32) -> String {
    switch code {
    case 9: "the descriptor is not open"
    case 16: "in use"
    case 20: "not a directory"
    case 21: "a directory, not a file"
    case 22: "not possible there"
    case 26: "in use by a program"
    case 36: "the name is too long"
    case 39: "the directory is not empty"
    case 40: "too many links"
    case 116: "the file is not there any more"
    default: "input/output error"
    }
  }
}
