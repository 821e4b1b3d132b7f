import Gateway
import IOPort
import Settings
import Simulator
import Testing

@Suite("Names of brokers")
struct ResolutionTests {
  @Test("A name that did not resolve is asked for again, whatever is asked for beside it")
  func askedAgain() throws {
    var configuration = GatewayScene.configuration()
    configuration.danube.target = .brokers([
      BrokerURL(host: "a.example", port: GatewayScene.brokerPort),
      BrokerURL(host: "b.example", port: GatewayScene.brokerPort),
    ])
    let scene = try GatewayScene(seed: 5, configuration: configuration)
    var asked: [String: Int] = [:]
    // Nobody answers for b: that must not keep a from being asked for again.
    for _ in 0..<80 {
      scene.run(milliseconds: 500)
      for host in scene.gateway.resolution.wanted where host.name == "a.example" {
        asked[host.name, default: 0] += 1
        scene.gateway.resolution.resolved(host, addresses: [])
      }
    }
    #expect(asked["a.example", default: 0] >= 3, "\(asked)")
    let address = SocketAddress(ipv4: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    for _ in 0..<40 where scene.broker?.createCount == 0 {
      scene.run(milliseconds: 500)
      for host in scene.gateway.resolution.wanted {
        let isBroker = host.name == "b.example"
        scene.gateway.resolution.resolved(host, addresses: isBroker ? [address] : [])
      }
    }
    scene.run(milliseconds: 5_000)
    #expect(scene.broker?.createCount ?? 0 > 0)
  }
}
