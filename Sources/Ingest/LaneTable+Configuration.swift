public import Records
public import Settings

extension LaneTable {
  /// A table that begins with the lanes that the configuration names: one for each Danube topic, in
  /// the order of the routes. It has room for these at least.
  public convenience init(configuration: GatewayConfiguration, capacity: Int) {
    var topics: Set<String> = []
    let lanes = configuration.routes.filter { topics.insert($0.topic).inserted }.map {
      LaneDescription(topic: $0.topic, gatewayName: configuration.gateway.name)
    }
    self.init(capacity: max(capacity, lanes.count))
    for lane in lanes { _ = append(lane) }
  }
}

extension LaneDescription {
  /// The lane of a topic; its producer is named after the gateway: its name, a hyphen, and the
  /// topic with `/` as `-`.
  init(topic: String, gatewayName: String) {
    let suffix = topic.utf8.map { $0 == UInt8(ascii: "/") ? UInt8(ascii: "-") : $0 }
    self.init(
      topic: Array(topic.utf8), producerName: Array("\(gatewayName)-".utf8) + suffix)
  }
}
