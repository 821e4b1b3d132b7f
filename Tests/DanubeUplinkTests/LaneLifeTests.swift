import DanubeProtocol
import DanubeUplink
import GRPC
import IOPort
import Metrics
import Records
import Simulator
import Testing

@Suite("A lane on its way to a producer")
struct LaneLifeTests {
  private static let secondHost: UInt32 = 0x0a00_0065

  @Test("In a cluster a new topic is UNAVAILABLE first, then assigned", .timeLimit(.minutes(1)))
  func clusterDance() throws {
    let scene = try Scene()
    scene.broker.onCreate = { _, attempt in
      attempt == 0
        ? .fail(.unavailable, "metadata was created, need to redo the lookup", createsTopic: false)
        : .ok
    }
    var lookups = 0
    let url = scene.broker.advertisedURL
    scene.broker.onLookup = { topic in
      lookups += 1
      // Unknown at first, not assigned for a moment, then the broker redirects to itself.
      if lookups <= 2 { return .fail(.notFound, "Topic \(topic) not found") }
      return .at(connectURL: url, brokerURL: url, type: .redirect)
    }
    scene.broker.onMessage = { _ in .init(.ok) }
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle(withinMilliseconds: 5_000))
    #expect(scene.broker.createCount == 2)
    #expect(scene.broker.lookupCount == 2)
    #expect(scene.loop.metrics.retried.allSatisfy { $0.value == 0 })
  }

  @Test("The owner of a topic is another broker, by address", .timeLimit(.minutes(1)))
  func redirect() throws {
    let scene = try Scene()
    let owner = try ScriptedBroker(scene.world, host: Self.secondHost)
    scene.driver.add(owner)
    scene.broker.onLookup = { _ in
      .at(connectURL: owner.advertisedURL, brokerURL: owner.advertisedURL, type: .redirect)
    }
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    #expect(scene.broker.accepted.isEmpty && scene.broker.createCount == 0)
    #expect(owner.accepted.map(\.payload) == [numbered(1)])
    #expect(owner.accepted.map(\.brokerAddress) == ["http://10.0.0.101:6650"])
  }

  @Test("A broker for which there is no connection left is named", .timeLimit(.minutes(1)))
  func connectionLimit() throws {
    var limits = UplinkLimits.quick
    limits.maximumConnections = 2
    let scene = try Scene(topics: ["/default/a", "/default/b"], limits: limits)
    let owners = try [Self.secondHost, Self.secondHost + 1].map {
      try ScriptedBroker(scene.world, host: $0)
    }
    for owner in owners { scene.driver.add(owner) }
    scene.broker.onLookup = { topic in
      let url = owners[topic == "/default/a" ? 0 : 1].advertisedURL
      return .at(connectURL: url, brokerURL: url, type: .redirect)
    }
    scene.driver.run(milliseconds: 2_000)
    #expect(scene.loop.status.readyLaneCount == 1)
    #expect(
      scene.loop.status.lastError.hasSuffix(
        ":6650: there are 2 connections to brokers, which is the limit"))
    #expect(owners.map(\.connectionCount).reduce(0, +) == 1)
  }

  @Test(
    "An advertised 0.0.0.0 or [::], or no address at all, is the host we reached",
    .timeLimit(.minutes(1)), arguments: ["http://0.0.0.0:6650", "http://[::]:6650", ""])
  func unspecified(url: String) throws {
    let scene = try Scene()
    scene.broker.onLookup = { _ in .at(connectURL: url, brokerURL: url, type: .connect) }
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    #expect(scene.broker.accepted.count == 1)
    #expect(scene.broker.connectionCount == 1)
  }

  @Test("An advertised seed's name has the seed's addresses", .timeLimit(.minutes(1)))
  func seedName() throws {
    let first = SocketAddress(ipv4: Scene.brokerHost, port: 6650)
    let second = SocketAddress(ipv4: Self.secondHost, port: 6650)
    let scene = try Scene(seeds: [
      ResolvedHost(host: "one.example", port: 6650, addresses: [first]),
      ResolvedHost(host: "Two.example", port: 6650, addresses: [second]),
    ])
    let owner = try ScriptedBroker(scene.world, host: Self.secondHost)
    scene.driver.add(owner)
    scene.broker.onLookup = { _ in
      .at(
        connectURL: "http://two.EXAMPLE:6650", brokerURL: "http://two.EXAMPLE:6650",
        type: .redirect)
    }
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    #expect(owner.accepted.count == 1)
    #expect(scene.loop.uplink.hostsToResolve.isEmpty)
  }

  @Test("A broker's name that nobody configured is resolved on request", .timeLimit(.minutes(1)))
  func unknownName() throws {
    let scene = try Scene()
    let owner = try ScriptedBroker(scene.world, host: Self.secondHost)
    scene.driver.add(owner)
    scene.broker.onLookup = { _ in
      .at(connectURL: "http://owner:6650", brokerURL: "http://owner:6650", type: .redirect)
    }
    scene.loop.publish([("k", numbered(1))])
    #expect(
      scene.driver.run(milliseconds: 5_000) {
        scene.loop.uplink.hostsToResolve == [NamedHost(name: "owner", port: 6650)]
      })
    var asked = 0
    scene.loop.resolver = { host in
      asked += 1
      // The first answer is that there is no such host.
      return asked == 1 ? [] : [SocketAddress(ipv4: Self.secondHost, port: host.port)]
    }
    scene.loop.wake()
    #expect(scene.settle())
    #expect(owner.accepted.map(\.brokerAddress) == ["http://owner:6650"])
    #expect(asked == 2)
    let isAsking = scene.loop.uplink.wantsResolution
    #expect(!isAsking)
  }

  @Test("A seed whose name is not resolved yet is asked for", .timeLimit(.minutes(1)))
  func unresolvedSeed() throws {
    let scene = try Scene(seeds: [ResolvedHost(host: "late.example", port: 6650, addresses: [])])
    scene.loop.publish([("k", numbered(1))])
    scene.driver.run(milliseconds: 1_000)
    #expect(
      scene.loop.uplink.hostsToResolve == [NamedHost(name: "late.example", port: 6650)])
    scene.loop.resolver = { [SocketAddress(ipv4: Scene.brokerHost, port: $0.port)] }
    scene.loop.wake()
    #expect(scene.settle())
  }

  @Test(
    "TLS without anything to check by is refused with words, and tried again",
    .timeLimit(.minutes(1)))
  func tls() throws {
    let scene = try Scene()
    scene.broker.onLookup = { _ in
      .at(connectURL: "https://10.0.0.100:6650", brokerURL: "", type: .connect)
    }
    scene.driver.run(milliseconds: 3_000)
    let lane = scene.loop.status.lanes[0]
    #expect(lane.phase == .waiting)
    #expect(lane.error.contains("there is no TLS: "))
    scene.broker.onLookup = nil
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    #expect(scene.loop.status.lanes[0].error == "")
  }

  @Test("A broken URL is an error of the lane", .timeLimit(.minutes(1)))
  func badURL() throws {
    let scene = try Scene()
    scene.broker.onLookup = { _ in
      .at(connectURL: "gopher://x", brokerURL: "gopher://x", type: .connect)
    }
    scene.driver.run(milliseconds: 3_000)
    #expect(scene.loop.status.lanes[0].error.contains("not an address: gopher://x"))
  }

  @Test("Look-ups fall back to the next seed and come back", .timeLimit(.minutes(1)))
  func seedFallback() throws {
    let scene = try Scene(seeds: [.at(Scene.brokerHost), .at(Self.secondHost)])
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    #expect(scene.broker.accepted.count == 1)
    let second = try ScriptedBroker(scene.world, host: Self.secondHost)
    scene.driver.add(second)
    scene.world.refuseConnects(to: Scene.brokerHost, port: 6650)
    scene.broker.closeConnections()
    scene.loop.publish([("k", numbered(2))])
    #expect(scene.settle())
    #expect(second.accepted.map(\.payload) == [numbered(2)])
    scene.world.allowConnects(to: Scene.brokerHost, port: 6650)
    scene.world.refuseConnects(to: Self.secondHost, port: 6650)
    second.closeConnections()
    scene.loop.publish([("k", numbered(3))])
    #expect(scene.settle())
    #expect(scene.broker.accepted.map(\.payload) == [numbered(1), numbered(3)])
  }

  @Test("A seed that answers no look-up is left for the next one", .timeLimit(.minutes(1)))
  func deafSeed() throws {
    let scene = try Scene(seeds: [.at(Scene.brokerHost), .at(Self.secondHost)])
    let second = try ScriptedBroker(scene.world, host: Self.secondHost)
    scene.driver.add(second)
    scene.broker.onLookup = { _ in .never }
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    #expect(second.accepted.count == 1)
    #expect(scene.broker.accepted.isEmpty)
  }

  @Test("A seed that is too busy for look-ups is left, too", .timeLimit(.minutes(1)))
  func busySeed() throws {
    let scene = try Scene(seeds: [.at(Scene.brokerHost), .at(Self.secondHost)])
    let second = try ScriptedBroker(scene.world, host: Self.secondHost)
    scene.driver.add(second)
    scene.broker.onLookup = { _ in .fail(.resourceExhausted, "too many requests") }
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    #expect(second.accepted.count == 1 && scene.broker.lookupCount == 1)
  }

  @Test("A topic refused by its configuration is tried seldom", .timeLimit(.minutes(1)))
  func blocked() throws {
    let scene = try Scene(topics: ["/default/bad", "/default/good"])
    scene.broker.onCreate = { topic, _ in
      topic == "/default/bad"
        ? .fail(.failedPrecondition, "dispatch strategy mismatch", createsTopic: false) : .ok
    }
    scene.loop.publish(lane: 0, [("k", numbered(1))])
    scene.loop.publish(lane: 1, [("k", numbered(2))])
    scene.driver.run(milliseconds: 12_000)
    // At 0, 5 and 10 seconds.
    #expect(scene.broker.createAttempts(of: "/default/bad") == 3)
    let lanes = scene.loop.status.lanes
    #expect(lanes.map(\.phase) == [.blocked, .ready])
    #expect(
      lanes[0].error == "CreateProducer FAILED_PRECONDITION: dispatch strategy mismatch")
    #expect(scene.loop.accepted.map(\.topic) == ["/default/good"])
    scene.broker.onCreate = nil
    #expect(scene.settle())
  }

  @Test(
    "A key that is never taken beside others that are costs a look-up now and then",
    .timeLimit(.minutes(1)))
  func keyNeverTaken() throws {
    let scene = try Scene()
    let stuck = Array("stuck".utf8)
    scene.broker.onMessage = { message in
      .init(message.key == stuck ? .fail(.notFound, "no such producer") : .ok)
    }
    scene.loop.publish([("stuck", numbered(10_000)), ("stuck", numbered(10_001))])
    for round in 0..<300 {
      scene.loop.publish((0..<10).map { ("k\($0)", numbered(round * 10 + $0)) })
      scene.driver.run(milliseconds: 10)
    }
    #expect(scene.driver.run(milliseconds: 1_000) { scene.loop.accepted.count == 3_000 })
    // Three seconds of back-offs of 0.5 s at most, and what they double up from.
    #expect(scene.broker.lookupCount <= 25, "\(scene.broker.lookupCount) look-ups")
    #expect(scene.broker.createCount <= 25, "\(scene.broker.createCount) producers")
    scene.broker.onMessage = nil
    #expect(scene.settle())
    #expect(scene.acceptedPayloads(key: "stuck") == [numbered(10_000), numbered(10_001)])
  }

  @Test(
    "What a person has to change lets the topic rest",
    .timeLimit(.minutes(1)),
    arguments: [
      (StatusCode.permissionDenied, "missing role Produce", true),
      (.permissionDenied, "Topic /default/role is closed", false),
      (.unavailable, "Unable to find the namespace default", true),
      (.unavailable, "/default/namespace: redo the lookup", false),
      (.internalError, "metadata", false),
    ])
  func resting(status: StatusCode, text: String, rests: Bool) throws {
    let topic = "/default/namespace"
    let scene = try Scene(topics: [topic])
    scene.broker.onCreate = { _, _ in .fail(status, text, createsTopic: false) }
    scene.loop.publish([("k", numbered(1))])
    scene.driver.run(milliseconds: 12_000)
    // At 0, 5 and 10 seconds.
    #expect((scene.broker.createAttempts(of: topic) == 3) == rests)
    #expect((scene.loop.status.lanes[0].phase == .blocked) == rests)
    #expect(scene.loop.status.lanes[0].error.hasSuffix(text))
    scene.broker.onCreate = nil
    #expect(scene.settle())
  }

  @Test("A broker that forgot its producers gets them again", .timeLimit(.minutes(1)))
  func forgotten() throws {
    let scene = try Scene()
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    scene.broker.forgetProducers()
    scene.loop.publish((2..<50).map { ("k\($0 % 5)", numbered($0)) })
    #expect(scene.settle())
    #expect(scene.broker.accepted.count == 49)
    #expect(scene.broker.createCount == 2)
    #expect(scene.loop.metrics.retried[Int(RetryReason.producerUnknown.rawValue)].value == 5)
    for key in 0..<5 {
      let wanted = (2..<50).filter { $0 % 5 == key }.map { numbered($0) }
      #expect(scene.acceptedPayloads(key: "k\(key)") == wanted)
    }
  }

  @Test("A moving topic is followed to its new owner", .timeLimit(.minutes(1)))
  func movedTopic() throws {
    let scene = try Scene()
    let owner = try ScriptedBroker(scene.world, host: Self.secondHost)
    scene.driver.add(owner)
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    scene.broker.onMessage = { _ in
      .init(.fail(.permissionDenied, "topic draining or closed; retry lookup"))
    }
    scene.broker.onLookup = { _ in
      .at(connectURL: owner.advertisedURL, brokerURL: owner.advertisedURL, type: .redirect)
    }
    scene.loop.publish((2..<30).map { ("k", numbered($0)) })
    #expect(scene.settle())
    #expect(owner.accepted.map(\.payload) == (2..<30).map { numbered($0) })
    // The connection to the seed stays for look-ups.
    #expect(scene.broker.openConnectionCount == 1)
  }

  @Test("A connection that no lane uses any more is closed", .timeLimit(.minutes(1)))
  func unusedConnection() throws {
    let scene = try Scene()
    let owner = try ScriptedBroker(scene.world, host: Self.secondHost)
    scene.driver.add(owner)
    scene.broker.onLookup = { _ in
      .at(connectURL: owner.advertisedURL, brokerURL: owner.advertisedURL, type: .redirect)
    }
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    scene.broker.onLookup = nil
    scene.broker.addTopic("/default/t")
    owner.onMessage = { _ in .init(.fail(.unavailable, "served by another broker")) }
    scene.loop.publish([("k", numbered(2))])
    #expect(scene.settle())
    scene.driver.run(milliseconds: 1_000)
    #expect(owner.openConnectionCount == 0)
    #expect(scene.broker.accepted.map(\.payload) == [numbered(2)])
  }

  @Test("New seeds are used from the next look-up on", .timeLimit(.minutes(1)))
  func newSeeds() throws {
    let scene = try Scene()
    let second = try ScriptedBroker(scene.world, host: Self.secondHost)
    scene.driver.add(second)
    scene.world.refuseConnects(to: Scene.brokerHost, port: 6650)
    scene.loop.publish([("k", numbered(1))])
    scene.driver.run(milliseconds: 3_000)
    #expect(scene.loop.accepted.isEmpty)
    scene.loop.uplink.updateSeeds([.at(Self.secondHost)])
    scene.loop.wake()
    #expect(scene.settle())
    #expect(second.accepted.count == 1)
  }
}
