import GRPC
import Records

/// What the end of a SendMessage call means for its record.
enum SendVerdict: Equatable {
  /// The broker has it.
  case accepted
  /// The broker will never take it.
  case refused(RefusalReason)
  /// The same record again, after a back-off of its key.
  case retryRecord(RetryReason)
  /// The same record again, after the lane's topic was looked up and its producer created again.
  case retryLane(RetryReason)

  /// Judges an answer. `text` is the broker's message, `topic` the lane's topic: its name may hold
  /// any of the words that tell the reasons apart.
  init(status: StatusCode, hasMessage: Bool, text: [UInt8], topic: [UInt8]) {
    switch status {
    case .ok:
      // An OK without a MessageResponse is not the broker's word that it has the record.
      self = hasMessage ? .accepted : .retryRecord(.failed)
    case .notFound: self = .retryLane(.producerUnknown)
    case .unavailable: self = .retryLane(.unavailable)
    case .permissionDenied: self = Self.denied(text: text, topic: topic)
    case .invalidArgument: self = .refused(.invalidRequest)
    case .outOfRange: self = .refused(.tooLarge)
    case .deadlineExceeded: self = .retryRecord(.deadline)
    case .resourceExhausted: self = .retryRecord(.exhausted)
    case .unauthenticated: self = .retryRecord(.unauthenticated)
    default: self = .retryRecord(.failed)
    }
  }

  /// What a broker says of a topic that leaves it.
  static let movedWords = ["draining", "closed", "not attached", "moved"]

  /// Every publish failure inside the broker arrives as PERMISSION_DENIED; only its text tells.
  private static func denied(text: [UInt8], topic: [UInt8]) -> SendVerdict {
    let words = TextSearch(text: text, leavingOut: topic)
    // What a schema objects to may be said in any words, of the record itself.
    for invalid in ["schema", "validation"] where words.contains(invalid) {
      return .refused(.invalidPayload)
    }
    for moved in movedWords where words.contains(moved) { return .retryLane(.topicMoved) }
    return words.contains("not found") ? .retryLane(.topicMoved) : .retryRecord(.denied)
  }
}
