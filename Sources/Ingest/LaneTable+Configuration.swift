import Bytes
public import Records
public import Settings

extension LaneTable {
  /// A table that begins with the lanes that the configuration names: those of each Danube topic
  /// without a placeholder, in the order of the routes. It has room for these at least.
  public convenience init(configuration: GatewayConfiguration, capacity: Int) {
    let policies = configuration.policies
    var topics: Set<String> = []
    var lanes: [LaneDescription] = []
    for route in configuration.routes {
      guard let topic = route.topic.constant, topics.insert(topic).inserted else { continue }
      lanes += LaneDescription.lanes(
        of: Array(topic.utf8), partitions: route.partitions, isReliable: route.isReliable,
        policy: policies[topic] ?? LanePolicy(),
        gatewayName: Array(configuration.gateway.name.utf8))
    }
    self.init(capacity: max(capacity, lanes.count))
    for lane in lanes { _ = append(lane) }
  }
}

extension LaneDescription {
  /// The lanes of a topic: one, or one for each partition.
  ///
  /// The producer is named after the gateway: its name, a hyphen, and the topic with `/` as `-`.
  /// Those of partitions have a hyphen and a number more, as Danube's clients name them.
  static func lanes(
    of topic: [UInt8], partitions: Int, isReliable: Bool, policy: LanePolicy,
    gatewayName: [UInt8]
  ) -> [LaneDescription] {
    let hyphen = UInt8(ascii: "-")
    let producer = producerName(of: topic, gatewayName: gatewayName)
    if partitions == 0 {
      return [
        LaneDescription(
          topic: topic, producerName: producer, isReliable: isReliable, policy: policy)
      ]
    }
    let mark = Array(RouteTopic.partitionMark.utf8)
    return (0..<partitions).map { number in
      let digits = Array("\(number)".utf8)
      return LaneDescription(
        topic: topic + mark + digits, producerName: producer + [hyphen] + digits,
        isReliable: isReliable, policy: policy)
    }
  }

  /// The name of the producer of a topic.
  public static func producerName(of topic: [UInt8], gatewayName: [UInt8]) -> [UInt8] {
    let hyphen = UInt8(ascii: "-")
    return gatewayName + [hyphen] + topic.map { $0 == UInt8(ascii: "/") ? hyphen : $0 }
  }
}

extension GatewayConfiguration {
  /// What all routes to each topic without placeholders ask for: of several the strictest.
  fileprivate var policies: [String: LanePolicy] {
    var policies: [String: LanePolicy] = [:]
    let joined = RoutePolicies(self).policies
    for (route, policy) in zip(routes, joined) {
      guard let topic = route.topic.constant else { continue }
      policies[topic]?.join(policy)
      if policies[topic] == nil { policies[topic] = policy }
    }
    return policies
  }
}
