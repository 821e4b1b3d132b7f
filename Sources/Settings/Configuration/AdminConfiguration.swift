/// The section `[admin]`: health and metrics over HTTP.
public struct AdminConfiguration: Sendable, Equatable {
  /// Where `/healthz` and `/metrics` are served.
  public var address = HostPort(host: "", port: 0)

  /// The defaults.
  public init() {
    self = Self.defaults()
  }
}

extension AdminConfiguration: ConfigurationSection {
  init(unset: Void) {}

  static let sectionName = "admin"
  static let sectionDocumentation = "Health and metrics over HTTP, for the operator alone."

  static let keys: [ConfigurationKey<AdminConfiguration>] = [
    .init(
      "address", .address, default: "\"127.0.0.1:9090\"", isActive: true,
      """
      Where /healthz and /metrics are served. There is no password: keep it on an address that
      only the operator reaches. Port 0 takes any free port.
      """
    ) { $0.address = $1 }
  ]
}
