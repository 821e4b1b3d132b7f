import Records
import Settings

/// How the records of each route are kept, with what those routes ask for that may meet it in a
/// topic.
///
/// A topic that a template makes is one with those that others make, and nobody knows before: so
/// where two routes may meet the stricter order and the slower path are both of theirs. Priority
/// and limits are not: they would be the highest of all where one route takes what others leave.
struct RoutePolicies {
  /// By number of the route.
  private(set) var policies: [LanePolicy]

  init(_ configuration: GatewayConfiguration) {
    let routes = configuration.routes
    policies = routes.map { LanePolicy($0, path: configuration.danube.path) }
    // Mostly all want the same.
    guard Set(policies.map(Demand.init)).count > 1 else { return }
    var shapes: [Shape: [Int]] = [:]
    for (number, route) in routes.enumerated() {
      shapes[Shape(route.topic, Demand(policies[number])), default: []].append(number)
    }
    let sorted = shapes.keys.sorted { $0.prefix.lexicographicallyPrecedes($1.prefix) }
    for (place, shape) in sorted.enumerated() {
      // Whatever begins with the same bytes stands behind it.
      for other in sorted[(place + 1)...] {
        guard other.prefix.starts(with: shape.prefix) else { break }
        guard other.demand != shape.demand, shape.meets(other) else { continue }
        for number in shapes[shape] ?? [] { policies[number].joinOrder(other.demand.policy) }
        for number in shapes[other] ?? [] { policies[number].joinOrder(shape.demand.policy) }
      }
    }
  }

  /// What is joined.
  private struct Demand: Hashable {
    let order: RecordOrder
    let path: LanePolicy.Path

    init(_ policy: LanePolicy) {
      order = policy.order
      path = policy.path
    }

    var policy: LanePolicy {
      var policy = LanePolicy()
      policy.order = order
      policy.path = path
      return policy
    }
  }

  /// What the topics of a route begin and end with.
  private struct Shape: Hashable {
    let prefix: [UInt8]
    let suffix: [UInt8]
    let isConstant: Bool
    let demand: Demand

    init(_ topic: Template, _ demand: Demand) {
      func literal(_ part: Template.Part?) -> [UInt8] {
        if case .literal(let bytes)? = part { bytes } else { [] }
      }
      prefix = literal(topic.parts.first)
      suffix = literal(topic.parts.last)
      isConstant = topic.isConstant
      self.demand = demand
    }

    /// Whether one topic may be of both, as far as both ends tell. The other one's prefix begins
    /// with this one's.
    func meets(_ other: Shape) -> Bool {
      if isConstant { return prefix == other.prefix && (other.isConstant || other.suffix.isEmpty) }
      let (short, long) = suffix.count < other.suffix.count ? (self, other) : (other, self)
      guard long.suffix.suffix(short.suffix.count).elementsEqual(short.suffix) else { return false }
      return !other.isConstant || other.prefix.count >= prefix.count + suffix.count
    }
  }
}
