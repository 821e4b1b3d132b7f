/// One key of a section: its name, type, default, documentation and reading in one place.
struct ConfigurationKey<Section>: Sendable {
  /// The name in the file.
  let name: String
  /// What a value may be: a noun phrase.
  let typeDescription: String
  /// The default as it would be written in the file; nil when there is none or it is computed.
  let defaultText: String?
  /// What the default is when it is computed: a noun phrase.
  let computedDefault: String?
  /// A value to show where the default would not do as an example, as written in the file.
  let sample: String?
  /// Whether edge.toml sets the key; others are shown commented out.
  let isActive: Bool
  /// The other key and its value with which alone this one may stand, as written in the file.
  let condition: String?
  /// Lines that say what the key does, in plain text.
  let documentation: String
  /// For a key that says where a secret is kept: the name of the secret, such as `token`.
  var secretName: String?
  /// Reads a value into a section, or adds problems.
  let read: @Sendable (SettingsNode, inout Section, inout [SettingsProblem]) -> Void

  init<Value>(
    _ name: String, _ type: SettingsType<Value>, default defaultText: String? = nil,
    computedDefault: String? = nil, sample: String? = nil, isActive: Bool = false,
    onlyWith condition: String? = nil, _ documentation: String,
    set: @escaping @Sendable (inout Section, Value) -> Void
  ) {
    self.name = name
    typeDescription = type.description
    self.defaultText = defaultText
    self.computedDefault = computedDefault
    self.sample = sample
    self.isActive = isActive
    self.condition = condition
    self.documentation = documentation
    read = { node, section, problems in
      if let value = type.read(node, &problems) { set(&section, value) }
    }
  }

  /// Whether a section without this key is an error.
  var isRequired: Bool { defaultText == nil && computedDefault == nil }

  /// A value to show, as written in the file.
  var example: String { sample ?? defaultText ?? "" }
}

/// A section of the configuration with the table of its keys.
protocol ConfigurationSection: Sendable {
  /// The name in brackets.
  static var sectionName: String { get }
  /// How many there can be; above 1 each is written as `[[name]]`.
  static var maxCount: Int { get }
  /// Lines that say what the section is about.
  static var sectionDocumentation: String { get }
  /// The keys in the order of edge.toml.
  static var keys: [ConfigurationKey<Self>] { get }

  /// A section whose values are placeholders: every key is read into it before anybody sees it.
  init(unset: Void)

  /// Reports what is wrong between keys of one section. `node` is the section's table.
  func check(_ node: SettingsNode, at path: String, report: inout SettingsReport)
}

extension ConfigurationSection {
  static var maxCount: Int { 1 }

  static var isRepeated: Bool { maxCount > 1 }

  func check(_ node: SettingsNode, at path: String, report: inout SettingsReport) {}

  /// The section as it is when the file says nothing. Keys without a default keep placeholders.
  static func defaults() -> Self {
    var section = Self(unset: ())
    var problems: [SettingsProblem] = []
    let defaults = defaultsNode()
    for key in keys {
      if let node = defaults[key.name] { key.read(node, &section, &problems) }
    }
    precondition(problems.isEmpty, "a default of [\(sectionName)] is not acceptable")
    return section
  }

  /// The defaults as a table.
  static func defaultsNode() -> SettingsNode {
    var text = ""
    for key in keys {
      if let defaultText = key.defaultText { text += "\(key.name) = \(defaultText)\n" }
    }
    do throws(SettingsErrors) {
      return try SettingsTree(parsing: Array(text.utf8), file: "defaults").root
    } catch {
      preconditionFailure("a default of [\(sectionName)] is not TOML")
    }
  }
}
