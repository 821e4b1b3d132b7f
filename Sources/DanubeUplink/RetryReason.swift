/// Why a record is sent again.
public enum RetryReason: UInt8, CaseIterable, Sendable {
  /// The connection ended before the answer.
  case connectionLost
  /// No answer in time.
  case deadline
  /// The broker serves the topic no more, or is going away.
  case unavailable
  /// The broker does not know the producer: it was restarted.
  case producerUnknown
  /// The topic is being moved or closed.
  case topicMoved
  /// The broker denied it and the text gives no better reason.
  case denied
  /// The broker wants credentials.
  case unauthenticated
  /// A limit of the broker.
  case exhausted
  /// Any other answer.
  case failed

  /// The value of the metric's label.
  var label: String {
    switch self {
    case .connectionLost: "connection_lost"
    case .deadline: "deadline"
    case .unavailable: "unavailable"
    case .producerUnknown: "producer_unknown"
    case .topicMoved: "topic_moved"
    case .denied: "denied"
    case .unauthenticated: "unauthenticated"
    case .exhausted: "exhausted"
    case .failed: "failed"
    }
  }
}
