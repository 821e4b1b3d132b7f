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
  /// any of the words that tell the reasons apart. So may `names`, by which a missing role may be
  /// told, but no schema is, and the principal that the token names.
  init(
    status: StatusCode, hasMessage: Bool, text: [UInt8], topic: [UInt8], names: [[UInt8]] = []
  ) {
    switch status {
    case .ok:
      // An OK without a MessageResponse is not the broker's word that it has the record.
      self = hasMessage ? .accepted : .retryRecord(.failed)
    case .notFound: self = .retryLane(.producerUnknown)
    case .unavailable: self = .retryLane(.unavailable)
    case .permissionDenied: self = Self.denied(text: text, topic: topic, names: names)
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

  /// What a broker says of a record that it will never take.
  private static let objectionWords = ["schema", "validation"]

  /// How a text mentions a name. One that is such a word itself only counts where it is quoted, or
  /// told to be a name.
  private static func mentions(of name: [UInt8]) -> [[UInt8]] {
    let lower = name.map { $0 >= 0x41 && $0 <= 0x5a ? $0 | 0x20 : $0 }
    guard objectionWords.contains(where: { $0.utf8.elementsEqual(lower) }) else { return [name] }
    return [("'", "'"), ("\"", "\""), ("/", ""), ("namespace ", "")].map {
      Array($0.0.utf8) + name + Array($0.1.utf8)
    }
  }

  /// Every publish failure inside the broker arrives as PERMISSION_DENIED; only its text tells.
  private static func denied(text: [UInt8], topic: [UInt8], names: [[UInt8]]) -> SendVerdict {
    let parts = topic.split(separator: UInt8(ascii: "/")).map { Array($0) }
    let mentions = (parts + names).flatMap { Self.mentions(of: $0) }
    // What a schema objects to may be said in any words, of the record itself.
    let objection = TextSearch(
      text: text, leavingOut: topic, andWhole: mentions, andNamesAfter: ["principal", "Principal"])
    for invalid in objectionWords where objection.contains(invalid) {
      return .refused(.invalidPayload)
    }
    let words = TextSearch(text: text, leavingOut: topic)
    for moved in movedWords where words.contains(moved) { return .retryLane(.topicMoved) }
    return words.contains("not found") ? .retryLane(.topicMoved) : .retryRecord(.denied)
  }
}
