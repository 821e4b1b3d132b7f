import Bytes
import Records
import Settings

/// Why a route cannot make a Danube topic of a message that it takes.
public enum RouteRefusal: UInt8, Error, CaseIterable, BitwiseCopyable, Sendable {
  /// A placeholder stands for a character that a topic cannot have, and the route refuses that.
  case invalidCharacter
  /// A placeholder stands for nothing.
  case missingValue
  /// The topic would be longer than 255 bytes.
  case topicTooLong
  /// The gateway has as many topics as it may have.
  case tooManyTopics
  /// The topic exists by another route, with other partitions or another reliability.
  case conflictingTopic

  /// The label of a metric.
  public var label: String {
    switch self {
    case .invalidCharacter: "invalid_character"
    case .missingValue: "missing_value"
    case .topicTooLong: "topic_too_long"
    case .tooManyTopics: "too_many_topics"
    case .conflictingTopic: "conflicting_topic"
    }
  }

  var text: StaticString {
    switch self {
    case .invalidCharacter: "a value has characters that a Danube topic cannot have"
    case .missingValue: "the message has no value for a placeholder of the topic"
    case .topicTooLong: "the Danube topic would be too long"
    case .tooManyTopics: "there are max_topics Danube topics already"
    case .conflictingTopic: "another route has the Danube topic with other settings"
    }
  }
}

/// Where a message goes.
enum LaneResolution: BitwiseCopyable {
  /// To a lane.
  case lane(ResolvedLane)
  /// Nowhere.
  case refused(RouteRefusal)
}

/// The lane of a message, and how its route wants it.
struct ResolvedLane: BitwiseCopyable {
  /// The Danube topic, or one of its partitions.
  let lane: LaneID
  /// Records with the same number stay in order.
  let orderHash: UInt64
  /// When the sender is answered.
  let acknowledgement: RouteConfiguration.Acknowledgement
  /// Whether characters of the topic's values were mapped.
  let isMapped: Bool
}

/// What a route adds to a record: memory that is used again.
struct RouteFields: ~Copyable {
  /// Fields that depend on the lane and the route alone, encoded.
  var prefix = GrowableBytes()
  /// Attributes, encoded.
  var attributes = GrowableBytes()
  /// The key; empty for none.
  var key = GrowableBytes()
}
