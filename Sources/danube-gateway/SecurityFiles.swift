import Gateway
import JWT
import Settings
import TLS
import Uring

/// What others are trusted by and what they are shown, from the files that the configuration
/// names. Read at the start, and again now and then: what changed replaces what delivery has.
struct SecurityFiles: ~Copyable {
  /// What was found wrong, at which of the keys of a section.
  struct Problem: Error {
    let section: String
    let keys: [String]
    let text: String
    let remedy: String
  }

  /// The bytes of every place; nil where there is none.
  private struct Contents: Equatable {
    var authorities: [UInt8]?
    var certificate: [UInt8]?
    var key: [UInt8]?
    var token: [UInt8]?
    var brokerCertificate: [UInt8]?
    var brokerKey: [UInt8]?
    var clientAuthorities: [UInt8]?
    var tokenSecret: [UInt8]?
  }

  /// Where systems keep the authorities that they trust, in one file.
  private static let systemFiles = [
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
  ]
  private static let limitBytes = 4 << 20
  private static let pemRemedy = "Name a file of PEM certificates, one behind the other."
  private static let pairRemedy =
    "Name the PEM file of the certificate and that of its own private key."

  private let danube: DanubeConfiguration
  private let broker: BrokerConfiguration
  private var contents = Contents()
  private(set) var security = GatewaySecurity()

  /// Reads everything.
  init(_ configuration: GatewayConfiguration) throws(Problem) {
    danube = configuration.danube
    broker = configuration.broker
    contents = try Self.read(danube, broker)
    security = try Self.security(danube, contents)
  }

  /// Whether there is anything that may change.
  var isWatched: Bool {
    if danube.target == .embedded {
      return broker.certificate != nil || Self.mayChange(broker.tokenSecret)
    }
    if danube.authorities != nil || danube.certificate != nil { return true }
    return Self.mayChange(danube.token)
  }

  private static func mayChange(_ secret: Secret?) -> Bool {
    switch secret?.source {
    case .file, .credential: true
    case .variable, nil: false
    }
  }

  /// Reads everything again; true when it is something else. What is wrong now changes nothing.
  mutating func refresh() throws(Problem) -> Bool {
    if refreshToken() { return true }
    let new = try Self.read(danube, broker, systemAuthorities: contents.authorities)
    if new == contents { return false }
    security = try Self.security(danube, new)
    contents = new
    return true
  }

  /// Takes a new token alone: a certificate without its key is no reason to let the old one expire.
  private mutating func refreshToken() -> Bool {
    guard case .brokers = danube.target, Self.mayChange(danube.token) else { return false }
    var new = contents
    // What is wrong with it is told when everything is read.
    guard let token = try? Self.token(danube) else { return false }
    new.token = token
    guard new != contents, let security = try? Self.security(danube, new) else { return false }
    self.security = security
    contents = new
    return true
  }

  // MARK: Reading

  private static func token(_ danube: DanubeConfiguration) throws(Problem) -> [UInt8]? {
    try read(danube.token, "danube", "token_file") { bytes throws(SettingsProblem) in
      try LoadedConfiguration.brokerToken(bytes)
    }
  }

  /// The system's authorities are read once: they change with its packages.
  private static func read(
    _ danube: DanubeConfiguration, _ broker: BrokerConfiguration,
    systemAuthorities: [UInt8]? = nil
  ) throws(Problem) -> Contents {
    var contents = Contents()
    guard case .brokers(let urls) = danube.target else {
      contents.brokerCertificate = try read(broker.certificate, "broker", "certificate_file")
      contents.brokerKey = try read(broker.key, "broker", "key_file")
      contents.clientAuthorities = try read(broker.clientAuthorities, "broker", "client_ca_file")
      contents.tokenSecret = try read(broker.tokenSecret, "broker", "jwt_secret_file") {
        bytes throws(SettingsProblem) in try LoadedConfiguration.signingSecret(bytes)
      }
      return contents
    }
    contents.authorities = try read(danube.authorities, "danube", "ca_file")
    if contents.authorities == nil, urls.contains(where: \.usesTLS) {
      if let systemAuthorities {
        contents.authorities = systemAuthorities
      } else {
        contents.authorities = try readSystem()
      }
    }
    contents.certificate = try read(danube.certificate, "danube", "certificate_file")
    contents.key = try read(danube.key, "danube", "key_file")
    contents.token = try token(danube)
    return contents
  }

  private static func read(
    _ secret: Secret?, _ section: String, _ key: String,
    checked: ([UInt8]) throws(SettingsProblem) -> [UInt8]
  ) throws(Problem) -> [UInt8]? {
    guard let secret else { return nil }
    if case .variable = secret.source { return secret.revealed }
    guard let bytes = try read(secret.source, section, key) else { return nil }
    do throws(SettingsProblem) {
      return try checked(bytes)
    } catch {
      throw Problem(section: section, keys: [key], text: error.message, remedy: error.remedy)
    }
  }

  private static func read(
    _ place: Secret.Source?, _ section: String, _ key: String
  ) throws(Problem) -> [UInt8]? {
    guard let place else { return nil }
    do throws(SettingsProblem) {
      return try ConfigurationFile.contents(of: place, limitBytes: limitBytes)
    } catch {
      throw Problem(section: section, keys: [key], text: error.message, remedy: error.remedy)
    }
  }

  private static func readSystem() throws(Problem) -> [UInt8] {
    for path in systemFiles {
      // What is not there on this system is at another of the places.
      if let bytes = try? FileReading.readFile(path, limitBytes: limitBytes) { return bytes }
    }
    throw Problem(
      section: "danube", keys: ["ca_file", "url"], text: "this system has no file of authorities",
      remedy: "Write ca_file, or install the package ca-certificates.")
  }

  // MARK: Making

  /// Makes of the bytes what connections are opened with.
  private static func security(
    _ danube: DanubeConfiguration, _ contents: Contents
  ) throws(Problem) -> GatewaySecurity {
    var security = GatewaySecurity()
    security.uplink.serverName = danube.tlsServerName
    security.uplink.token = contents.token
    security.uplink.allowsPlaintextToken = danube.allowsPlaintextToken
    if let authorities = contents.authorities {
      let identity = identity(contents.certificate, contents.key)
      security.uplink.context = try client(authorities, identity)
    }
    if let identity = identity(contents.brokerCertificate, contents.brokerKey) {
      security.broker = try server(identity, clientAuthorities: contents.clientAuthorities)
    }
    if let secret = contents.tokenSecret { security.brokerTokens = TokenVerifier(secret: secret) }
    return security
  }

  private static func identity(_ certificate: [UInt8]?, _ key: [UInt8]?) -> TLSIdentity? {
    guard let certificate, let key else { return nil }
    return TLSIdentity(certificates: certificate, key: key)
  }

  private static func client(
    _ authorities: [UInt8], _ identity: TLSIdentity?
  ) throws(Problem) -> TLSContext {
    var options = TLSClientOptions(authorities: authorities, applicationProtocol: .http2)
    var keys = ["ca_file", "url"]
    do throws(TLSError) {
      let context = try TLSContext(client: options)
      guard let identity else { return context }
      keys = []
      options.identity = identity
      return try TLSContext(client: options)
    } catch {
      throw problem(error, section: "danube", authorityKeys: keys)
    }
  }

  private static func server(
    _ identity: TLSIdentity, clientAuthorities: [UInt8]?
  ) throws(Problem) -> TLSContext {
    var options = TLSServerOptions(identity: identity, applicationProtocol: .http2)
    // There are few of them, and records are many.
    options.releasesBuffers = false
    var keys: [String] = []
    do throws(TLSError) {
      let context = try TLSContext(server: options)
      guard let clientAuthorities else { return context }
      keys = ["client_ca_file"]
      options.clientAuthorities = clientAuthorities
      return try TLSContext(server: options)
    } catch {
      throw problem(error, section: "broker", authorityKeys: keys)
    }
  }

  private static func problem(
    _ error: TLSError, section: String, authorityKeys: [String]
  ) -> Problem {
    if !authorityKeys.isEmpty {
      return Problem(
        section: section, keys: authorityKeys, text: error.description, remedy: pemRemedy)
    }
    return Problem(
      section: section, keys: [error.kind == .certificate ? "certificate_file" : "key_file"],
      text: error.description, remedy: pairRemedy)
  }
}
