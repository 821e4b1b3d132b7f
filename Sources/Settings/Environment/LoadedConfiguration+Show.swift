extension LoadedConfiguration {
  /// The whole configuration as it holds, as TOML with the origin of each value in a comment: a
  /// line of the file, a variable of the environment, or the default. Of secrets only the place is
  /// shown.
  public var shown: String {
    var text = ""
    for section in ConfigurationReference.sections {
      let header = section.isRepeated ? "[[\(section.name)]]" : "[\(section.name)]"
      // A listener is there by default; without any route there is no configuration.
      let node = root[section.name]
      var tables = [node]
      if section.isRepeated, let elements = node?.elements { tables = elements }
      for table in tables {
        text += (text.isEmpty ? "" : "\n") + header + "\n"
        for entry in section.entries where Self.mayStand(entry, of: section, in: table) {
          text += line(entry, in: table)
        }
      }
    }
    return text
  }

  /// Whether the other key, on which this one depends, has the value for it.
  private static func mayStand(
    _ entry: ConfigurationReference.Entry, of section: ConfigurationReference.Section,
    in table: SettingsNode?
  ) -> Bool {
    guard let condition = entry.condition else { return true }
    let other = String(condition.prefix { $0 != " " })
    let usual = section.entries.first { $0.name == other }?.fixedDefault
    return condition == "\(other) = \(table?[other]?.asTOML ?? usual ?? "")"
  }

  private func line(_ entry: ConfigurationReference.Entry, in table: SettingsNode?) -> String {
    if let node = table?[entry.name] {
      return Self.line("\(entry.name) = \(node.asTOML)", origin(of: node))
    }
    if entry.section == ProcessConfiguration.sectionName, entry.name == "name" {
      let name = quoted(configuration.gateway.name)
      return Self.line("name = \(name)", "default: \(entry.defaultText ?? "")")
    }
    // Without a default that can be written, the key is as if it were not there.
    guard let value = entry.fixedDefault else { return "" }
    return Self.line("\(entry.name) = \(value)", "default")
  }

  private func origin(of node: SettingsNode) -> String {
    let variable = node.position.variable
    return variable.isEmpty
      ? "\(printable(path, limit: 200)):\(node.position.line)" : "environment: \(variable)"
  }

  private static func line(_ setting: String, _ origin: String) -> String {
    let padding = String(repeating: " ", count: max(1, 48 - setting.count))
    return "\(setting)\(padding)# \(origin)\n"
  }
}

extension SettingsNode {
  /// The value as TOML on one line.
  var asTOML: String {
    switch value {
    case .string(let text): Self.basicString(text)
    case .integer(let number): "\(number)"
    case .float(let number): "\(number)"
    case .boolean(let flag): "\(flag)"
    // No key takes one, so none is left after checking.
    case .dateOrTime: "\"\""
    case .array(let elements): "[" + elements.map(\.asTOML).joined(separator: ", ") + "]"
    case .table(let entries):
      entries.isEmpty
        ? "{}"
        : "{ "
          + entries.map { "\(Self.key($0.key)) = \($0.node.asTOML)" }.joined(separator: ", ") + " }"
    }
  }

  private static func key(_ key: String) -> String {
    !key.isEmpty && key.utf8.allSatisfy { isNameByte($0) } ? key : basicString(key)
  }

  /// TOML 1.0, basic strings; what does not print is escaped, so that a terminal is safe.
  private static func basicString(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case _ where isUnprintable(scalar):
        let digits = String(scalar.value, radix: 16)
        result += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
