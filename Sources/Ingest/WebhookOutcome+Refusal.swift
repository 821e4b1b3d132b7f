extension WebhookOutcome {
  /// What it counts as when a message was not taken; nil for what was no message, for what was
  /// taken, and for what the broker refused, which is counted when it says so.
  var refusal: IngestMetrics.Refusal? {
    switch self {
    case .noRoute: .noRoute
    case .bodyTooLarge, .recordTooLarge: .tooLarge
    case .noMemory: .noMemory
    case .noSpace: .noSpace
    case .accepted, .malformed, .wrongMethod, .tooSlow, .targetTooLong, .unknownExpectation,
      .invalidTopic, .invalidPayload, .headTooLarge, .unknownTransferCoding, .recordRefused,
      .tooManyTopics, .shuttingDown, .notSafeInTime, .unsupportedVersion, .tooManyConnections:
      nil
    }
  }
}
