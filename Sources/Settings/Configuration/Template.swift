/// Text with placeholders that are filled in for each message, such as `{client_id}/{1}`.
///
/// The parts are bytes and numbers, so that filling in needs no string.
public struct Template: Sendable, Hashable {
  /// The parts in order. Literals are never empty and never stand side by side.
  public var parts: [Part]

  /// A piece of a template.
  public enum Part: Sendable, Hashable {
    /// These bytes (UTF-8) as they are.
    case literal([UInt8])
    /// The client identifier of the device (MQTT 5.0 §3.1.3.1).
    case clientID
    /// The whole topic name of the message.
    case topic
    /// What the n-th wildcard of the route's filter matched, from 1 to 9. `#` counts as one and
    /// stands for all the levels it matched, with their slashes.
    case wildcard(Int)
  }

  /// A template of these parts.
  public init(parts: [Part]) {
    self.parts = parts
  }

  /// Reads a template: literal text with `{client_id}`, `{topic}` and `{1}` to `{9}`; `{{` and
  /// `}}` are literal braces.
  public init(parsing text: String) throws(SettingsProblem) {
    let open = UInt8(ascii: "{")
    let close = UInt8(ascii: "}")
    parts = []
    var literal: [UInt8] = []
    var bytes = text.utf8[...]
    while let byte = bytes.popFirst() {
      if byte != open, byte != close {
        literal.append(byte)
      } else if bytes.first == byte {
        bytes.removeFirst()
        literal.append(byte)
      } else if byte == close {
        throw SettingsProblem(
          "\(quoted(text)) has a } without {", remedy: "Write }} for a literal brace.")
      } else {
        guard let end = bytes.firstIndex(of: close) else {
          throw SettingsProblem(
            "\(quoted(text)) has a { without }", remedy: "Write {{ for a literal brace.")
        }
        if !literal.isEmpty { parts.append(.literal(literal)) }
        literal = []
        parts.append(try Self.placeholder(String(Substring(bytes[..<end])), in: text))
        bytes = bytes[bytes.index(after: end)...]
      }
    }
    if !literal.isEmpty { parts.append(.literal(literal)) }
  }

  /// The highest wildcard that the template names; 0 when it names none.
  public var highestWildcard: Int {
    var highest = 0
    for case .wildcard(let number) in parts { highest = max(highest, number) }
    return highest
  }

  private static func placeholder(
    _ name: String, in text: String
  ) throws(SettingsProblem) -> Part {
    switch name {
    case "client_id": return .clientID
    case "topic": return .topic
    default: break
    }
    if name.utf8.count == 1, let number = Int(name), (1...9).contains(number) {
      return .wildcard(number)
    }
    let suggestion = nearest(to: name, among: ["client_id", "topic"]).map { "{\($0)}" }
    throw SettingsProblem(
      "\(quoted(text)) has an unknown placeholder \(quoted("{\(name)}"))", suggestion: suggestion,
      remedy: "There are {client_id}, {topic} and {1} to {9}; {{ is a literal brace.")
  }
}

extension SettingsType where Value == Template {
  /// A template.
  static var template: SettingsType {
    parsed("a template") { text throws(SettingsProblem) in try Template(parsing: text) }
  }
}
