/// Every key of the configuration, for documents and for the file edge.toml.
public enum ConfigurationReference {
  /// A key with all that is known about it.
  public struct Entry: Sendable, Equatable {
    /// The section without brackets.
    public var section: String
    /// Whether the section can be repeated: `[[section]]`.
    public var isRepeated: Bool
    /// The key.
    public var name: String
    /// What a value may be: a noun phrase.
    public var type: String
    /// The default as written in a file, or in words where it is computed; nil when the key is
    /// required.
    public var defaultText: String?
    /// The value that edge.toml shows, as written in a file.
    public var example: String
    /// Whether edge.toml sets the key; others are shown commented out.
    public var isActive: Bool
    /// The other key and its value with which alone this one may stand, as written in a file.
    public var condition: String?
    /// Lines that say what the key does.
    public var documentation: String
    /// The default as written in a file; nil when it is computed, or the key required.
    var fixedDefault: String?
    /// Whether it says where a secret is kept; of several for one secret a file has one.
    public var isSecret: Bool
  }

  /// Every key, in the order of edge.toml.
  public static var entries: [Entry] {
    sections.flatMap(\.entries)
  }

  /// The whole of edge.toml: every key with its meaning and default, ready to be used.
  public static func renderEdgeTOML() -> String {
    var text = """
      # The configuration of danube-gateway: every key, what it means and its default.
      # A line that begins with # and a key shows the default, or an example where the default is
      # not a fixed value: remove the # and change the value.
      # Unknown keys are errors. `danube-gateway check --config FILE` says what is wrong, and where.

      """
    for section in sections {
      text += "\n" + comment(section.documentation)
      text += section.isRepeated ? "[[\(section.name)]]\n" : "[\(section.name)]\n"
      for (index, entry) in section.entries.enumerated() {
        if index > 0 { text += "\n" }
        text += comment(entry.documentation)
        let ending = entry.defaultText.map { "default: \($0)" } ?? "required"
        let condition = entry.condition.map { " Only with \($0)." } ?? ""
        text += wrappedComment("\(entry.type); \(ending).\(condition)")
        text += "\(entry.isActive ? "" : "#")\(entry.name) = \(entry.example)\n"
      }
    }
    return text
  }

  struct Section {
    let name: String
    let isRepeated: Bool
    let documentation: String
    let entries: [Entry]
    private let valueOfText: @Sendable (String, String) -> SettingsNode.Value

    init<Source: ConfigurationSection>(_ source: Source.Type) {
      name = Source.sectionName
      isRepeated = Source.isRepeated
      valueOfText = { text, key in Source.value(ofText: text, for: key) }
      documentation = Source.sectionDocumentation
      entries = Source.keys.map { key in
        Entry(
          section: Source.sectionName, isRepeated: Source.isRepeated, name: key.name,
          type: key.typeDescription, defaultText: key.defaultText ?? key.computedDefault,
          example: key.example, isActive: key.isActive, condition: key.condition,
          documentation: key.documentation, fixedDefault: key.defaultText,
          isSecret: key.secretName != nil)
      }
    }

    /// What a text from the environment is as a value of a key.
    func value(ofText text: String, for key: String) -> SettingsNode.Value {
      valueOfText(text, key)
    }
  }

  /// The sections in the order of edge.toml.
  static var sections: [Section] {
    [
      Section(ProcessConfiguration.self), Section(DanubeConfiguration.self),
      Section(BrokerConfiguration.self), Section(SpoolConfiguration.self),
      Section(AdminConfiguration.self),
      Section(ListenerConfiguration.self), Section(RouteConfiguration.self),
      Section(LimitsConfiguration.self),
    ]
  }

  private static func comment(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.isEmpty ? "#\n" : "# \($0)\n" }.joined()
  }

  private static func wrappedComment(_ text: String) -> String {
    var lines = [""]
    for word in text.split(separator: " ") {
      let last = lines[lines.count - 1]
      if last.isEmpty {
        lines[lines.count - 1] = String(word)
      } else if last.count + word.count + 1 > 96 {
        lines.append(String(word))
      } else {
        lines[lines.count - 1] = "\(last) \(word)"
      }
    }
    if let first = lines[0].first {
      lines[0] = first.uppercased() + lines[0].dropFirst()
    }
    return comment(lines.joined(separator: "\n"))
  }
}
