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
      case .other: "input/output error"
      }
    return code == 0 ? words : "\(words) (\(code))"
  }
}
