/// The paths that a webhook's route takes, such as `/hooks/{device}`, checked.
///
/// A path is compared as it is written, without decoding (RFC 3986 §3.3): `{name}` stands for one
/// segment that is not empty, `{name...}` or `*` at the end for all that follows.
public struct RoutePath: Sendable, Hashable, CustomStringConvertible {
  /// The path as it was written.
  public let text: String
  /// Its segments, at least one.
  public let steps: [RouteStep]
  /// The names of the segments that are no literals, in their order; empty for `*`.
  public let names: [String]

  /// Names that a path can have.
  static let nameLimit = 9

  /// Reads a path: a slash, then segments of visible ASCII. Nothing in it is decoded.
  public init(parsing text: String) throws(SettingsProblem) {
    let shown = quoted(text)
    guard text.first == "/" else {
      throw SettingsProblem("\(shown) does not begin with a slash", remedy: "Write \"/…\".")
    }
    if text.utf8.count > 1024 {
      throw SettingsProblem("the path is longer than 1024 bytes", remedy: "Shorten it.")
    }
    var steps: [RouteStep] = []
    var names: [String] = []
    let segments = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    if segments.count > RouteStep.limit {
      throw SettingsProblem("\(shown) has more than \(RouteStep.limit) segments")
    }
    for (index, segment) in segments.enumerated() {
      let (step, name) = try Self.step(segment, in: text)
      if step == .rest, index != segments.count - 1 {
        throw SettingsProblem(
          "\(shown) has segments after \(quoted(String(segment)))",
          remedy: "What stands for all that follows must be the last segment.")
      }
      if let name, !name.isEmpty, names.contains(name) {
        throw SettingsProblem(
          "\(shown) has {\(name)} twice", remedy: "Give each segment its own name.")
      }
      steps.append(step)
      if let name { names.append(name) }
    }
    if names.count > Self.nameLimit {
      throw SettingsProblem("\(shown) has more than \(Self.nameLimit) names")
    }
    self.text = text
    self.steps = steps
    self.names = names
  }

  /// The path as it was written.
  public var description: String { text }

  /// The number of a name among ``names``, from 1; nil when the path does not have it.
  public func number(of name: String) -> Int? {
    name.isEmpty ? nil : names.firstIndex(of: name).map { $0 + 1 }
  }

  private static func step(
    _ segment: Substring, in text: String
  ) throws(SettingsProblem) -> (RouteStep, name: String?) {
    if segment == "*" { return (.rest, "") }
    guard segment.contains(where: { "{}*".contains($0) }) else {
      guard segment.utf8.allSatisfy({ isPathByte($0) }) else {
        throw SettingsProblem(
          "\(quoted(text)) has characters that a path cannot have",
          remedy: "Write them as a client sends them: é is %C3%A9, a space %20.")
      }
      return (.literal(Array(segment.utf8)), nil)
    }
    guard segment.first == "{", segment.last == "}" else {
      throw SettingsProblem(
        "\(quoted(text)) has \(quoted(String(segment))), which mixes text and a placeholder",
        remedy: "{name}, {name...} or * must be a whole segment, between slashes.")
    }
    var name = segment.dropFirst().dropLast()
    let isRest = name.hasSuffix("...")
    if isRest { name = name.dropLast(3) }
    guard !name.isEmpty, name.utf8.count <= 64, name.utf8.allSatisfy({ isNameByte($0) }) else {
      throw SettingsProblem(
        "\(quoted(String(segment))) has no name of 1 to 64 letters, digits, _ or -",
        remedy: "Write for example {device}.")
    }
    return (isRest ? .rest : .any, String(name))
  }

  /// Visible ASCII without what ends a path.
  private static func isPathByte(_ byte: UInt8) -> Bool {
    byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: "?") && byte != UInt8(ascii: "#")
  }
}

extension SettingsType where Value == RoutePath {
  /// The paths of a webhook.
  static var routePath: SettingsType {
    parsed("a path with {name} for a segment and {name...} or * for the rest") {
      text throws(SettingsProblem) in try RoutePath(parsing: text)
    }
  }
}
