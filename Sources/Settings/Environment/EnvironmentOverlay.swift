/// Lays variables of the environment over the tree of a file, before anybody reads the tree: what
/// comes from a variable is then checked like what comes from the file.
struct EnvironmentOverlay {
  private(set) var root: SettingsNode
  private(set) var notes: [EnvironmentNote] = []
  private let values: [String: String]

  /// The tree of a file with `variables` laid over it. Of variables for one key the one that is
  /// named after the key wins.
  init(_ root: SettingsNode, variables: [EnvironmentVariable]) {
    self.root = root
    values = Dictionary(
      variables.filter { !$0.value.isEmpty }.map { ($0.name, $0.value) },
      uniquingKeysWith: { first, _ in first })
    let sections = ConfigurationReference.sections.filter { !$0.isRepeated }
    for alias in EnvironmentReference.aliases { apply(alias) }
    setWebhookAddress()
    var known: Set<String> = [
      EnvironmentReference.configurationPath, EnvironmentReference.program,
    ]
    for section in sections {
      for entry in section.entries {
        for name in Self.names(of: entry) {
          known.insert(name)
          if let value = values[name] {
            set(entry, of: section, to: value, variable: name)
          }
        }
        if entry.isSecret, entry.name.hasSuffix("_env") {
          let name = Self.secretVariable(of: entry)
          known.insert(name)
          if values[name] != nil { set(entry, of: section, to: name, variable: name) }
        }
      }
    }
    noteIgnored(known: known)
  }

  /// The names of a key's variable, the one that wins last.
  private static func names(of entry: ConfigurationReference.Entry) -> [String] {
    let name = EnvironmentReference.variable(section: entry.section, key: entry.name)
    let long =
      EnvironmentReference.prefix + "\(entry.section)_\(entry.name)".uppercased()
    return name == long ? [name] : [long, name]
  }

  /// The variable that holds a secret itself: that of its key, without `_ENV`.
  private static func secretVariable(of entry: ConfigurationReference.Entry) -> String {
    EnvironmentReference.variable(
      section: entry.section, key: String(entry.name.dropLast("_env".count)))
  }

  private mutating func apply(_ alias: EnvironmentReference.Alias) {
    guard let value = values[alias.variable] else { return }
    switch alias.effect {
    case .key(let sectionName, let name):
      let section = ConfigurationReference.sections.first { $0.name == sectionName }
      guard let section, let entry = section.entries.first(where: { $0.name == name }) else {
        preconditionFailure("\(alias.variable) sets a key that there is not")
      }
      set(entry, of: section, to: value, variable: alias.variable)
    case .adminPort:
      let name = AdminConfiguration.sectionName
      let address = Self.address(root[name]?["address"], default: AdminConfiguration().address)
      put(
        .string(Self.text(host: address.host, port: value)), section: name, key: "address",
        variable: alias.variable)
    case .webhookHost, .webhookPort: break
    }
  }

  /// The address in a node, where it is one.
  private static func address(_ node: SettingsNode?, default fallback: HostPort) -> HostPort {
    guard case .string(let text) = node?.value else { return fallback }
    do throws(SettingsProblem) {
      return try HostPort(parsing: text)
    } catch {
      // What is wrong with it is said when the section is read.
      return fallback
    }
  }

  private static func text(host: String, port: String) -> String {
    (host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host) + ":\(port)"
  }

  /// One address is made of two variables: an error is that of the variable that is wrong.
  private mutating func setWebhookAddress() {
    let variables = EnvironmentReference.aliases.filter {
      $0.effect == .webhookHost || $0.effect == .webhookPort
    }
    let given = variables.filter { values[$0.variable] != nil }.map(\.variable)
    guard let last = given.last else { return }
    var elements = root["listen"]?.elements ?? []
    let indices = elements.indices.filter { elements[$0]["kind"]?.value == .string("webhook") }
    guard let index = indices.first, indices.count == 1 else {
      let count = indices.isEmpty ? "no" : "more than one"
      let reason = "there is \(count) [[listen]] with kind = \"webhook\""
      for name in given { ignore(name, reason) }
      return
    }
    let old = Self.address(elements[index]["address"], default: ListenerConfiguration().address)
    func value(_ effect: EnvironmentReference.Alias.Effect) -> String? {
      variables.first { $0.effect == effect }.flatMap { values[$0.variable] }
    }
    let host = value(.webhookHost) ?? old.host
    let isHostGood = (try? HostPort(parsing: Self.text(host: host, port: "1"))) != nil
    let culprit = isHostGood ? last : given[0]
    elements[index].set(
      "address",
      to: SettingsNode(
        .string(Self.text(host: host, port: value(.webhookPort) ?? "\(old.port)")),
        at: SettingsPosition(variable: culprit)))
    root.set("listen", to: SettingsNode(.array(elements), at: root["listen"]?.position ?? .start))
    for name in given {
      notes.append(EnvironmentNote(variable: name, kind: .sets("listen[\(index)].address")))
    }
  }

  /// Sets a key of a single section from the text of a variable.
  private mutating func set(
    _ entry: ConfigurationReference.Entry, of section: ConfigurationReference.Section,
    to text: String, variable: String
  ) {
    let isLogLevel =
      entry.name == "log_level" && entry.section == ProcessConfiguration.sectionName
    let value = section.value(ofText: isLogLevel ? Self.logLevel(text) : text, for: entry.name)
    if entry.isSecret {
      // The file's place of the same secret gives way, as every value of the file does.
      let base = entry.name.prefix { $0 != "_" }
      for other in section.entries where other.isSecret && other.name.hasPrefix("\(base)_") {
        let isFromFile = root[section.name]?[other.name]?.position.variable.isEmpty ?? false
        if isFromFile { root.change(section.name) { $0.remove(other.name) } }
      }
    }
    put(value, section: section.name, key: entry.name, variable: variable)
  }

  /// Levels as Danube Connect writes them.
  private static func logLevel(_ text: String) -> String {
    switch text.lowercased() {
    case "warn": "warning"
    case "trace": "debug"
    case let word: word
    }
  }

  private mutating func put(
    _ value: SettingsNode.Value, section: String, key: String, variable: String
  ) {
    let position = SettingsPosition(variable: variable)
    if root[section] == nil { root.set(section, to: SettingsNode(.table([]), at: position)) }
    let earlier = root[section]?[key]?.position.variable ?? ""
    if !earlier.isEmpty {
      notes.removeAll { $0.variable == earlier }
      ignore(earlier, "\(variable) sets the same key")
    }
    root.change(section) { $0.set(key, to: SettingsNode(value, at: position)) }
    notes.append(EnvironmentNote(variable: variable, kind: .sets("\(section).\(key)")))
  }

  private mutating func ignore(_ variable: String, _ reason: String, suggestion: String? = nil) {
    notes.append(
      EnvironmentNote(
        variable: variable, kind: .ignored(reason: reason, suggestion: suggestion)))
  }

  /// What looks as if it were meant for the gateway, in the order of the names.
  private mutating func noteIgnored(known: Set<String>) {
    for (variables, reason) in EnvironmentReference.ignored {
      for name in variables where values[name] != nil { ignore(name, reason) }
    }
    let prefix = EnvironmentReference.prefix
    for name in values.keys.sorted() where name.hasPrefix(prefix) && !known.contains(name) {
      let repeated = ConfigurationReference.sections.first {
        $0.isRepeated && name.hasPrefix("\(prefix)\($0.name.uppercased())_")
      }
      if let repeated {
        ignore(name, "there can be several [[\(repeated.name)]]: their keys stand in the file only")
      } else {
        ignore(name, "there is no such key", suggestion: nearest(to: name, among: known.sorted()))
      }
    }
  }
}

extension SettingsNode {
  /// Sets a key of a table; nothing happens to anything else.
  fileprivate mutating func set(_ key: String, to node: SettingsNode) {
    guard case .table(var entries) = value else { return }
    if let index = entries.firstIndex(where: { $0.key == key }) {
      entries[index].node = node
    } else {
      entries.append(SettingsEntry(key: key, keyPosition: node.position, node: node))
    }
    value = .table(entries)
  }

  fileprivate mutating func remove(_ key: String) {
    guard case .table(var entries) = value else { return }
    entries.removeAll { $0.key == key }
    value = .table(entries)
  }

  /// Changes the value of a key of a table, where there is one.
  fileprivate mutating func change(_ key: String, _ body: (inout SettingsNode) -> Void) {
    guard var node = self[key] else { return }
    body(&node)
    set(key, to: node)
  }
}
