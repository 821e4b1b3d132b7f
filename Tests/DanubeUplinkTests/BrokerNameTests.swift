import DanubeProtocol
import DanubeUplink
import IOPort
import Records
import Simulator
import Testing

@Suite("Brokers of one name, and of one address")
struct BrokerNameTests {
  private static let secondHost: UInt32 = 0x0a00_0065

  @Test(
    "Where seeds all call themselves 0.0.0.0 the one with the topic is asked for",
    .timeLimit(.minutes(1)))
  func unspecifiedOwners() throws {
    let scene = try Scene(seeds: [.at(Scene.brokerHost), .at(Self.secondHost)])
    let second = try ScriptedBroker(scene.world, host: Self.secondHost)
    scene.driver.add(second)
    let url = "http://0.0.0.0:6650"
    scene.broker.onLookup = { _ in .at(connectURL: url, brokerURL: url, type: .redirect) }
    second.onLookup = { _ in .at(connectURL: url, brokerURL: url, type: .connect) }
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    #expect(scene.broker.accepted.isEmpty && scene.broker.createCount == 0)
    #expect(second.accepted.count == 1)
    // It moves to the first, and back.
    scene.broker.onLookup = { _ in .at(connectURL: url, brokerURL: url, type: .connect) }
    second.onLookup = { _ in .at(connectURL: url, brokerURL: url, type: .redirect) }
    second.forgetProducers()
    scene.loop.publish([("k", numbered(2))])
    #expect(scene.settle())
    #expect(scene.broker.accepted.map(\.payload) == [numbered(2)])
    #expect(second.accepted.count == 1)
  }

  @Test(
    "A broker behind a proxy whose name can't stand in a field of calls is refused, and said",
    .timeLimit(.minutes(1)),
    arguments: [
      "http://b\r\nauthorization: Bearer x", "http://b\0", "http://b c", "http://\u{e9}",
      "http://" + String(repeating: "a", count: 2_048),
    ])
  func unfitNames(url: String) throws {
    let scene = try Scene()
    let address = "http://10.0.0.100:6650"
    scene.broker.onLookup = { _ in .at(connectURL: address, brokerURL: url, type: .redirect) }
    scene.loop.publish([("k", numbered(1))])
    scene.driver.run(milliseconds: 3_000)
    #expect(scene.loop.status.lastError.contains("not a URL to name a broker by"))
    #expect(scene.broker.createCount == 0 && scene.broker.accepted.isEmpty)
    // With another name it is taken.
    scene.broker.onLookup = { _ in
      .at(connectURL: address, brokerURL: "http://broker-1:6650", type: .redirect)
    }
    #expect(scene.settle())
    #expect(scene.broker.accepted.count == 1)
  }

  @Test("With one seed a broker of that name is the one that was reached", .timeLimit(.minutes(1)))
  func unspecifiedRedirect() throws {
    let scene = try Scene()
    let url = "http://0.0.0.0:6650"
    scene.broker.onLookup = { _ in .at(connectURL: url, brokerURL: url, type: .redirect) }
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    #expect(scene.broker.accepted.count == 1)
  }

  @Test(
    "One broker under two names of 0.0.0.0 that redirects to itself is attached",
    .timeLimit(.minutes(1)))
  func unspecifiedRedirects() throws {
    let scene = try Scene(seeds: [
      .at(Scene.brokerHost),
      ResolvedHost(
        host: "two.example", port: 6650,
        addresses: [SocketAddress(ipv4: Scene.brokerHost, port: 6650)]),
    ])
    let url = "http://0.0.0.0:6650"
    scene.broker.onLookup = { _ in .at(connectURL: url, brokerURL: url, type: .redirect) }
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle(withinMilliseconds: 5_000))
    #expect(scene.broker.accepted.count == 1)
  }

  @Test("Brokers behind one address are told apart by their names", .timeLimit(.minutes(1)))
  func namesOfOneAddress() throws {
    let scene = try Scene(topics: ["/default/a", "/default/b", "/default/c"])
    let owner = try ScriptedBroker(scene.world, host: Self.secondHost)
    scene.driver.add(owner)
    scene.loop.resolver = { [SocketAddress(ipv4: Self.secondHost, port: $0.port)] }
    scene.broker.onLookup = { topic in
      // The last is named by its address.
      let name =
        topic.hasSuffix("c")
        ? SocketAddress(ipv4: Self.secondHost, port: 6650).host : "owner-\(topic.suffix(1))"
      return .at(
        connectURL: "http://\(name):6650", brokerURL: "http://\(name):6650", type: .redirect)
    }
    for lane in 0..<3 { scene.loop.publish(lane: lane, [("k", numbered(lane))]) }
    #expect(scene.settle())
    #expect(owner.accepted.count == 3)
    #expect(owner.connectionCount == 3)
  }
}
