/// An MQTT topic filter of a route (MQTT 5.0 §4.7), checked.
public struct RouteFilter: Sendable, Hashable, CustomStringConvertible {
  /// The filter as it was written.
  public let text: String
  /// The number of wildcards, `+` and `#`.
  public let wildcardCount: Int

  /// Reads a filter: 1 to 65,535 bytes without NUL, `+` alone in its level, `#` alone in the last.
  public init(parsing text: String) throws(SettingsProblem) {
    let shown = quoted(text)
    if text.isEmpty { throw SettingsProblem("the filter is empty") }
    if text.utf8.count > 65_535 {
      throw SettingsProblem("the filter is longer than 65535 bytes", remedy: "Shorten it.")
    }
    if text.utf8.contains(0) { throw SettingsProblem("\(shown) has a NUL byte") }
    let levels = Self.levels(of: text)
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

  /// Whether every topic that `other` matches is matched by this filter too. Linear in the levels.
  public func covers(_ other: RouteFilter) -> Bool {
    Self.covers(Self.levels(of: text), Self.levels(of: other.text))
  }

  /// `covers` for filters that are split already.
  static func covers(_ mine: [Substring], _ theirs: [Substring]) -> Bool {
    // [MQTT-4.7.2-1] A filter that begins with a wildcard does not match topics that begin with $.
    if theirs[0].first == "$", mine[0] == "+" || mine[0] == "#" { return false }
    for (index, level) in mine.enumerated() {
      if level == "#" { return true }
      guard index < theirs.count, theirs[index] != "#" else { return false }
      if level != "+", level != theirs[index] { return false }
    }
    return mine.count == theirs.count
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
