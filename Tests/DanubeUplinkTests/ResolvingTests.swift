import DanubeProtocol
import DanubeUplink
import GRPC
import IOPort
import Records
import Simulator
import Testing

@Suite("Brokers' names whose addresses somebody has to tell", .timeLimit(.minutes(1)))
struct ResolvingTests {
  private static let ownerHost: UInt32 = 0x0a00_0065
  private static let name = NamedHost(name: "owner", port: 6650)

  private static func scene() throws -> (Scene, ScriptedBroker) {
    let scene = try Scene()
    let owner = try ScriptedBroker(scene.world, host: ownerHost)
    scene.driver.add(owner)
    scene.broker.onLookup = { _ in
      .at(connectURL: "http://owner:6650", brokerURL: "http://owner:6650", type: .redirect)
    }
    return (scene, owner)
  }

  @Test("Addresses that do not come in time are an error of the lane, and asked for again")
  func timeLimit() throws {
    let (scene, owner) = try Self.scene()
    scene.loop.publish([("k", numbered(1))])
    scene.driver.run(milliseconds: 1_900)
    #expect(scene.loop.status.lanes[0].phase == .connecting)
    #expect(scene.loop.uplink.hostsToResolve == [Self.name])
    #expect(scene.broker.lookupCount == 1)
    let limit = UplinkLimits.quick.callDeadlineMilliseconds
    #expect(
      scene.driver.run(milliseconds: limit) {
        let lane = scene.loop.status.lanes[0]
        return lane.phase == .waiting && scene.loop.uplink.hostsToResolve.isEmpty
          && lane.error == "the broker's address: no address for owner in time"
      })
    // Back-offs of at most 20, 40 and 80 ms lie between the looks.
    scene.driver.run(milliseconds: 3 * limit)
    #expect((3...5).contains(scene.broker.lookupCount))
    #expect(scene.loop.uplink.hostsToResolve == [Self.name])
    scene.loop.resolver = { [SocketAddress(ipv4: Self.ownerHost, port: $0.port)] }
    scene.loop.wake()
    #expect(scene.settle())
    #expect(owner.accepted.count == 1)
    #expect(scene.loop.status.lanes[0].error == "")
  }

  @Test("An answer that comes late serves the next look-up")
  func lateAnswer() throws {
    let (scene, owner) = try Self.scene()
    scene.loop.publish([("k", numbered(1))])
    #expect(
      scene.driver.run(milliseconds: 5_000) { scene.loop.status.lanes[0].phase == .waiting })
    scene.loop.uplink.resolved(
      Self.name, addresses: [SocketAddress(ipv4: Self.ownerHost, port: 6650)])
    #expect(scene.settle(withinMilliseconds: 1_000))
    #expect(owner.accepted.count == 1)
    #expect(scene.loop.uplink.hostsToResolve.isEmpty)
  }

  @Test("With too many names to resolve a lane says so and comes back")
  func tooManyNames() throws {
    let count = 300
    var limits = UplinkLimits.quick
    limits.maximumConnections = 2 * count
    let scene = try Scene(topics: (0..<count).map { "/default/t\($0)" }, limits: limits)
    let owner = try ScriptedBroker(scene.world, host: Self.ownerHost)
    scene.driver.add(owner)
    scene.broker.onLookup = { topic in
      let url = "http://owner-\(topic.dropFirst(10)):6650"
      return .at(connectURL: url, brokerURL: url, type: .redirect)
    }
    #expect(
      scene.driver.run(milliseconds: 1_000) {
        scene.loop.uplink.hostsToResolve.count == 257
          && scene.loop.status.lanes.contains {
            $0.error.hasSuffix("yet: too many names wait for theirs")
          }
      })
    for lane in 0..<count { scene.loop.publish(lane: lane, [("k", numbered(lane))]) }
    scene.driver.run(milliseconds: 1_000)
    #expect(scene.loop.uplink.hostsToResolve.count == 257)
    // Every name is the one owner, told a few at a time.
    var told = 0
    scene.loop.resolver = { host in
      told += 1
      return told % 7 == 0 ? [] : [SocketAddress(ipv4: Self.ownerHost, port: host.port)]
    }
    scene.loop.wake()
    #expect(scene.settle())
    #expect(Set(owner.accepted.map(\.topic)).count == count)
    #expect(owner.openConnectionCount == count)
  }

  @Test("A seed's name is asked for even when there is no place for others")
  func seedName() throws {
    let scene = try Scene(
      topics: (0..<300).map { "/default/t\($0)" },
      seeds: [
        .at(Scene.brokerHost), ResolvedHost(host: "late.example", port: 6650, addresses: []),
      ])
    scene.broker.onLookup = { topic in
      let url = "http://owner-\(topic.dropFirst(10)):6650"
      return .at(connectURL: url, brokerURL: url, type: .redirect)
    }
    scene.driver.run(milliseconds: 500)
    scene.world.refuseConnects(to: Scene.brokerHost, port: 6650)
    scene.broker.closeConnections()
    scene.driver.run(milliseconds: 500)
    #expect(
      scene.loop.uplink.hostsToResolve.contains(NamedHost(name: "late.example", port: 6650)))
  }

  @Test("A seed's name that has no address is an error that a status shows")
  func seedWithoutAddress() throws {
    let scene = try Scene(seeds: [ResolvedHost(host: "late.example", port: 6650, addresses: [])])
    scene.loop.resolver = { _ in [] }
    scene.driver.run(milliseconds: 1_000)
    #expect(
      scene.loop.status.lastError == "the broker's address: no address for late.example")
  }

  @Test("A seed that answers and can't make a topic is left for the next one")
  func seedThatCannotCreate() throws {
    let other: UInt32 = 0x0a00_0065
    let scene = try Scene(seeds: [.at(Scene.brokerHost), .at(other)])
    let owner = try ScriptedBroker(scene.world, host: other)
    scene.driver.add(owner)
    scene.broker.onLookup = { _ in .fail(.notFound, "no such topic") }
    scene.broker.onCreate = { _, _ in .fail(.internalError, "storage", createsTopic: false) }
    #expect(scene.loop.publish(lane: 0, [("k", numbered(1))]))
    #expect(scene.settle(withinMilliseconds: 20_000))
    #expect(owner.accepted.count == 1 && scene.broker.accepted.isEmpty)
  }
}
