/// Where a broker is, and whether it is spoken to through TLS: `http://host:port` or
/// `https://host:port`.
public struct BrokerURL: Sendable, Hashable, CustomStringConvertible {
  /// Danube's port for clients.
  public static let defaultPort: UInt16 = 6650

  /// Host and port.
  public var address: HostPort
  /// Whether the scheme is `https`.
  public var usesTLS: Bool

  /// A URL of parts that are not checked.
  public init(host: String, port: UInt16, usesTLS: Bool = false) {
    address = HostPort(host: host, port: port)
    self.usesTLS = usesTLS
  }

  /// The URL.
  public var description: String { "\(usesTLS ? "https" : "http")://\(address)" }

  private static let remedy = "Write \"https://host:port\", or \"http://host:port\" without TLS."

  /// Reads `http://host:port` or `https://host:port`, with an optional slash at its end.
  public init(parsing url: String) throws(SettingsProblem) {
    let shown = shownURL(url)
    let lowercased = url.lowercased()
    let scheme = lowercased.hasPrefix("https://") ? "https://" : "http://"
    guard lowercased.hasPrefix(scheme) else {
      throw SettingsProblem(
        "\(shown) is not \"embedded\", \"http://host:port\" or \"https://host:port\"",
        suggestion: nearest(to: url, among: ["embedded"]))
    }
    var authority = url.dropFirst(scheme.count)
    if authority.last == "/" { authority = authority.dropLast() }
    if authority.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }) {
      throw SettingsProblem("\(shown) has a path, which a broker has not", remedy: Self.remedy)
    }
    if authority.utf8.contains(UInt8(ascii: "@")) {
      throw SettingsProblem(
        "\(shown) has a user, which a broker does not know", remedy: Self.remedy)
    }
    address = try HostPort(parsing: String(authority), defaultPort: Self.defaultPort)
    usesTLS = scheme == "https://"
    if address.port == 0 {
      throw SettingsProblem("\(shown) has port 0", remedy: "Write the port of the broker.")
    }
  }
}
