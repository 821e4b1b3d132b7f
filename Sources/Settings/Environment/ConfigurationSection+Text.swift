extension ConfigurationSection {
  /// What a text from the environment is as a value of a key: the string itself if the key takes
  /// it, else the number, the truth value or the list that it spells. A text that the key takes in
  /// no way stays a string, and its error is told when the section is read.
  static func value(ofText text: String, for name: String) -> SettingsNode.Value {
    guard let key = keys.first(where: { $0.name == name }) else { return .string(text) }
    return candidates(text).first { value in
      var section = Self(unset: ())
      var problems: [SettingsProblem] = []
      key.read(SettingsNode(value), &section, &problems)
      return problems.isEmpty
    } ?? .string(text)
  }

  private static func candidates(_ text: String) -> [SettingsNode.Value] {
    var values: [SettingsNode.Value] = [.string(text)]
    if let number = Int64(text) { values.append(.integer(number)) }
    if text == "true" || text == "false" { values.append(.boolean(text == "true")) }
    if text.utf8.contains(UInt8(ascii: ",")) {
      // Bounded as everything that is read: nobody names more brokers than this.
      let parts = text.split(separator: ",", maxSplits: 256).map { part in
        SettingsNode(.string(String(part.drop { $0 == " " })))
      }
      values.append(.array(parts))
    }
    return values
  }
}
