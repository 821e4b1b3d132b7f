/// What the topic of a route can be.
public enum RouteTopic {
  /// The longest topic, in bytes, without what names its partitions. Danube documents none; names
  /// of producers and files are made of it.
  public static let limitBytes = 255
  /// What Danube puts between a topic and the number of its partition.
  public static let partitionMark = "-part-"
}

extension SettingsType where Value == Template {
  /// A Danube topic that can be written to, whatever its placeholders stand for.
  static var topicTemplate: SettingsType {
    let description = "a Danube topic \"/namespace/topic\""
    return parsed(description) { text throws(SettingsProblem) in
      let template = try Template(parsing: text)
      // A placeholder stands for letters, digits, _ and -, at least one: as an x would.
      let filled = template.parts.map { part in
        if case .literal(let bytes) = part { String(decoding: bytes, as: UTF8.self) } else { "x" }
      }.joined()
      let names = filled.split(separator: "/", omittingEmptySubsequences: false)
      guard names.count == 3, names[0].isEmpty,
        names.dropFirst().allSatisfy({ name in
          !name.isEmpty && name.utf8.allSatisfy { isNameByte($0) }
        })
      else {
        throw SettingsProblem(
          "\(quoted(text)) is not \(description)",
          remedy: "Write a slash, a namespace, a slash and a name, of letters, digits, _ and -.")
      }
      try checkNamespace(template, text)
      if filled.utf8.count > RouteTopic.limitBytes {
        throw SettingsProblem(
          "\(quoted(text)) is longer than \(RouteTopic.limitBytes) bytes", remedy: "Shorten it.")
      }
      if contains(RouteTopic.partitionMark, in: filled) {
        throw SettingsProblem(
          "\(quoted(text)) has \"-part-\", by which Danube names the partitions of a topic",
          remedy: "Choose another name.")
      }
      return template
    }
  }

  /// Danube makes topics, but no namespaces: records for one that is missing would wait for ever.
  private static func checkNamespace(
    _ template: Template, _ text: String
  ) throws(SettingsProblem) {
    guard case .literal(let first) = template.parts.first,
      first.dropFirst().contains(UInt8(ascii: "/"))
    else {
      throw SettingsProblem(
        "\(quoted(text)) has a placeholder in its namespace",
        remedy: "Write the namespace out: Danube has to have it already.")
    }
  }

  private static func contains(_ part: String, in text: String) -> Bool {
    var rest = text[...]
    while !rest.isEmpty {
      if rest.hasPrefix(part) { return true }
      rest.removeFirst()
    }
    return false
  }
}
