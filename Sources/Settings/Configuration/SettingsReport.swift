/// Collects the errors of one file while its sections are read.
struct SettingsReport {
  /// The file as its caller named it.
  let file: String
  /// The errors so far.
  private(set) var errors: [SettingsError] = []
  /// Whether an error was left out.
  private var isCut = false

  /// Nobody reads more errors than this at once, and a file can be made to have a million.
  static let limit = 100

  init(file: String) {
    self.file = file
  }

  private var isFull: Bool { errors.count >= Self.limit }

  /// Notes, when no more errors fit, that one is left out. Call it before costly preparations.
  mutating func cut() -> Bool {
    isCut = isCut || isFull
    return isFull
  }

  /// What is thrown when there is an error.
  var result: SettingsErrors { SettingsErrors(errors, isCut: isCut) }

  /// Adds a problem of the value under `path`. `position` is used where the problem has none,
  /// `remedy` likewise.
  mutating func add(
    _ problem: SettingsProblem, path: String, at position: SettingsPosition, remedy: String = ""
  ) {
    if cut() { return }
    errors.append(
      SettingsError(
        file: file, position: problem.position ?? position, keyPath: path + problem.subpath,
        message: problem.message, suggestion: problem.suggestion,
        remedy: problem.remedy.isEmpty ? remedy : problem.remedy))
  }

  /// Reads one section from its table. What the table does not set gets its default.
  mutating func section<Section: ConfigurationSection>(
    _ type: Section.Type, from node: SettingsNode, path: String
  ) -> Section {
    section(from: node, path: path, defaults: Section.defaults())
  }

  /// Reads one section from its table, over the defaults.
  mutating func section<Section: ConfigurationSection>(
    from node: SettingsNode, path: String, defaults: Section
  ) -> Section {
    var section = defaults
    guard let entries = node.entries else {
      let header = Section.isRepeated ? "[[\(Section.sectionName)]]" : "[\(Section.sectionName)]"
      add(
        SettingsProblem("\(node.shown) is not a section"), path: path, at: node.position,
        remedy: "Write \(header) on a line of its own, and its keys below.")
      return section
    }
    let errorCountBefore = errors.count
    checkSecrets(of: Section.self, entries, path: path)
    for entry in entries where !Section.keys.contains(where: { $0.name == entry.key }) {
      if Section.keys.contains(where: { $0.secretName == entry.key }) { continue }
      let known = Section.keys.map(\.name)
      addUnknownKey(entry, path: path, known: known, section: Section.sectionName)
    }
    for key in Section.keys {
      let keyPath = "\(path).\(key.name)"
      let remedy = key.example.isEmpty ? "" : "For example: \(key.name) = \(key.example)."
      if let value = node[key.name] {
        var problems: [SettingsProblem] = []
        key.read(value, &section, &problems)
        let variable = value.position.variable
        for problem in problems {
          add(
            problem, path: keyPath, at: value.position,
            remedy: variable.isEmpty ? remedy : "Correct the variable, or unset it.")
        }
      } else if key.isRequired {
        add(SettingsProblem("missing"), path: keyPath, at: node.position, remedy: remedy)
      }
    }
    // Relations between values say nothing while a value is missing.
    if errors.count == errorCountBefore { section.check(node, at: path, report: &self) }
    return section
  }

  /// A secret itself stands nowhere in the file, and its place is said once.
  private mutating func checkSecrets<Section: ConfigurationSection>(
    of type: Section.Type, _ entries: [SettingsEntry], path: String
  ) {
    for name in Set(Section.keys.compactMap(\.secretName)).sorted() {
      let alternatives = Section.keys.filter { $0.secretName == name }.map(\.name)
      if let literal = entries.first(where: { $0.key == name }) {
        add(
          SettingsProblem(
            "a secret does not stand in the file",
            remedy: "Write \(alternatives.joined(separator: " or ")), which say where it is kept."),
          path: "\(path).\(name)", at: literal.keyPosition)
      }
      let given = entries.filter { alternatives.contains($0.key) }
      if given.count > 1 {
        add(
          SettingsProblem(
            "\(given[0].key) is there already", remedy: "Keep the one that holds the secret."),
          path: "\(path).\(given[1].key)", at: given[1].keyPosition)
      }
    }
  }

  private mutating func addUnknownKey(
    _ entry: SettingsEntry, path: String, known: [String], section: String
  ) {
    if cut() { return }
    var suggestion = nearest(to: entry.key, among: known)
    if suggestion == nil {
      let elsewhere = ConfigurationReference.entries.first { $0.name == entry.key }
      suggestion = elsewhere.map { "\($0.section).\($0.name)" }
    }
    let remedy =
      suggestion == nil
      ? "Remove it; [\(section)] has the keys \(known.joined(separator: ", "))."
      : "Remove it or see edge.toml for all keys."
    add(
      SettingsProblem("unknown key", suggestion: suggestion, remedy: remedy),
      path: "\(path).\(shownKey(entry.key))", at: entry.keyPosition)
  }
}
