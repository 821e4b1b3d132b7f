import Records
import Settings
import Testing

@testable import Ingest

@Suite("What routes say about the spool is what their lanes have")
struct LanePolicyTests {
  private static func policy(bytes: Int, ageSeconds: Int) throws -> LanePolicy {
    var route = try RouteConfiguration(mqtt: "a", to: "/default/a")
    route.spoolMaxBytes = bytes
    route.spoolMaxAgeSeconds = ageSeconds
    return LanePolicy(route, path: .auto)
  }

  @Test(
    "Routes to one topic have the larger of their limits, and none when one has none",
    arguments: [
      ((10, 3), (20, 2), (20, 3)), ((0, 3), (20, 0), (0, 0)), ((0, 0), (0, 5), (0, 0)),
    ] as [((bytes: Int, age: Int), (bytes: Int, age: Int), (bytes: Int, age: Int))])
  func join(
    one: (bytes: Int, age: Int), other: (bytes: Int, age: Int), both: (bytes: Int, age: Int)
  ) throws {
    var policy = try Self.policy(bytes: one.bytes, ageSeconds: one.age)
    policy.join(try Self.policy(bytes: other.bytes, ageSeconds: other.age))
    #expect(policy.maximumSpoolBytes == both.bytes)
    #expect(policy.maximumSpoolAgeMilliseconds == UInt64(both.age) * 1_000)
  }

  @Test("Routes to one topic have the higher priority, and the stricter order and storage")
  func strictest() throws {
    var one = try RouteConfiguration(mqtt: "a", to: "/default/a")
    one.priority = .low
    one.order = .none
    var other = try RouteConfiguration(mqtt: "a", to: "/default/a")
    other.priority = .high
    other.order = .topic
    other.acknowledgement = .disk
    one.hasNoLiveConsumers = true
    one.isSoleWriter = true
    var policy = LanePolicy(one, path: .auto)
    #expect(policy.path == .replicateBacklog && policy.isSoleWriter)
    policy.join(LanePolicy(other, path: .auto))
    #expect(policy.priority == .high && policy.order == .topic && policy.storage == .always)
    #expect(policy.path == .publish && !policy.isSoleWriter)
    #expect(LanePolicy(one, path: .replicate).path == .replicate)
    #expect(LanePolicy(one, path: .produce).path == .publish)
  }

  /// Routes with their topics, orders and whether nobody is connected.
  private static func policies(
    _ routes: [(to: String, order: RouteConfiguration.Order, noConsumers: Bool)]
  ) throws -> [LanePolicy] {
    var configuration = GatewayConfiguration(
      routes: try routes.enumerated().map { number, entry in
        var route = try RouteConfiguration(mqtt: "\(number)/+/+", to: entry.to)
        route.order = entry.order
        route.hasNoLiveConsumers = entry.noConsumers
        route.priority = number == 0 ? .high : .low
        return route
      })
    configuration.danube.path = .auto
    return RoutePolicies(configuration).policies
  }

  @Test("Routes whose templates may make one topic have the stricter order and the slower path")
  func meeting() throws {
    let cases: [(first: String, second: String, meet: Bool)] = [
      ("/d/{1}", "/d/{2}", true), ("/d/{1}", "/d/a", true), ("/d/a", "/d/a", true),
      ("/d/a", "/d/b", false), ("/d/{1}", "/e/{1}", false), ("/d/{1}", "/d/a-{1}", true),
      ("/d/{1}-x", "/d/{1}-y", false), ("/d/{1}-x", "/d/b-x", true),
      ("/d/{1}-x", "/d/{1}", true), ("/d/{1}-x", "/d/b-y", false),
      // Nothing is between what it begins with and what it ends with.
      ("/d/ab{1}bc", "/d/abc", false), ("/d/a{1}", "/d/a", true),
    ]
    for (first, second, meet) in cases {
      for isTurned in [false, true] {
        let loose = (isTurned ? second : first, RouteConfiguration.Order.none, true)
        let strict = (isTurned ? first : second, RouteConfiguration.Order.key, false)
        let policies = try Self.policies([loose, strict])
        let comment: Comment = "\(first), \(second), \(isTurned)"
        #expect(policies[0].order == (meet ? .key : .none), comment)
        #expect(policies[0].path == (meet ? .publish : .replicateBacklog), comment)
        #expect(policies[1].order == .key && policies[1].path == .publish, comment)
        #expect(policies.map(\.priority) == [.high, .low], comment)
      }
    }
  }
}
