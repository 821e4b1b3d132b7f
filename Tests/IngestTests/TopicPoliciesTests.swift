import Ingest
import Records
import Settings
import Testing

@Suite("Topics of an earlier start have the policies of the routes that may have made them")
struct TopicPoliciesTests {
  private func route(
    _ to: String, partitions: Int = 0, _ priority: RouteConfiguration.Priority
  ) throws -> RouteConfiguration {
    var route = try RouteConfiguration(mqtt: "+/+/#", to: to)
    route.priority = priority
    route.partitions = partitions
    return route
  }

  @Test(
    "A topic is told by what the template says literally",
    arguments: [
      ("/default/low1", LanePolicy.Priority.low), ("/default/lo", .normal),
      ("/default/high-7-x", .high), ("/default/high-7-y", .normal),
      ("/default/low-and-high--x", .low), ("/plant/a/b", .normal), ("/plant/part", .normal),
      ("/plant/parts3", .low), ("/plant/parts3-part-12", .low), ("/plant/parts3-part-", .low),
      ("/other/x", .normal),
    ])
  func matching(topic: String, expected: LanePolicy.Priority) throws {
    let configuration = GatewayConfiguration(routes: [
      try route("/default/low{1}", .low), try route("/default/high-{1}-x", .high),
      try route("/plant/parts{1}", partitions: 16, .low),
    ])
    let policy = TopicPolicies(configuration).policy(of: Array(topic.utf8))
    #expect(policy.priority == expected)
  }

  @Test("Of several routes it is the strictest order and the highest priority")
  func several() throws {
    var first = try route("/default/{1}", .low)
    first.order = .topic
    first.acknowledgement = .disk
    let configuration = GatewayConfiguration(routes: [first, try route("/default/a{1}", .high)])
    let policy = TopicPolicies(configuration).policy(of: Array("/default/ab".utf8))
    #expect(policy.priority == .high && policy.order == .topic && policy.storage == .always)
  }
}
