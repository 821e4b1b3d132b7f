/// The section `[admin]`: health and metrics over HTTP.
public struct AdminConfiguration: Sendable, Equatable {
  /// Where `/healthz` and `/metrics` are served.
  public var address = HostPort(host: "", port: 0)
  /// What requests have to know that change something; nil when there is none.
  public var token: Secret?

  /// The defaults.
  public init() {
    self = Self.defaults()
  }
}

extension AdminConfiguration: ConfigurationSection {
  init(unset: Void) {}

  static let sectionName = "admin"
  static let sectionDocumentation = "Health and metrics over HTTP, for the operator alone."

  static let keys: [ConfigurationKey<AdminConfiguration>] =
    [
      .init(
        "address", .address, default: "\"127.0.0.1:9090\"", isActive: true,
        """
        Where /healthz, /metrics and /status are served. Reading needs no password: keep it on an
        address that only the operator reaches. Port 0 takes any free port.
        """
      ) { $0.address = $1 }
    ]
    + secret(
      "token", file: "credential:admin-token", variable: "ADMIN_TOKEN",
      """
      The token that requests need which change something, as "Authorization: Bearer TOKEN": 16
      visible characters or more. Without one, changes are allowed where the address is on loopback,
      and nowhere else.
      """
    ) { $0.token = $1 }
}
