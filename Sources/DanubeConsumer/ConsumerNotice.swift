/// What people should know of a consumer as it happens.
public enum ConsumerNotice: Sendable, Equatable, CustomStringConvertible {
  /// The topic is not there yet. Told once, until a session begins.
  case waitingForTopic(topic: String)
  /// A session began: messages of the topic, or partition, come from that broker.
  case subscribed(topic: String, broker: String)
  /// A session ended; the consumer subscribes again by itself.
  case lost(topic: String, reason: String)
  /// Something failed and is tried again. The same text in a row is told once.
  case problem(String)

  /// A sentence without a full stop.
  public var description: String {
    switch self {
    case .waitingForTopic(let topic): "waiting for topic \(topic)"
    case .subscribed(let topic, let broker): "subscribed to \(topic) at \(broker)"
    case .lost(let topic, let reason): "\(topic): \(reason); subscribing again"
    case .problem(let text): text
    }
  }
}

/// Notices that wait to be taken; the oldest give way.
struct NoticeQueue {
  private static let limit = 64

  private var notices: [ConsumerNotice] = []
  private var lastProblem: ConsumerNotice?
  private var isWaitingTold = false
  /// The last text of a problem, empty when there was none.
  private(set) var lastError = ""

  mutating func append(_ notice: ConsumerNotice) {
    switch notice {
    case .waitingForTopic:
      if isWaitingTold { return }
      isWaitingTold = true
    case .subscribed:
      isWaitingTold = false
      lastProblem = nil
    case .lost(_, let reason):
      lastError = reason
    case .problem(let text):
      lastError = text
      if notice == lastProblem { return }
      lastProblem = notice
    }
    if notices.count == Self.limit { notices.removeFirst() }
    notices.append(notice)
  }

  mutating func popFirst() -> ConsumerNotice? { notices.isEmpty ? nil : notices.removeFirst() }
}
