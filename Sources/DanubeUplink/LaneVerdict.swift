import GRPC

/// What a failed TopicLookup or CreateProducer means for its lane.
enum LaneVerdict: Equatable {
  /// It looks its topic up again after a back-off.
  case again
  /// Only a person can change that: it rests long before it looks again.
  case blocked

  /// Judges an answer other than OK. `text` is the broker's message, `topic` the lane's topic: its
  /// name may hold any of the words that tell the reasons apart.
  init(status: StatusCode, text: [UInt8], topic: [UInt8]) {
    switch status {
    // Another dispatch strategy or schema, a bad name, or a partition of a topic that has none.
    case .failedPrecondition, .invalidArgument, .alreadyExists: self = .blocked
    // A missing role; but a topic that is about to leave the broker may be denied as well.
    case .permissionDenied:
      let words = TextSearch(text: text, leavingOut: topic)
      let isMoving = SendVerdict.movedWords.contains { words.contains($0) }
      self = isMoving || words.contains("not found") ? .again : .blocked
    // Danube says it of a topic that will be assigned soon, and of a namespace that nobody made.
    case .unavailable:
      let words = TextSearch(text: text, leavingOut: topic)
      self = words.contains("namespace") ? .blocked : .again
    default: self = .again
    }
  }
}
