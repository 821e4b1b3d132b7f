/// The section `[danube]`: the broker that records go to.
public struct DanubeConfiguration: Sendable, Equatable {
  /// The broker.
  public var target = DanubeTarget.embedded
  /// How records get to a broker of its own.
  public var path = Path.auto
  /// How long a call may wait for its answer, in milliseconds.
  public var callDeadlineMilliseconds = 0
  /// The calls that may wait for an answer on one broker connection.
  public var maxInFlight = 0
  /// The first wait before a broker is tried again, in milliseconds.
  public var backoffMinMilliseconds = 0
  /// The longest wait before a broker is tried again, in milliseconds.
  public var backoffMaxMilliseconds = 0
  /// How long connecting to a broker may take, in milliseconds.
  public var connectTimeoutMilliseconds = 0
  /// Where the authorities are by which brokers' certificates are checked; nil for the system's.
  public var authorities: Secret.Source?
  /// Where the certificate is that brokers are shown; nil for none.
  public var certificate: Secret.Source?
  /// Where its private key is.
  public var key: Secret.Source?
  /// The name by which certificates are checked; nil for the host of each URL.
  public var tlsServerName: String?
  /// What is sent to brokers with every call; nil for nothing.
  public var token: Secret?
  /// Whether the token may be sent in clear.
  public var allowsPlaintextToken = false

  /// How records get to a broker of its own.
  public enum Path: String, BitwiseCopyable, CaseIterable, Sendable {
    /// One by one, and in large batches what routes and the cluster allow.
    case auto
    /// One by one.
    case produce
    /// In large batches, where the cluster allows it.
    case replicate
  }

  /// The defaults.
  public init() {
    self = Self.defaults()
  }
}

extension DanubeConfiguration: ConfigurationSection {
  init(unset: Void) {}

  static let sectionName = "danube"
  static let sectionDocumentation = "The Danube broker that records go to."

  static let keys: [ConfigurationKey<DanubeConfiguration>] =
    connectionKeys + securityKeys
    + secret(
      "token", file: "credential:danube-token", variable: "DANUBE_TOKEN",
      """
      The token that brokers are shown with every call, as "authorization: Bearer TOKEN": a JSON Web
      Token made by danube-admin. A file is read again when it changes.
      """
    ) { $0.token = $1 }
    + [
      .init(
        "allow_plaintext_token", .boolean, default: "false",
        "Whether the token may be sent to brokers without TLS, where everybody on the way reads it."
      ) { $0.allowsPlaintextToken = $1 }
    ]

  private static let connectionKeys: [ConfigurationKey<DanubeConfiguration>] = [
    .init(
      "url", .danubeTarget, default: "\"embedded\"", isActive: true,
      """
      Where the broker is. "embedded": inside the gateway, see [broker]. "http://host:port": a
      broker of its own; "https://host:port": one that is spoken to through TLS. A list of such URLs
      names several to try, of one cluster. Without a port it is 6650.
      """
    ) { $0.target = $1 },
    .init(
      "path", .choice, default: "\"auto\"",
      """
      How records get to a broker of its own. "produce": one by one, which wakes consumers at once.
      "replicate": in large batches through the spool, which is many times cheaper for the broker;
      consumers see them up to half a second later. The cluster has to have the edge service, and
      topics must be under "/NAME/" with the name of this gateway: nobody else may write to them.
      Where the cluster does not allow it they are published, and /status says so. "auto": one by
      one, and what comes from the spool in large batches for routes with no_live_consumers = true.
      """
    ) { $0.path = $1 },
    .init(
      "call_deadline_ms", .milliseconds(100...600_000), default: "10000",
      "How long a call to the broker may wait for its answer before it counts as failed."
    ) { $0.callDeadlineMilliseconds = $1 },
    .init(
      "max_in_flight", .integer(1...65_536, of: "calls"), default: "1024",
      """
      How many calls may wait for their answers on one broker connection. Of one key there is
      never more than one, so this many keys travel together.
      """
    ) { $0.maxInFlight = $1 },
    .init(
      "backoff_min_ms", .milliseconds(1...60_000), default: "100",
      "The wait before a broker is tried again; it doubles, with jitter, up to backoff_max_ms."
    ) { $0.backoffMinMilliseconds = $1 },
    .init(
      "backoff_max_ms", .milliseconds(1...600_000), default: "5000",
      "The longest wait before a broker is tried again; not below backoff_min_ms."
    ) { $0.backoffMaxMilliseconds = $1 },
    .init(
      "connect_timeout_ms", .milliseconds(10...600_000), default: "5000",
      "How long connecting to a broker may take."
    ) { $0.connectTimeoutMilliseconds = $1 },
  ]

  private static let securityKeys: [ConfigurationKey<DanubeConfiguration>] = [
    .init(
      "ca_file", .filePlace, computedDefault: "the system's", sample: quoted("/etc/danube/ca.pem"),
      """
      The authorities by which brokers' certificates are checked, PEM. This file, certificate_file
      and key_file are read again when they change; "credential:NAME" is the credential NAME of
      systemd.
      """
    ) { $0.authorities = $1 },
    .init(
      "certificate_file", .filePlace, computedDefault: "none",
      sample: quoted("/etc/danube/edge.pem"),
      """
      The certificate that brokers are shown which ask for one, and behind it those that lead to
      their authority, PEM. It needs key_file.
      """
    ) { $0.certificate = $1 },
    .init(
      "key_file", .filePlace, computedDefault: "none", sample: quoted("credential:danube-key"),
      "The private key of the certificate, PEM, not protected by a passphrase."
    ) { $0.key = $1 },
    .init(
      "tls_server_name", .serverName, computedDefault: "the host of the URL",
      sample: quoted("danube.example"),
      "The name or address that brokers' certificates have to be for, whatever their URL."
    ) { $0.tlsServerName = $1 },
  ]

  func check(_ node: SettingsNode, at path: String, report: inout SettingsReport) {
    if backoffMinMilliseconds > backoffMaxMilliseconds {
      let isMaxSet = node["backoff_max_ms"] != nil
      let key = isMaxSet ? "backoff_max_ms" : "backoff_min_ms"
      report.add(
        SettingsProblem(
          "backoff_min_ms = \(backoffMinMilliseconds) is above "
            + "backoff_max_ms = \(backoffMaxMilliseconds)",
          remedy: "Make backoff_max_ms the larger one."),
        path: "\(path).\(key)", at: node[key]?.position ?? node.position)
    }
    report.requirePairs(
      [("certificate_file", "key_file"), ("key_file", "certificate_file")], in: node, at: path)
    checkToken(node, at: path, report: &report)
  }

  /// A token for brokers that are reached in clear.
  private func checkToken(_ node: SettingsNode, at path: String, report: inout SettingsReport) {
    guard token != nil, !allowsPlaintextToken, case .brokers(let urls) = target,
      let url = urls.first(where: { !$0.usesTLS })
    else { return }
    let key = node["token_file"] == nil ? "token_env" : "token_file"
    report.add(
      SettingsProblem(
        "\(quoted(url.description)) has no TLS: everybody on the way would read the token",
        remedy: "Write https:// in danube.url, or allow_plaintext_token = true."),
      path: "\(path).\(key)", at: node[key]?.position ?? node.position)
  }
}
