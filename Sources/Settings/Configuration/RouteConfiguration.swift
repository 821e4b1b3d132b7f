/// A section `[[route]]`: which messages go to which Danube topic, and how.
public struct RouteConfiguration: Sendable, Equatable {
  /// The MQTT topics that the route takes.
  public var filter: RouteFilter
  /// The Danube topic, `/namespace/topic`.
  public var topic = ""
  /// The key of a record: records of one key stay in order.
  public var key = Template(parts: [])
  /// Attributes of a record beside the standard ones, in the order of the file.
  public var attributes: [RouteAttribute] = []

  /// A route with these values as they would be written in a file.
  ///
  /// - Throws: the errors of the values, with the file named `route`.
  public init(
    mqtt: String, to topic: String, key: String = "{client_id}",
    attributes: [(name: String, template: String)] = []
  ) throws(SettingsErrors) {
    let table = attributes.map {
      SettingsEntry(key: $0.name, node: SettingsNode(.string($0.template)))
    }
    let entries = [
      SettingsEntry(key: "mqtt", node: SettingsNode(.string(mqtt))),
      SettingsEntry(key: "to", node: SettingsNode(.string(topic))),
      SettingsEntry(key: "key", node: SettingsNode(.string(key))),
      SettingsEntry(key: "attributes", node: SettingsNode(.table(table))),
    ]
    var report = SettingsReport(file: "route")
    self = report.section(Self.self, from: SettingsNode(.table(entries)), path: "route")
    if !report.errors.isEmpty { throw report.result }
  }
}

/// An attribute that a route gives to its records.
public struct RouteAttribute: Sendable, Equatable {
  /// The attribute's name.
  public var name: String
  /// Its value.
  public var value: Template

  /// An attribute.
  public init(name: String, value: Template) {
    self.name = name
    self.value = value
  }

  /// Attributes that every record has; no route can set them.
  public static let standardNames = [
    "mqtt.topic", "mqtt.qos", "mqtt.retain", "mqtt.dup", "mqtt.client_id", "source",
  ]
}

extension RouteConfiguration: ConfigurationSection {
  init(unset: Void) {
    filter = .everything
  }

  static let sectionName = "route"
  /// Routes are tried one by one: a thousand is what a gateway of this kind should compare.
  static let maxCount = 1000
  static let sectionDocumentation = """
    Which MQTT messages go to which Danube topic. Repeat the section for more routes, at least one:
    the first whose filter matches a message takes it.
    Templates are text with {client_id}, {topic} (the whole MQTT topic) and {1} to {9} (what the
    first to ninth wildcard of the filter matched; # stands for all its levels). {{ and }} are
    literal braces.
    """

  static let keys: [ConfigurationKey<RouteConfiguration>] = [
    .init(
      "mqtt", .routeFilter, sample: "\"sensors/+/temperature\"", isActive: true,
      """
      The MQTT topics that the route takes: + stands for one level, # at the end for any number.
      Topics that begin with $ are matched only by filters that begin with $ too.
      """
    ) { $0.filter = $1 },
    .init(
      "to", .danubeTopic, sample: "\"/default/temperature\"", isActive: true,
      "The Danube topic. It is created when it does not exist."
    ) { $0.topic = $1 },
    .init(
      "key", .template, default: "\"{client_id}\"", isActive: true,
      """
      The key of a record, a template. Records of one key stay in order; those of different keys
      travel side by side, so a key that is the same for all devices is slow.
      """
    ) { $0.key = $1 },
    .init(
      "attributes", .routeAttributes, default: "{}", sample: "{ room = \"{1}\" }", isActive: true,
      """
      Attributes of a record, each a template. Every record has \(
        RouteAttribute.standardNames.dropLast(3).joined(separator: ", ")),
      \(RouteAttribute.standardNames.suffix(3).joined(separator: ", ")) as well.
      """
    ) { $0.attributes = $1 },
  ]

  func check(_ node: SettingsNode, at path: String, report: inout SettingsReport) {
    let place = node["key"]?.position ?? node.position
    if key.parts.isEmpty {
      report.add(
        SettingsProblem("the key is empty", remedy: "Write a text to keep all records in order."),
        path: "\(path).key", at: place)
    }
    checkWildcards(of: key, at: place, path: "\(path).key", report: &report)
    for attribute in attributes {
      checkWildcards(
        of: attribute.value, at: node["attributes"]?[attribute.name]?.position ?? node.position,
        path: "\(path).attributes.\(shownKey(attribute.name))", report: &report)
    }
  }

  private func checkWildcards(
    of template: Template, at position: SettingsPosition, path: String,
    report: inout SettingsReport
  ) {
    guard template.highestWildcard > filter.wildcardCount else { return }
    let count =
      switch filter.wildcardCount {
      case 0: "no wildcard"
      case 1: "one wildcard"
      default: "\(filter.wildcardCount) wildcards"
      }
    report.add(
      SettingsProblem(
        "{\(template.highestWildcard)} is used, but \(quoted(filter.text)) has \(count)",
        remedy: "Use {client_id}, {topic} or a wildcard that the filter has."),
      path: path, at: position)
  }
}

extension RouteFilter {
  /// `#`.
  static let everything = RouteFilter(checked: "#", wildcardCount: 1)
}

extension SettingsType where Value == String {
  /// A Danube topic that can be written to.
  static var danubeTopic: SettingsType {
    let description = "a Danube topic \"/namespace/topic\""
    return parsed(description) { text throws(SettingsProblem) in
      let names = text.split(separator: "/", omittingEmptySubsequences: false)
      guard names.count == 3, names[0].isEmpty,
        names.dropFirst().allSatisfy({ name in
          !name.isEmpty && name.utf8.allSatisfy { isNameByte($0) }
        })
      else {
        throw SettingsProblem(
          "\(quoted(text)) is not \(description)",
          remedy: "Write a slash, a namespace, a slash and a name, of letters, digits, _ and -.")
      }
      if contains("-part-", in: text) {
        throw SettingsProblem(
          "\(quoted(text)) has \"-part-\", by which Danube names the partitions of a topic",
          remedy: "Choose another name.")
      }
      return text
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

extension SettingsType where Value == [RouteAttribute] {
  /// An inline table of templates.
  static var routeAttributes: SettingsType {
    let description = "a table of at most 32 templates"
    return SettingsType(description) { node, problems in
      guard let entries = node.entries, entries.count <= 32 else {
        let shown = node.entries.map { "a table of \($0.count)" } ?? node.shown
        problems.append(SettingsProblem("\(shown) is not \(description)"))
        return nil
      }
      var attributes: [RouteAttribute] = []
      for entry in entries {
        let step = ".\(shownKey(entry.key))"
        if let problem = problemWithName(entry.key) {
          problems.append(problem.inside(step, at: entry.keyPosition))
          continue
        }
        var found: [SettingsProblem] = []
        if let value = SettingsType<Template>.template.read(entry.node, &found) {
          attributes.append(RouteAttribute(name: entry.key, value: value))
        }
        problems += found.map { $0.inside(step, at: entry.node.position) }
      }
      return attributes.count == entries.count ? attributes : nil
    }
  }

  private static func problemWithName(_ name: String) -> SettingsProblem? {
    if name.isEmpty || name.utf8.count > 256 || name.utf8.contains(where: { $0 < 0x20 }) {
      return SettingsProblem(
        "the name is empty, longer than 256 bytes or has control characters",
        remedy: "Choose another name.")
    }
    if RouteAttribute.standardNames.contains(name) {
      return SettingsProblem(
        "every record has this attribute already",
        remedy: "Choose another name, or leave it out.")
    }
    return nil
  }
}
