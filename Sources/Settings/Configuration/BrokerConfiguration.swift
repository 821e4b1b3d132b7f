/// The section `[broker]`: the broker inside the gateway.
public struct BrokerConfiguration: Sendable, Equatable {
  /// Where Danube clients reach it.
  public var address = HostPort(host: "", port: 0)
  /// Namespaces that there are besides `default` and those of routes and topics.
  public var namespaces: [String] = []
  /// Where a subscription begins that the broker does not know.
  public var newSubscription = NewSubscription.latest
  /// Records that are kept for subscriptions, in bytes on the disk, or in memory without a spool.
  public var retainBytes = 0
  /// The age at which records are dropped, in seconds; 0 for none.
  public var retainAgeSeconds = 0
  /// The records that a consumer may hold without having acknowledged them.
  public var maxUnacked = 0
  /// How long a consumer may take to acknowledge before a record is sent again, in milliseconds.
  public var ackTimeoutMilliseconds = 0
  /// Where the certificate is that clients are shown; nil for no TLS.
  public var certificate: Secret.Source?
  /// Where its private key is.
  public var key: Secret.Source?
  /// Where the authorities are of which clients need a certificate; nil when they need none.
  public var clientAuthorities: Secret.Source?
  /// What clients have to show with every call.
  public var authentication = Authentication.none
  /// What their tokens are signed with.
  public var tokenSecret: Secret?

  /// What clients have to show.
  public enum Authentication: String, CaseIterable, Sendable {
    /// Nothing.
    case none
    /// A token.
    case jwt
  }

  /// Where a new subscription begins.
  public enum NewSubscription: String, CaseIterable, Sendable {
    /// With the first record after it was made, as Danube does.
    case latest
    /// With the oldest record kept.
    case earliest
  }

  /// The defaults.
  public init() {
    self = Self.defaults()
  }
}

extension BrokerConfiguration: ConfigurationSection {
  init(unset: Void) {}

  static let sectionName = "broker"
  static let sectionDocumentation = """
    The broker inside the gateway, used when url = "embedded": ordinary Danube clients connect to
    it. Its reliable topics and subscriptions are in the spool: what it has acknowledged is on the
    disk, and survives a crash and a power cut. With [spool] mode = "memory" nothing of it does.
    """

  static let keys: [ConfigurationKey<BrokerConfiguration>] =
    servingKeys
    + secret(
      "jwt_secret", file: "credential:broker-jwt", variable: "BROKER_JWT_SECRET",
      """
      What clients' tokens are signed with, 32 characters or more: a cluster's secret_key. A file
      is read again when it changes.
      """
    ) { $0.tokenSecret = $1 }

  private static let servingKeys: [ConfigurationKey<BrokerConfiguration>] = [
    .init(
      "address", .address, default: "\"127.0.0.1:6650\"", isActive: true,
      "Where Danube clients reach the broker. Port 0 takes any free port."
    ) { $0.address = $1 },
    .init(
      "namespaces", .list(of: .name(limit: 64)), computedDefault: "none",
      sample: "[\"plant-7\"]",
      """
      Namespaces for topics of clients and of other gateways, as danube-admin makes them elsewhere.
      Without this there are "default", those of this gateway's routes, and those of topics that
      are kept. A gateway which replicates needs the one of its gateway.name.
      """
    ) { $0.namespaces = $1 },
    .init(
      "new_subscription", .choice, default: "\"latest\"",
      """
      Where a subscription begins that the broker does not know. "latest": with the first record
      after it was made, as Danube does. "earliest": with the oldest record kept.
      """
    ) { $0.newSubscription = $1 },
    .init(
      "retain_bytes", .byteSize(65_536...(1 << 40)), default: "\"256MiB\"",
      """
      How much the broker keeps for its subscriptions on the disk, compressed; with [spool]
      mode = "memory", in memory. When it is used up the oldest records go, also those that a
      subscription which lags has not got yet: these are counted by
      danube_gateway_broker_records_missed_total, and the log says so. At least four times the
      largest max_packet or max_body.
      """
    ) { $0.retainBytes = $1 },
    .init(
      "retain_age_s", .seconds(0...315_360_000), default: "0",
      """
      The age at which the broker drops records on the disk, whether all have got them or not;
      0 for none. What was received while the clock was not set has an age only until the next
      restart.
      """
    ) { $0.retainAgeSeconds = $1 },
    .init(
      "max_unacked", .integer(10...10_000, of: "records"), default: "1000",
      "How many records a consumer may hold without having acknowledged them."
    ) { $0.maxUnacked = $1 },
    .init(
      "ack_timeout_ms", .milliseconds(100...86_400_000), default: "30000",
      "How long a consumer may take to acknowledge a record before it is sent again."
    ) { $0.ackTimeoutMilliseconds = $1 },
    .init(
      "certificate_file", .filePlace, computedDefault: "none",
      sample: quoted("/etc/danube/broker.pem"),
      """
      The certificate that clients are shown, and behind it those that lead to their authority,
      PEM: clients reach the broker by https:// then. It needs key_file. The files are read again
      when they change; "credential:NAME" is the credential NAME of systemd.
      """
    ) { $0.certificate = $1 },
    .init(
      "key_file", .filePlace, computedDefault: "none", sample: quoted("credential:broker-key"),
      "The private key of the certificate, PEM, not protected by a passphrase."
    ) { $0.key = $1 },
    .init(
      "client_ca_file", .filePlace, computedDefault: "none",
      sample: quoted("/etc/danube/clients.pem"),
      "The authorities of which every client needs a certificate, PEM. It needs certificate_file."
    ) { $0.clientAuthorities = $1 },
    .init(
      "auth", .choice, default: "\"none\"",
      """
      What clients have to show with every call. "none": nothing. "jwt": a JSON Web Token (HS256),
      made by danube-admin with the secret of jwt_secret_file. It travels in clear without
      certificate_file.
      """
    ) { $0.authentication = $1 },
  ]

  func check(_ node: SettingsNode, at path: String, report: inout SettingsReport) {
    report.requirePairs(
      [
        ("certificate_file", "key_file"), ("key_file", "certificate_file"),
        ("client_ca_file", "certificate_file"),
      ], in: node, at: path)
    checkTokens(node, at: path, report: &report)
  }

  /// Tokens need a secret, and a secret tokens.
  private func checkTokens(_ node: SettingsNode, at path: String, report: inout SettingsReport) {
    if authentication == .jwt, tokenSecret == nil {
      report.add(
        SettingsProblem(
          "auth = \"jwt\" needs the secret that tokens are signed with",
          remedy: "Write jwt_secret_file or jwt_secret_env."),
        path: "\(path).auth", at: node["auth"]?.position ?? node.position)
    } else if authentication == .none, tokenSecret != nil {
      let key = node["jwt_secret_file"] == nil ? "jwt_secret_env" : "jwt_secret_file"
      report.add(
        SettingsProblem(
          "the secret is not used: clients need no token", remedy: "Write auth = \"jwt\", too."),
        path: "\(path).\(key)", at: node[key]?.position ?? node.position)
    }
  }
}
