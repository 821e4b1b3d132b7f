extension ConfigurationSection {
  /// The keys of a secret: `name_file` and `name_env`, of which a file has at most one. `file` and
  /// `variable` are examples.
  static func secret(
    _ name: String, file: String, variable: String, _ documentation: String,
    set: @escaping @Sendable (inout Self, Secret) -> Void
  ) -> [ConfigurationKey<Self>] {
    var inFile = ConfigurationKey<Self>(
      "\(name)_file", SettingsType<Secret>.secretFile, computedDefault: "none",
      sample: quoted(file),
      documentation + """

        The file that holds it, with or without a line end; "credential:NAME" is the credential
        NAME of systemd. It never stands in this file itself.
        """, set: set)
    inFile.secretName = name
    var inVariable = ConfigurationKey<Self>(
      "\(name)_env", SettingsType<Secret>.secretVariable, computedDefault: "none",
      sample: quoted(variable),
      "Instead of \(name)_file: the name of the environment variable that holds it.", set: set)
    inVariable.secretName = name
    return [inFile, inVariable]
  }
}

extension SettingsReport {
  /// Keys of a section that stand only with another one.
  mutating func requirePairs(
    _ pairs: [(key: String, other: String)], in node: SettingsNode, at path: String
  ) {
    for (key, other) in pairs {
      guard let value = node[key], node[other] == nil else { continue }
      add(
        SettingsProblem("there is no \(other)", remedy: "They go together: write both."),
        path: "\(path).\(key)", at: value.position)
    }
  }
}

extension SettingsType where Value == Secret.Source {
  /// The path of a file, or `credential:NAME`. No error shows it: a key may stand in its place.
  static var filePlace: SettingsType {
    parsed("the path of a file, or \"credential:NAME\"", showsValue: false) {
      text throws(SettingsProblem) in
      let prefix = "credential:"
      guard text.hasPrefix(prefix) else {
        if text.isEmpty || text.utf8.contains(0) {
          throw SettingsProblem("the path is empty or has a NUL byte")
        }
        return .file(text)
      }
      let name = String(text.dropFirst(prefix.count))
      // systemd.exec(5): a credential is a file of this name in one directory.
      guard !name.isEmpty, name != ".", name != "..", name.utf8.count <= 255,
        name.utf8.allSatisfy({ isNameByte($0) || $0 == UInt8(ascii: ".") })
      else {
        throw SettingsProblem(
          "this is not the name of a credential",
          remedy: "Write \"credential:\" and letters, digits, dots, _ or -.")
      }
      return .credential(name)
    }
  }
}

extension SettingsType where Value == Secret {
  /// The path of a file, or `credential:NAME`.
  static var secretFile: SettingsType {
    let place = SettingsType<Secret.Source>.filePlace
    return SettingsType(place.description) { node, problems in
      place.read(node, &problems).map { Secret(source: $0) }
    }
  }

  /// The name of a variable. What is no name is not shown: it may be the secret, put in the wrong
  /// place.
  static var secretVariable: SettingsType {
    parsed("the name of an environment variable", showsValue: false) {
      text throws(SettingsProblem) in
      let isName =
        text.utf8.allSatisfy { isNameByte($0) && $0 != UInt8(ascii: "-") }
        && text.utf8.first.map { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
      guard isName, text.utf8.count <= 255 else {
        throw SettingsProblem(
          "this is not the name of an environment variable",
          remedy: "Write the name of the variable that holds the secret, not the secret.")
      }
      return Secret(source: .variable(text))
    }
  }
}
