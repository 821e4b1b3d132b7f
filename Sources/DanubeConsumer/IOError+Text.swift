import IOPort

extension IOError {
  /// For people.
  var text: String {
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
      case .notSupported: "not supported"
      case .other: "input/output error"
      }
    return code == 0 ? words : "\(words) (\(code))"
  }
}
