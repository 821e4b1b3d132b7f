/// Text with placeholders that are filled in for each message, such as `{client_id}/{1}`, or for
/// webhooks `{path.device}`.
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
    /// The whole topic name of the message, or the whole path of the request as it was written.
    case topic
    /// What the n-th wildcard of the route's filter matched, from 1 to 9. `#` counts as one and
    /// stands for all the levels it matched, with their slashes.
    case wildcard(Int)
    /// The segment, or the rest, that has this name in the path of a webhook's route, decoded.
    case path(String)
    /// The value of the first field of the request with this name, which is in lower case.
    case header(String)
    /// The value of the first parameter of the request's query with this name, decoded.
    case query(String)

    /// The placeholder as it is written.
    public var placeholder: String {
      switch self {
      case .literal(let bytes): String(decoding: bytes, as: UTF8.self)
      case .clientID: "{client_id}"
      case .topic: "{topic}"
      case .wildcard(let number): "{\(number)}"
      case .path(let name): "{path.\(name)}"
      case .header(let name): "{header.\(name)}"
      case .query(let name): "{query.\(name)}"
      }
    }
  }

  /// A template of these parts.
  public init(parts: [Part]) {
    self.parts = parts
  }

  /// Reads a template: literal text with `{client_id}`, `{topic}`, `{1}` to `{9}`, `{path.name}`,
  /// `{header.name}` and `{query.name}`; `{{` and `}}` are literal braces.
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

  /// Whether the text is the same for every message.
  public var isConstant: Bool {
    parts.allSatisfy { part in
      if case .literal = part { true } else { false }
    }
  }

  /// The text of a template without placeholders; nil for others.
  public var constant: String? {
    guard isConstant else { return nil }
    return parts.map(\.placeholder).joined()
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
    if let dot = name.firstIndex(of: ".") {
      let field = String(name[name.index(after: dot)...])
      switch name[..<dot] {
      case "path" where isName(field, isNameByte): return .path(field)
      case "header" where isName(field, isTokenByte): return .header(field.lowercased())
      case "query" where isName(field, { $0 > 0x20 && $0 != 0x7f }): return .query(field)
      default: break
      }
    }
    let known = ["client_id", "topic", "path.name", "header.name", "query.name"]
    let suggestion = nearest(to: name, among: known).map { "{\($0)}" }
    throw SettingsProblem(
      "\(quoted(text)) has an unknown placeholder \(quoted("{\(name)}"))", suggestion: suggestion,
      remedy: "There are {client_id}, {topic} and {1} to {9} for MQTT, {topic}, {path.name}, "
        + "{header.name} and {query.name} for webhooks; {{ is a literal brace.")
  }

  private static func isName(_ text: String, _ isAllowed: (UInt8) -> Bool) -> Bool {
    !text.isEmpty && text.utf8.count <= 64 && text.utf8.allSatisfy(isAllowed)
  }

  /// What the name of a field is made of (RFC 9110 §5.6.2).
  private static func isTokenByte(_ byte: UInt8) -> Bool {
    isNameByte(byte) || "!#$%&'*+.^`|~".utf8.contains(byte)
  }
}

extension SettingsType where Value == Template {
  /// A template.
  static var template: SettingsType {
    parsed("a template") { text throws(SettingsProblem) in try Template(parsing: text) }
  }
}
