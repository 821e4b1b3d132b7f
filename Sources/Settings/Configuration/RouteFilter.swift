/// An MQTT topic filter of a route (MQTT 5.0 §4.7), checked.
public struct RouteFilter: Sendable, Hashable, CustomStringConvertible {
  /// The filter as it was written.
  public let text: String
  /// The number of wildcards, `+` and `#`.
  public let wildcardCount: Int

  /// Reads a filter: 1 to 65,535 bytes and 1 to 128 levels without NUL, `+` alone in its level, `#`
  /// alone in the last.
  public init(parsing text: String) throws(SettingsProblem) {
    let shown = quoted(text)
    if text.isEmpty { throw SettingsProblem("the filter is empty") }
    if text.utf8.count > 65_535 {
      throw SettingsProblem("the filter is longer than 65535 bytes", remedy: "Shorten it.")
    }
    if text.utf8.contains(0) { throw SettingsProblem("\(shown) has a NUL byte") }
    let levels = Self.levels(of: text)
    if levels.count > RouteStep.limit {
      throw SettingsProblem(
        "\(shown) has more than \(RouteStep.limit) levels", remedy: "End it earlier, with #.")
    }
    if levels[0] == "$share" {
      throw SettingsProblem(
        "\(shown) is a shared subscription, which a route cannot have",
        remedy: "Write the filter alone, without $share and the name of the share.")
    }
    var wildcards = 0
    for (index, level) in levels.enumerated() {
      let hasPlus = level.utf8.contains(UInt8(ascii: "+"))
      let hasHash = level.utf8.contains(UInt8(ascii: "#"))
      if !hasPlus, !hasHash { continue }
      // [MQTT-4.7.1-1] [MQTT-4.7.1-2]
      guard level.utf8.count == 1 else {
        throw SettingsProblem(
          "\(shown) has \(hasHash ? "#" : "+") beside other characters",
          remedy: "A wildcard must be a whole level, between slashes.")
      }
      if hasHash, index != levels.count - 1 {
        throw SettingsProblem("\(shown) has levels after #", remedy: "# must be the last level.")
      }
      wildcards += 1
    }
    self.init(checked: text, wildcardCount: wildcards)
  }

  init(checked text: String, wildcardCount: Int) {
    self.text = text
    self.wildcardCount = wildcardCount
  }

  /// The levels of the filter, at least one.
  public var steps: [RouteStep] {
    Self.levels(of: text).map { level in
      switch level {
      case "+": .any
      case "#": .rest
      default: .literal(Array(level.utf8))
      }
    }
  }

  /// The filter as it was written.
  public var description: String { text }

  /// The levels of a filter; at least one.
  static func levels(of text: String) -> [Substring] {
    text.split(separator: "/", omittingEmptySubsequences: false)
  }
}

extension SettingsType where Value == RouteFilter {
  /// An MQTT topic filter.
  static var routeFilter: SettingsType {
    parsed("an MQTT topic filter") { text throws(SettingsProblem) in
      try RouteFilter(parsing: text)
    }
  }
}
