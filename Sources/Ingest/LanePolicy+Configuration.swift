import Records
import Settings

extension LanePolicy {
  /// As a route has it.
  init(_ route: RouteConfiguration, path: DanubeConfiguration.Path) {
    self.init(
      order: RecordOrder(route.order), storage: Storage(route.acknowledgement),
      priority: Priority(route.priority), maximumSpoolBytes: route.spoolMaxBytes,
      maximumSpoolAgeMilliseconds: UInt64(route.spoolMaxAgeSeconds) * 1_000)
    switch path {
    case .auto: self.path = route.hasNoLiveConsumers ? .replicateBacklog : .publish
    case .produce: self.path = .publish
    case .replicate: self.path = .replicate
    }
    isSoleWriter = route.isSoleWriter
  }

  /// What several routes to one topic ask for: the strictest order and storage, the
  /// slowest path, the highest priority, the largest limits.
  mutating func join(_ other: LanePolicy) {
    joinOrder(other)
    if other.storage != .spill { storage = other.storage }
    isSoleWriter = isSoleWriter && other.isSoleWriter
    if other.priority.rawValue > priority.rawValue { priority = other.priority }
    maximumSpoolBytes = Self.larger(maximumSpoolBytes, other.maximumSpoolBytes)
    maximumSpoolAgeMilliseconds = Self.larger(
      maximumSpoolAgeMilliseconds, other.maximumSpoolAgeMilliseconds)
  }

  /// The strictest order and the slowest path of two.
  mutating func joinOrder(_ other: LanePolicy) {
    if other.order == .topic || order == .none { order = other.order }
    if other.path.rawValue < path.rawValue { path = other.path }
  }

  /// The larger of two limits, of which 0 is none.
  private static func larger<Limit: FixedWidthInteger>(_ one: Limit, _ other: Limit) -> Limit {
    one == 0 || other == 0 ? 0 : max(one, other)
  }
}

extension LanePolicy.Storage {
  /// What keeps the promise of an answer.
  init(_ acknowledgement: RouteConfiguration.Acknowledgement) {
    switch acknowledgement {
    case .durable, .received: self = .spill
    case .disk: self = .always
    case .delivered: self = .never
    }
  }
}

extension LanePolicy.Priority {
  init(_ priority: RouteConfiguration.Priority) {
    switch priority {
    case .low: self = .low
    case .normal: self = .normal
    case .high: self = .high
    }
  }
}

extension RecordOrder {
  /// As a route has it.
  init(_ order: RouteConfiguration.Order) {
    switch order {
    case .key: self = .key
    case .topic: self = .topic
    case .none: self = .none
    }
  }
}
