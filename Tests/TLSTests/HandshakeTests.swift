import Bytes
import TLS
import TestCertificates
import Testing

@Suite("TLS sessions agree, or say why not")
struct HandshakeTests {
  private static func makeAuthority() throws -> TestAuthority { try TestAuthority() }

  private func clientContext(
    _ authority: TestAuthority, identity: TestAuthority.Issued? = nil,
    protocol wanted: ApplicationProtocol = .http2, isTLS12: Bool = false
  ) throws -> TLSContext {
    var options = TLSClientOptions(
      authorities: authority.certificate, applicationProtocol: wanted)
    options.identity = identity.map { TLSIdentity(certificates: $0.certificate, key: $0.key) }
    options.isLimitedToTLS12 = isTLS12
    return try TLSContext(client: options)
  }

  private func serverContext(
    _ issued: TestAuthority.Issued, clients: TestAuthority? = nil,
    protocol wanted: ApplicationProtocol = .http2, isTLS12: Bool = false
  ) throws -> TLSContext {
    var options = TLSServerOptions(
      identity: TLSIdentity(certificates: issued.certificate, key: issued.key),
      applicationProtocol: wanted)
    options.clientAuthorities = clients?.certificate
    options.isLimitedToTLS12 = isTLS12
    return try TLSContext(server: options)
  }

  @Test(
    "Both versions work, whole and byte by byte", .timeLimit(.minutes(1)),
    arguments: [(true, Int.max), (true, 1), (false, Int.max), (false, 1), (false, 100)])
  func versions(isTLS12: Bool, step: Int) throws {
    let authority = try TestAuthority()
    var ends = try TwoEnds(
      clientContext(authority), serverContext(authority.issue(), isTLS12: isTLS12))
    try ends.handshake(step)
    #expect(ends.client.isHandshakeComplete && ends.server.isHandshakeComplete)
    #expect(ends.client.version == (isTLS12 ? "TLSv1.2" : "TLSv1.3"))
    #expect(ends.client.cipher != "")
    try ends.sendFromClient(Array("there".utf8))
    try ends.sendFromServer(Array("and back".utf8))
    try ends.run(step)
    #expect(ends.atServer.takeAll() == Array("there".utf8))
    #expect(ends.atClient.takeAll() == Array("and back".utf8))
  }

  @Test("A client of TLS 1.2 is served", .timeLimit(.minutes(1)))
  func oldClient() throws {
    let authority = try TestAuthority()
    var ends = try TwoEnds(
      clientContext(authority, isTLS12: true), serverContext(authority.issue()))
    try ends.handshake()
    #expect(ends.server.version == "TLSv1.2")
  }

  @Test(
    "The certificate has to be the name's", .timeLimit(.minutes(1)),
    arguments: [
      ("localhost", ["DNS:localhost"], true), ("LOCALHOST", ["DNS:localhost"], true),
      ("localhost.", ["DNS:localhost"], true), ("127.0.0.1", ["IP:127.0.0.1"], true),
      ("::1", ["IP:0:0:0:0:0:0:0:1"], true), ("a.example.org", ["DNS:*.example.org"], true),
      ("other", ["DNS:localhost"], false), ("127.0.0.2", ["IP:127.0.0.1"], false),
      ("a.b.example.org", ["DNS:*.example.org"], false),
      ("abc.example.org", ["DNS:a*.example.org"], false),
      // An address is no name, and a common name none to check by.
      ("127.0.0.1", ["DNS:127.0.0.1"], false), ("me", [], false),
    ] as [(String, [String], Bool)])
  func names(name: String, issuedFor: [String], isAccepted: Bool) throws {
    let authority = try TestAuthority()
    var ends = try TwoEnds(
      clientContext(authority), serverContext(authority.issue(issuedFor)), name: name)
    if isAccepted {
      try ends.handshake()
      #expect(ends.client.isHandshakeComplete == true)
      return
    }
    let error = #expect(throws: TLSError.self) { try ends.handshake() }
    #expect(error?.kind == .verification)
    #expect(error?.reason.contains("mismatch") == true, "\(error?.reason ?? "")")
    // The server learns why.
    let alert = #expect(throws: TLSError.self) { _ = try ends.deliverToServer() }
    #expect(alert?.kind == .alert)
    #expect(alert?.reason.contains("certificate") == true, "\(alert?.reason ?? "")")
  }

  @Test("A name that is none is refused", arguments: ["", "a\u{0}b"])
  func badNames(name: String) throws {
    let context = try clientContext(TestAuthority())
    #expect(throws: TLSError(.serverName, "\"\(name)\"")) {
      _ = try TLSSession(context, serverName: name)
    }
  }

  @Test("A certificate of another authority is not accepted", .timeLimit(.minutes(1)))
  func otherAuthority() throws {
    var ends = try TwoEnds(
      clientContext(TestAuthority()), serverContext(TestAuthority("Another").issue()))
    let error = #expect(throws: TLSError.self) { try ends.handshake() }
    #expect(error == TLSError(.verification, "unable to get local issuer certificate"))
  }

  @Test("A certificate that is over is not accepted", .timeLimit(.minutes(1)))
  func expired() throws {
    let authority = try TestAuthority()
    var ends = try TwoEnds(
      clientContext(authority), serverContext(authority.issue(days: -1)))
    let error = #expect(throws: TLSError.self) { try ends.handshake() }
    #expect(error == TLSError(.verification, "certificate has expired"))
  }

  @Test(
    "A server that wants certificates takes those of its authority",
    .timeLimit(.minutes(1)), arguments: [true, false])
  func mutual(isTLS12: Bool) throws {
    let servers = try TestAuthority("Servers")
    let clients = try TestAuthority("Clients")
    var ends = try TwoEnds(
      clientContext(servers, identity: clients.issue(["DNS:device"])),
      serverContext(servers.issue(), clients: clients, isTLS12: isTLS12))
    try ends.handshake()
    #expect(ends.client.isHandshakeComplete && ends.server.isHandshakeComplete)
    try ends.sendFromClient([1, 2, 3])
    try ends.run()
    #expect(ends.atServer.takeAll() == [1, 2, 3])
  }

  @Test(
    "A server that wants certificates refuses who has none, or a foreign one",
    .timeLimit(.minutes(1)),
    arguments: [(true, true), (true, false), (false, true), (false, false)])
  func mutualRefused(isTLS12: Bool, hasForeignOne: Bool) throws {
    let servers = try TestAuthority("Servers")
    let clients = try TestAuthority("Clients")
    let identity = hasForeignOne ? try servers.issue(["DNS:device"]) : nil
    var ends = try TwoEnds(
      clientContext(servers, identity: identity),
      serverContext(servers.issue(), clients: clients, isTLS12: isTLS12))
    let error = #expect(throws: TLSError.self) { try ends.handshake() }
    #expect(error?.kind == .verification)
    let expected =
      hasForeignOne
      ? "unable to get local issuer certificate" : "peer did not return a certificate"
    #expect(error?.reason == expected)
    // What the client is told; with TLS 1.3 after its own side of the handshake was over.
    let told = #expect(throws: TLSError.self) { try ends.run() }
    #expect(told?.kind == .alert)
    if !isTLS12, !hasForeignOne { #expect(told?.reason == "alert certificate required") }
  }

  @Test("Without a common protocol above there is no session", .timeLimit(.minutes(1)))
  func applicationProtocols() throws {
    let authority = try TestAuthority()
    let issued = try authority.issue()
    // The server knows no ALPN at all.
    var unnamed = try TwoEnds(
      clientContext(authority), serverContext(issued, protocol: .unnamed))
    #expect(throws: TLSError(.applicationProtocol, "h2")) { try unnamed.handshake() }
    // The server wants another.
    var other = try TwoEnds(clientContext(authority), serverContext(issued, protocol: .http1))
    #expect(throws: TLSError.self) { try other.handshake() }
    let told = #expect(throws: TLSError.self) { try other.run() }
    #expect(told == TLSError(.alert, "alert no application protocol"))
    // The client names none.
    var silent = try TwoEnds(
      clientContext(authority, protocol: .unnamed), serverContext(issued, protocol: .http2))
    #expect(throws: TLSError(.applicationProtocol, "h2")) { try silent.handshake() }
    // HTTP/1.1 is understood without a word.
    var old = try TwoEnds(
      clientContext(authority, protocol: .unnamed), serverContext(issued, protocol: .http1))
    try old.handshake()
    #expect(old.server.isHandshakeComplete == true)
  }

  @Test("What is no certificate, no key, or not the key is told apart")
  func badMaterial() throws {
    let authority = try TestAuthority()
    let one = try authority.issue()
    let other = try authority.issue()
    func identity(_ certificate: [UInt8], _ key: [UInt8]) throws {
      _ = try TLSContext(
        server: TLSServerOptions(
          identity: TLSIdentity(certificates: certificate, key: key), applicationProtocol: .http2))
    }
    func kind(_ certificate: [UInt8], _ key: [UInt8]) -> TLSError.Kind? {
      #expect(throws: TLSError.self) { try identity(certificate, key) }?.kind
    }
    #expect(kind([], one.key) == .certificate)
    #expect(kind(Array("hello".utf8), one.key) == .certificate)
    #expect(kind(one.key, one.key) == .certificate)
    #expect(kind(one.certificate, []) == .key)
    #expect(kind(one.certificate, one.certificate) == .key)
    #expect(kind(one.certificate, other.key) == .keyMismatch)
    #expect(kind(Array(one.certificate.dropLast(40)), one.key) == .certificate)
    // A passphrase is not asked for at the terminal.
    let locked = try TestAuthority.openssl(
      ["pkey", "-in", one.keyFile, "-aes128", "-passout", "pass:secret"])
    let error = #expect(throws: TLSError.self) { try identity(one.certificate, locked) }
    #expect(error == TLSError(.key, "it is protected by a passphrase"))
    try identity(one.certificate, one.key)
  }

  @Test("A chain behind the certificate is sent", .timeLimit(.minutes(1)))
  func chains() throws {
    // Somebody whose authority is itself issued by the one that the client knows.
    let root = try TestAuthority("Root")
    let leaf = try root.issueWithChain()
    var ends = try TwoEnds(clientContext(root), serverContext(leaf))
    try ends.handshake()
    #expect(ends.client.isHandshakeComplete == true)
  }
}
