/// Where the Danube broker is.
public enum DanubeTarget: Sendable, Equatable {
  /// Inside the gateway.
  case embedded
  /// Brokers of one cluster in the order to try them; never empty.
  case brokers([BrokerURL])
}

extension SettingsType where Value == DanubeTarget {
  /// `"embedded"`, a URL or a list of URLs.
  static var danubeTarget: SettingsType {
    let url = SettingsType<BrokerURL>.parsed("\"http://host:port\" or \"https://host:port\"") {
      text throws(SettingsProblem) in
      if text == "embedded" {
        throw SettingsProblem(
          "\"embedded\" cannot be one of a list",
          remedy: "Write url = \"embedded\", or a list of \"https://host:port\" alone.")
      }
      return try BrokerURL(parsing: text)
    }
    let urls = SettingsType<[BrokerURL]>.list(of: url)
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
