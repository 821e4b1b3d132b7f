import DanubeConsumer
import DanubeProtocol
import IOPort
import Simulator
import Testing

@Suite("Where a consumer finds the owner of a topic")
struct AddressTests {
  static let other: UInt32 = 0x0a00_0065

  @Test(
    "What brokers advertise",
    arguments: [
      ("", true), ("http://0.0.0.0:6650", true), ("http://[::]:6650", true),
      ("http://10.0.0.100:6650", true), ("10.0.0.100:6650", true), ("http://10.0.0.100", true),
      ("HTTP://10.0.0.100:6650/", true), ("https://10.0.0.100:6650", false),
      ("http://elsewhere:6650", false), ("ftp://10.0.0.100:6650", false), ("http://:1", false),
    ])
  func advertised(_ url: String, isReached: Bool) throws {
    let scene = try Scene()
    scene.broker.connectURL = url
    scene.broker.publish("/default/t", "a")
    let isReceived = scene.run(8_000) { scene.loop.payloads == ["a"] }
    #expect(isReceived == isReached)
    #expect(scene.loop.problems.isEmpty == isReached, "\(scene.loop.problems)")
  }

  /// What can't stand in a field of HTTP: it would end the field, or begin others.
  static let unfit: [[UInt8]] = [
    Array("http://b\r\nauthorization: Bearer x".utf8), Array("http://b\0".utf8),
    Array("http://b c".utf8), [0x68, 0xff], [UInt8](repeating: 0x61, count: 2_049),
  ]

  @Test("A broker behind a proxy whose name can't stand in a field of calls is refused, and said")
  func unfitNames() throws {
    for url in Self.unfit {
      let scene = try Scene()
      scene.broker.connectURL = scene.broker.address.description
      scene.broker.brokerURL = url
      scene.broker.publish("/default/t", "a")
      #expect(!scene.run(3_000) { !scene.loop.payloads.isEmpty })
      #expect(scene.loop.problems.contains { $0.contains("not a URL to name a broker by") })
      #expect(scene.broker.subscribes.isEmpty)
      // With another name it is taken.
      scene.broker.brokerURL = Array("http://broker-1:6650".utf8)
      #expect(scene.run(20_000) { scene.loop.payloads == ["a"] })
    }
  }

  @Test("The seed's own name means the address it was reached by; localhost means this host")
  func names() throws {
    for name in ["broker.example", "BROKER.example"] {
      let seed = ResolvedHost(
        host: "broker.example", port: 6650,
        addresses: [SocketAddress(ipv4: Scene.brokerHost, port: 6650)])
      let scene = try Scene(seeds: [seed])
      scene.broker.connectURL = "http://\(name):6650"
      scene.broker.publish("/default/t", "a")
      #expect(scene.run(3_000) { scene.loop.payloads == ["a"] })
      #expect(scene.loop.consumer.hostsToResolve.isEmpty)
    }
    let scene = try Scene(
      seeds: [ResolvedHost(host: "localhost", port: 6650, addresses: [.loopback(port: 6650)])],
      host: Scene.brokerHost)
    scene.broker.connectURL = "http://localhost:6650"
    scene.broker.publish("/default/t", "a")
    #expect(scene.run(3_000) { scene.loop.payloads == ["a"] })
  }

  @Test("A name that the owner of the loop resolves is followed")
  func resolves() throws {
    let scene = try Scene(seeds: [ResolvedHost(host: "seed", port: 6650)])
    scene.loop.resolver = { host in
      host.name == "nowhere"
        ? [] : [SocketAddress(ipv4: Scene.brokerHost, port: host.port)]
    }
    scene.broker.connectURL = "http://owner-1:6650"
    scene.broker.publish("/default/t", "a")
    #expect(scene.run(3_000) { scene.loop.payloads == ["a"] })
  }

  @Test("A topic may live on another broker than the seed")
  func follows() throws {
    let scene = try Scene()
    let owner = try SubscriptionBroker(scene.world, host: Self.other)
    scene.driver.add(owner)
    scene.broker.topics["/default/t"] = []
    scene.broker.connectURL = owner.address.description
    owner.publish("/default/t", "from the owner")
    #expect(scene.run(3_000) { scene.loop.payloads == ["from the owner"] })
    #expect(scene.broker.subscribes.isEmpty)
    #expect(scene.run(3_000) { owner.acks.count == 1 })
    // The topic moves to the seed.
    scene.broker.connectURL = ""
    scene.broker.publish("/default/t", "from the seed")
    owner.endStreams()
    #expect(scene.run(5_000) { scene.loop.payloads.last == "from the seed" })
    scene.run(1_000)
    #expect(scene.loop.consumer.status.brokers == [scene.broker.address.description])
  }

  @Test("The next seed is asked when one is gone")
  func fallsBack() throws {
    let scene = try Scene(seeds: [.at(0x0a00_0099), .at(Scene.brokerHost)])
    scene.broker.publish("/default/t", "a")
    #expect(scene.run(10_000) { scene.loop.payloads == ["a"] })
    #expect(!scene.loop.problems.isEmpty)
  }
}
