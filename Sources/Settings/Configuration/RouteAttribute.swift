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

  /// Attributes that records of one kind or another have by themselves; no route can set them.
  public static let standardNames = [
    "source", "mqtt.topic", "mqtt.qos", "mqtt.retain", "mqtt.dup", "mqtt.client_id",
    "mqtt.content_type", "mqtt.response_topic", "mqtt.correlation_data", "mqtt.expiry_s",
    "webhook.source", "webhook.endpoint", "webhook.timestamp", "webhook.ip",
    "webhook.user_agent", "webhook.content_type",
  ]
  /// The names that begin so are those of user properties of MQTT 5.
  public static let userPropertyPrefix = "mqtt.user."
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
    if RouteAttribute.standardNames.contains(name)
      || name.hasPrefix(RouteAttribute.userPropertyPrefix)
    {
      return SettingsProblem(
        "records have this attribute already",
        remedy: "Choose another name, or leave it out.")
    }
    return nil
  }
}
