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
}
