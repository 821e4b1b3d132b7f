import DanubeProtocol
import DanubeUplink
import GRPC
import IOPort
import Metrics
import Simulator
import TLS
import TestCertificates
import Testing

@Suite("The uplink speaks TLS, and says why it can not")
struct SecurityTests {
  private static let address = "10.0.0.100"

  /// One authority, and what a broker at the usual address shows.
  private struct Trust {
    let authority: TestAuthority
    let server: TLSContext

    init(
      names: [String] = ["IP:\(SecurityTests.address)", "DNS:broker.example"], days: Int = 30,
      clients: TestAuthority? = nil, applicationProtocol: ApplicationProtocol = .http2
    ) throws {
      authority = try TestAuthority()
      let issued = try authority.issue(names, days: days)
      var options = TLSServerOptions(
        identity: TLSIdentity(certificates: issued.certificate, key: issued.key),
        applicationProtocol: applicationProtocol)
      options.clientAuthorities = clients?.certificate
      server = try TLSContext(server: options)
    }

    func client(_ identity: TestAuthority.Issued? = nil) throws -> ClientSecurity {
      var options = TLSClientOptions(
        authorities: authority.certificate, applicationProtocol: .http2)
      options.identity = identity.map { TLSIdentity(certificates: $0.certificate, key: $0.key) }
      var security = ClientSecurity()
      security.context = try TLSContext(client: options)
      return security
    }
  }

  private static let seed = ResolvedHost(host: address, port: 6650, usesTLS: true)
  private static let named = ResolvedHost(
    host: "broker.example", port: 6650,
    addresses: [SocketAddress(ipv4: Scene.brokerHost, port: 6650)], usesTLS: true)

  private func scene(
    _ trust: Trust, _ security: ClientSecurity, seed: ResolvedHost = Self.seed,
    random: UInt64 = 1, topics: [String] = ["/default/t"]
  ) throws -> Scene {
    try Scene(
      seed: random, topics: topics, seeds: [seed], tls: trust.server, security: security)
  }

  @Test("Records are published through TLS", .timeLimit(.minutes(1)))
  func publishing() throws {
    let trust = try Trust()
    let scene = try scene(trust, trust.client())
    scene.loop.publish(
      (0..<500).map { ("k\($0 % 50)", numbered($0, bytes: 16 << ($0 % 10))) })
    #expect(scene.settle())
    #expect(scene.broker.accepted.count == 500)
    #expect(scene.broker.connectionCount == 1)
    #expect(scene.loop.violations.isEmpty)
    #expect(scene.loop.status.brokers == ["\(Self.address):6650"])
  }

  @Test("Links that are cut and slow lose nothing and keep the order", .timeLimit(.minutes(1)))
  func cuts() throws {
    let random = UInt64.random(in: 0 ... .max)
    let trust = try Trust()
    let scene = try scene(trust, trust.client(), random: random)
    var faults = NetworkFaults()
    faults.latencyMicroseconds = 100...5_000
    faults.splitPerMille = 300
    faults.shortWritePerMille = 300
    faults.bufferExhaustionPerMille = 50
    scene.world.setFaults(faults, between: 0x0a00_0001, and: Scene.brokerHost)
    for round in 0..<8 {
      scene.loop.publish(
        (0..<100).map { ("k\($0 % 7)", numbered(round * 100 + $0, bytes: 900)) })
      scene.driver.run(milliseconds: 35)
      switch round % 4 {
      case 0: scene.broker.closeConnections()
      case 1: scene.world.cut(0x0a00_0001, Scene.brokerHost, forMilliseconds: 700)
      case 2: scene.world.resetConnections(0x0a00_0001, Scene.brokerHost)
      default: break
      }
    }
    #expect(scene.settle(), "seed \(random)")
    for key in 0..<7 {
      let sent = (0..<800).filter { $0 % 100 % 7 == key }.map { numbered($0, bytes: 900) }
      #expect(scene.acceptedPayloads(key: "k\(key)") == sent, "seed \(random)")
    }
    #expect(scene.broker.connectionCount > 2, "seed \(random)")
    #expect(scene.loop.violations.isEmpty, "seed \(random)")
  }

  /// Publishes to a broker that is not to be trusted; what the uplink says.
  private func refusal(
    _ trust: Trust, _ security: ClientSecurity, seed: ResolvedHost = Self.seed
  ) throws -> String {
    let scene = try scene(trust, security, seed: seed)
    scene.loop.publish([("k", numbered(1))])
    scene.driver.run(milliseconds: 10_000)
    #expect(scene.broker.accepted.isEmpty)
    #expect(scene.broker.sendCount == 0 && scene.broker.lookupCount == 0)
    // It backs off: 20 ms and doubling, up to a second.
    #expect((2...40).contains(scene.broker.connectionCount))
    #expect(scene.loop.metrics.connectionsOpened.value == 0)
    let status = scene.loop.status
    #expect(!status.isConnected)
    return status.lastError
  }

  @Test("The name of the URL is checked", .timeLimit(.minutes(1)))
  func wrongName() throws {
    let trust = try Trust(names: ["DNS:other.example"])
    let security = try trust.client()
    #expect(
      try refusal(trust, security)
        == "connect: 10.0.0.100:6650: the peer's certificate is not accepted: IP address mismatch")
    #expect(
      try refusal(trust, security, seed: Self.named).hasSuffix("not accepted: hostname mismatch"))
  }

  @Test("Another name to check by can be given", .timeLimit(.minutes(1)))
  func serverName() throws {
    let trust = try Trust(names: ["DNS:other.example"])
    var security = try trust.client()
    security.serverName = "other.example"
    let scene = try scene(trust, security)
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
  }

  @Test("A certificate that is over, or of a stranger, is not accepted", .timeLimit(.minutes(1)))
  func badCertificates() throws {
    let expired = try Trust(days: -1)
    #expect(try refusal(expired, expired.client()).hasSuffix("certificate has expired"))
    let stranger = try Trust()
    let text = try refusal(stranger, Trust().client())
    #expect(text.hasSuffix("unable to get local issuer certificate"))
  }

  @Test("A broker that does not speak HTTP/2 is named", .timeLimit(.minutes(1)))
  func applicationProtocol() throws {
    let trust = try Trust(applicationProtocol: .unnamed)
    #expect(try refusal(trust, trust.client()).hasSuffix("the peer did not agree on h2 (ALPN)"))
  }

  @Test("A broker without TLS is named", .timeLimit(.minutes(1)))
  func plaintextBroker() throws {
    let scene = try Scene(seeds: [Self.seed], security: Trust().client())
    scene.loop.publish([("k", numbered(1))])
    scene.driver.run(milliseconds: 5_000)
    #expect(scene.broker.accepted.isEmpty)
    let text = scene.loop.status.lastError
    #expect(text.contains("what came is not TLS") || text.contains("TLS handshake"), "\(text)")
  }

  @Test("A broker that is silent in the handshake is given up in time", .timeLimit(.minutes(1)))
  func silence() throws {
    let trust = try Trust()
    let scene = try scene(trust, trust.client())
    scene.driver.run(milliseconds: 500) { scene.broker.connectionCount == 1 }
    scene.world.partition(0x0a00_0001, Scene.brokerHost)
    scene.driver.run(milliseconds: 1_500) {
      scene.loop.status.lastError.contains("no answer to the TLS handshake in time")
    }
    #expect(scene.loop.status.lastError.contains("no answer to the TLS handshake in time"))
    scene.world.heal(0x0a00_0001, Scene.brokerHost)
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
  }

  @Test("A broker that wants a certificate is told one, later too", .timeLimit(.minutes(1)))
  func mutual() throws {
    let clients = try TestAuthority("Clients")
    let trust = try Trust(clients: clients)
    let scene = try scene(trust, trust.client())
    scene.loop.publish([("k", numbered(1))])
    scene.driver.run(milliseconds: 10_000)
    #expect(scene.broker.accepted.isEmpty)
    #expect((2...40).contains(scene.broker.connectionCount))
    #expect(
      scene.loop.status.lastError.hasSuffix("the peer ended TLS: alert certificate required"))
    scene.loop.uplink.updateSecurity(try trust.client(clients.issue(["DNS:edge-1"])))
    scene.loop.wake()
    #expect(scene.settle(withinMilliseconds: 3_000))
    #expect(scene.broker.accepted.count == 1)
  }

  @Test("New authorities hold for new connections, open ones stay", .timeLimit(.minutes(1)))
  func newAuthorities() throws {
    let trust = try Trust()
    let scene = try scene(trust, trust.client())
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    scene.loop.uplink.updateSecurity(try Trust().client())
    scene.loop.publish([("k", numbered(2))])
    #expect(scene.settle())
    #expect(scene.broker.connectionCount == 1)
    scene.broker.closeConnections()
    scene.loop.publish([("k", numbered(3))])
    scene.driver.run(milliseconds: 5_000)
    #expect(scene.broker.accepted.count == 2)
    scene.loop.uplink.updateSecurity(try trust.client())
    scene.loop.wake()
    #expect(scene.settle())
  }

  @Test("The owner is checked by the name that the look-up tells", .timeLimit(.minutes(1)))
  func owner() throws {
    let trust = try Trust(names: ["DNS:broker.example"])
    let owner: UInt32 = 0x0a00_0065
    func run(_ name: String, advertised: String) throws -> (Scene, ScriptedBroker) {
      let issued = try trust.authority.issue([name])
      let scene = try scene(trust, trust.client(), seed: Self.named)
      let second = try ScriptedBroker(
        scene.world, host: owner,
        tls: TLSContext(
          server: TLSServerOptions(
            identity: TLSIdentity(certificates: issued.certificate, key: issued.key),
            applicationProtocol: .http2)))
      scene.driver.add(second)
      scene.broker.onLookup = { _ in
        .at(connectURL: advertised, brokerURL: advertised, type: .redirect)
      }
      scene.loop.resolver = { [SocketAddress(ipv4: owner, port: $0.port)] }
      scene.loop.publish([("k", numbered(1))])
      return (scene, second)
    }
    let (good, serving) = try run("DNS:owner.example", advertised: "https://owner.example:6650")
    #expect(good.settle())
    #expect(serving.accepted.count == 1)
    let (bad, refused) = try run("DNS:other.example", advertised: "https://owner.example:6650")
    bad.driver.run(milliseconds: 5_000)
    #expect(refused.accepted.isEmpty && refused.connectionCount > 0)
    #expect(bad.loop.status.lastError.hasSuffix("hostname mismatch"))
  }

  @Test("Who advertises every address is checked by the seed's name", .timeLimit(.minutes(1)))
  func unspecified() throws {
    let trust = try Trust(names: ["DNS:broker.example"])
    let scene = try scene(trust, trust.client(), seed: Self.named)
    scene.broker.advertisedURL = "https://0.0.0.0:6651"
    let issued = try trust.authority.issue(["DNS:broker.example"])
    let second = try ScriptedBroker(
      scene.world, host: Scene.brokerHost, port: 6651,
      tls: TLSContext(
        server: TLSServerOptions(
          identity: TLSIdentity(certificates: issued.certificate, key: issued.key),
          applicationProtocol: .http2)))
    scene.driver.add(second)
    scene.broker.addTopic("/default/t")
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    #expect(second.accepted.count == 1)
  }

  @Test("From TLS nobody is sent to a broker in clear", .timeLimit(.minutes(1)))
  func downgrade() throws {
    let trust = try Trust()
    let scene = try scene(trust, trust.client())
    let second = try ScriptedBroker(scene.world, host: 0x0a00_0065)
    scene.driver.add(second)
    scene.broker.onLookup = { _ in
      .at(
        connectURL: "http://10.0.0.101:6650", brokerURL: "http://10.0.0.101:6650", type: .redirect)
    }
    scene.loop.publish([("k", numbered(1))])
    scene.driver.run(milliseconds: 5_000)
    #expect(second.connectionCount == 0)
    #expect(scene.loop.status.lanes[0].error.contains("it has no TLS"))
  }

  @Test("From a broker in clear one with TLS is reached", .timeLimit(.minutes(1)))
  func upgrade() throws {
    let trust = try Trust(names: ["IP:10.0.0.101"])
    let scene = try Scene(security: trust.client())
    let second = try ScriptedBroker(scene.world, host: 0x0a00_0065, tls: trust.server)
    scene.driver.add(second)
    scene.broker.onLookup = { _ in
      .at(
        connectURL: "https://10.0.0.101:6650", brokerURL: "https://10.0.0.101:6650",
        type: .redirect)
    }
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.settle())
    #expect(second.accepted.map(\.brokerAddress) == ["https://10.0.0.101:6650"])
  }

  @Test(
    "With a new token a new connection takes over, and nothing is lost", .timeLimit(.minutes(1)))
  func token() throws {
    let trust = try Trust()
    var security = try trust.client()
    security.token = Array("first-token-0123".utf8)
    let scene = try scene(trust, security)
    for round in 0..<5 {
      scene.loop.publish((0..<200).map { ("k\($0 % 20)", numbered(round * 200 + $0)) })
      scene.driver.run(milliseconds: 2)
      security.token = Array("token-\(round)-0123456789".utf8)
      scene.loop.uplink.updateSecurity(security)
      scene.loop.wake()
      scene.driver.run(milliseconds: 300)
      // The same again changes nothing.
      scene.loop.uplink.updateSecurity(security)
      scene.loop.wake()
    }
    #expect(scene.settle())
    #expect(scene.broker.accepted.count == 1_000)
    #expect(scene.broker.connectionCount == 6)
    #expect(scene.broker.openConnectionCount == 1)
    #expect(scene.loop.metrics.connectionsLost.value == 0)
  }

  @Test("A token that a broker sends back is not told", .timeLimit(.minutes(1)))
  func echoedToken() throws {
    var security = ClientSecurity()
    security.token = Array("secret-0123456789".utf8)
    security.allowsPlaintextToken = true
    let scene = try Scene(security: security)
    scene.broker.onMessage = { _ in
      .init(.fail(.internalError, "bad header: Bearer secret-0123456789, secret-0123456789!"))
    }
    scene.loop.publish([("k", numbered(1))])
    #expect(scene.driver.run(milliseconds: 5_000) { scene.loop.status.lastError.contains("***") })
    #expect(scene.loop.status.lastError.hasSuffix("bad header: Bearer ***, ***!"))
    scene.broker.onMessage = nil
    #expect(scene.settle())
  }

  @Test("A token in the address that a broker names is not told", .timeLimit(.minutes(1)))
  func tokenInAddress() throws {
    var security = ClientSecurity()
    security.token = Array("secret-0123456789".utf8)
    security.allowsPlaintextToken = true
    let scene = try Scene(security: security)
    scene.broker.onLookup = { _ in
      .at(connectURL: "bad secret-0123456789", brokerURL: "x", type: .connect)
    }
    scene.loop.publish([("k", numbered(1))])
    scene.driver.run(milliseconds: 2_000)
    #expect(scene.loop.status.lanes[0].error.hasSuffix("not an address: bad ***"))
    #expect(scene.loop.status.lastError.hasSuffix("not an address: bad ***"))
  }

  @Test("A token does not leave in clear unless it is allowed to", .timeLimit(.minutes(1)))
  func plaintextToken() throws {
    var security = ClientSecurity()
    security.token = Array("secret-0123456789".utf8)
    let scene = try Scene(security: security)
    scene.loop.publish([("k", numbered(1))])
    scene.driver.run(milliseconds: 3_000)
    #expect(scene.broker.connectionCount == 0)
    #expect(scene.loop.status.lastError.contains("the token is not sent without TLS"))
    #expect(!scene.loop.status.lastError.contains("secret"))
    security.allowsPlaintextToken = true
    scene.loop.uplink.updateSecurity(security)
    scene.loop.wake()
    #expect(scene.settle())
    var text = ""
    dump(security, to: &text)
    #expect(!"\(security) \(text)".contains("secret"))
  }
}
