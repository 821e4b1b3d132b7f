extension ServerSession {
  /// Counts a PUBLISH with QoS 1 as not read: the caller has no room for it now and will give its
  /// bytes to ``next(in:consumed:)`` again.
  public mutating func takeBackPublish(_ qos: QoS) {
    guard qos != .atMostOnce else { return }
    precondition(unansweredPublishes > 0, "there is no PUBLISH to take back")
    unansweredPublishes -= 1
  }
}
