/// Where the Danube broker is.
public enum DanubeTarget: Sendable, Equatable {
  /// Inside the gateway.
  case embedded
  /// Brokers of one cluster in the order to try them; never empty.
  case brokers([HostPort])
}

extension DanubeTarget {
  /// Danube's port for clients.
  static let defaultPort: UInt16 = 6650

  /// Reads `http://host:port`, with an optional slash at its end.
  static func broker(parsing url: String) throws(SettingsProblem) -> HostPort {
    let shown = shownURL(url)
    let plain = "http://"
    let lowercased = url.lowercased()
    if lowercased.hasPrefix("https://") {
      throw SettingsProblem(
        "\(shown) asks for TLS, which is not available yet",
        remedy: "Write \"http://host:port\", over a network that you trust.")
    }
    guard lowercased.hasPrefix(plain) else {
      throw SettingsProblem(
        "\(shown) is not \"embedded\" or \"http://host:port\"",
        suggestion: nearest(to: url, among: ["embedded"]))
    }
    var authority = url.dropFirst(plain.count)
    if authority.last == "/" { authority = authority.dropLast() }
    if authority.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }) {
      throw SettingsProblem(
        "\(shown) has a path, which a broker has not", remedy: "Write \"http://host:port\".")
    }
    if authority.utf8.contains(UInt8(ascii: "@")) {
      throw SettingsProblem(
        "\(shown) has a user, which a broker does not know", remedy: "Write \"http://host:port\".")
    }
    let address = try HostPort(parsing: String(authority), defaultPort: defaultPort)
    if address.port == 0 {
      throw SettingsProblem("\(shown) has port 0", remedy: "Write the port of the broker.")
    }
    return address
  }
}

extension SettingsType where Value == DanubeTarget {
  /// `"embedded"`, a URL or a list of URLs.
  static var danubeTarget: SettingsType {
    let url = SettingsType<HostPort>.parsed("\"http://host:port\"") {
      text throws(SettingsProblem) in
      if text == "embedded" {
        throw SettingsProblem(
          "\"embedded\" cannot be one of a list",
          remedy: "Write url = \"embedded\", or a list of \"http://host:port\" alone.")
      }
      return try DanubeTarget.broker(parsing: text)
    }
    let urls = SettingsType<[HostPort]>.list(of: url)
    let description = "\"embedded\", \(urls.description)"
    return SettingsType(description) { node, problems in
      switch node.value {
      case .string("embedded"): return .embedded
      case .string, .array: return urls.read(node, &problems).map { .brokers($0) }
      default:
        problems.append(SettingsProblem("\(node.shown) is not \(description)"))
        return nil
      }
    }
  }
}

/// A URL as messages show it: a user and a password, which may stand before an `@`, are left out.
func shownURL(_ url: String) -> String {
  guard let at = url.lastIndex(of: "@") else { return quoted(url) }
  return quoted("…" + url[at...])
}
