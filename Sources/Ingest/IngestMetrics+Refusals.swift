public import Metrics

extension IngestMetrics {
  /// Why a message was not taken. The device is told where its protocol has a way.
  public enum Refusal: Int, Sendable, CaseIterable {
    /// No route takes it, and `unrouted` is `reject`.
    case noRoute
    /// It is larger than Danube takes.
    case tooLarge
    /// Memory is used up, and the protocol can say so.
    case noMemory
    /// The disk is full, or fails, and the broker does not take records.
    case noSpace
    /// It has too many properties, or too large ones.
    case properties
    /// Its payload is not UTF-8 as it says.
    case payloadFormat
    /// A value has a character that a Danube topic cannot have, and the route refuses that.
    case topicCharacter
    /// The message has no value for a placeholder of the topic.
    case topicValue
    /// The Danube topic would be too long.
    case topicLength
    /// There are `max_topics` Danube topics already.
    case topicCount
    /// Another route has the Danube topic with other settings.
    case topicConflict
    /// The broker's limit is lower than Danube's.
    case brokerTooLarge
    /// The broker's schema does not allow the payload.
    case brokerInvalidPayload
    /// The broker called the request invalid.
    case brokerInvalidRequest

    var label: String {
      switch self {
      case .noRoute: "no_route"
      case .tooLarge: "too_large"
      case .noMemory: "no_memory"
      case .noSpace: "no_space"
      case .properties: "too_many_properties"
      case .payloadFormat: "payload_format"
      case .topicCharacter: RouteRefusal.invalidCharacter.label
      case .topicValue: RouteRefusal.missingValue.label
      case .topicLength: RouteRefusal.topicTooLong.label
      case .topicCount: RouteRefusal.tooManyTopics.label
      case .topicConflict: RouteRefusal.conflictingTopic.label
      case .brokerTooLarge: "broker_too_large"
      case .brokerInvalidPayload: "broker_invalid_payload"
      case .brokerInvalidRequest: "broker_invalid_request"
      }
    }
  }

  /// Why a message was thrown away although its device was told that all is well.
  public enum Drop: Int, Sendable, CaseIterable {
    /// No route takes it, and `unrouted` is `accept`.
    case noRoute
    /// Danube refused it, and its route had answered when it came.
    case refused
    /// The disk is full, or fails, and `overflow` is `drop_newest`.
    case noSpace
    /// The gateway stopped before it was safe, and its route had answered when it came.
    case shutdown

    var label: String {
      switch self {
      case .noRoute: "no_route"
      case .refused: "refused"
      case .noSpace: "no_space"
      case .shutdown: "shutdown"
      }
    }
  }

  /// Messages that were not taken, for a reason.
  public func refused(_ reason: Refusal) -> Counter { refusals[reason.rawValue] }

  /// Messages that were thrown away, or lost, for a reason.
  public func dropped(_ reason: Drop) -> Counter { drops[reason.rawValue] }

  /// Messages that matched no route, whatever became of them.
  public var unroutedCount: UInt64 { refused(.noRoute).value &+ dropped(.noRoute).value }

  /// How many messages were not taken, for each reason.
  public var refusalCounts: [(reason: String, count: UInt64)] {
    Refusal.allCases.map { ($0.label, refused($0).value) }
  }

  /// How many messages were thrown away, for each reason.
  public var dropCounts: [(reason: String, count: UInt64)] {
    Drop.allCases.map { ($0.label, dropped($0).value) }
  }

  static func refusalCounters(registry: MetricsRegistry) -> [Counter] {
    Refusal.allCases.map { reason in
      registry.counter(
        "danube_gateway_records_refused_total",
        help: "Messages not taken; their devices are told where the protocol has a way.",
        labels: [("reason", reason.label)])
    }
  }

  static func dropCounters(registry: MetricsRegistry) -> [Counter] {
    Drop.allCases.map { reason in
      registry.counter(
        "danube_gateway_records_dropped_total",
        help: "Messages thrown away or lost although their devices were told that all is well.",
        labels: [("reason", reason.label)])
    }
  }
}

extension IngestMetrics.Refusal {
  /// What a message counts as whose route cannot make a topic of it.
  init(_ refusal: RouteRefusal) {
    switch refusal {
    case .invalidCharacter: self = .topicCharacter
    case .missingValue: self = .topicValue
    case .topicTooLong: self = .topicLength
    case .tooManyTopics: self = .topicCount
    case .conflictingTopic: self = .topicConflict
    }
  }
}
