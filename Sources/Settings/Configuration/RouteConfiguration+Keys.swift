extension RouteConfiguration: ConfigurationSection {
  init(unset: Void) {}

  static let sectionName = "route"
  /// Matching does not grow with the routes; the file, the topics and the memory for them do.
  static let maxCount = 10_000
  static let sectionDocumentation = """
    Which messages go to which Danube topic. Repeat the section for more routes, at least one: the
    first in the file that takes a message has it. A route takes either MQTT messages or webhooks.
    Templates are text with placeholders. Of MQTT messages: {client_id}, {topic} (the whole topic)
    and {1} to {9} (what the first to ninth wildcard of the filter stands for; # for all its
    levels). Of webhooks: {topic} (the whole path), {path.name} (the segment {name} of the route),
    {header.name} and {query.name}. {{ and }} are literal braces.
    """

  static let keys = sourceKeys + recordKeys + deliveryKeys

  private static let sourceKeys: [ConfigurationKey<RouteConfiguration>] = [
    .init(
      "mqtt", .routeFilter, computedDefault: "none", sample: "\"sensors/+/temperature\"",
      isActive: true,
      """
      The MQTT topics that the route takes: + stands for one level, # at the end for any number.
      Topics that begin with $ are matched only by filters that begin with $ too.
      """
    ) { $0.mqtt = $1 },
    .init(
      "webhook", .routePath, computedDefault: "none", sample: "\"/hooks/{device}\"",
      """
      The paths of webhooks that the route takes, in place of mqtt: {name} stands for one segment,
      {name...} or * at the end for the rest. Paths are compared as they are sent.
      """
    ) { $0.webhook = $1 },
  ]

  private static let recordKeys: [ConfigurationKey<RouteConfiguration>] = [
    .init(
      "to", .topicTemplate, sample: "\"/default/temperature\"", isActive: true,
      """
      The Danube topic. It is created when it does not exist, its namespace is not. The topic can be
      a template, such as "/default/{1}": see limits.max_topics.
      """
    ) { $0.topic = $1 },
    .init(
      "topic_values", .choice, default: "\"map\"",
      """
      What becomes of a message when a placeholder of its topic stands for other characters than
      letters, digits, _ and -. "map": each byte of them becomes _, so that a.b and a_b share a
      topic. "refuse": the message is refused.
      """
    ) { $0.topicValues = $1 },
    .init(
      "key", .template, computedDefault: "\"{client_id}\" of MQTT messages, none of webhooks",
      sample: "\"{client_id}\"", isActive: true,
      """
      The key of a record, a template. Records of one key stay in order; those of different keys
      travel side by side, so a key that is the same for all devices is slow. Where it comes out
      empty the record has none, and stays in order with the others of its connection.
      """
    ) { $0.chosenKey = $1 },
    .init(
      "attributes", .routeAttributes, default: "{}", sample: "{ room = \"{1}\" }", isActive: true,
      """
      Attributes of a record, each a template; one for whose placeholders the message has no value
      is left out. Every record has the standard ones of its kind as well. Of MQTT: source,
      mqtt.topic, mqtt.qos, mqtt.retain, mqtt.dup, mqtt.client_id, and what an MQTT 5 message says
      besides: mqtt.content_type, mqtt.response_topic, mqtt.correlation_data (base64),
      mqtt.expiry_s, mqtt.user.NAME. Of webhooks: source, webhook.source, webhook.endpoint,
      webhook.timestamp, webhook.ip, webhook.user_agent, webhook.content_type.
      """
    ) { $0.attributes = $1 },
  ]

  private static let deliveryKeys: [ConfigurationKey<RouteConfiguration>] = [
    .init(
      "partitions", .integer(0...1024, of: "partitions"), default: "0",
      """
      The partitions of the Danube topic, 0 for a topic without any. Records with a key go where
      Danube's clients send that key, others to each in turn.
      """
    ) { $0.partitions = $1 },
    .init(
      "reliable", .boolean, default: "true",
      """
      Whether the broker keeps records for subscriptions that are not there now. For a topic that
      exists it has to be as it was created.
      """
    ) { $0.isReliable = $1 },
    .init(
      "order", .choice, default: "\"key\"",
      """
      What stays in order. "key": records of one key. "topic": all records of a Danube topic or
      partition, one at a time, which is slow. "none": nothing, which is fastest.
      """
    ) { $0.order = $1 },
    .init(
      "ack", .choice, default: "\"durable\"",
      """
      When the sender is answered. "durable": when the record is safe, which is accepted by the
      broker or durable in the spool, whichever comes first. "disk": when it is durable in the
      spool; every record goes there first. "delivered": when the broker has accepted it; such
      records never go to the spool, and while the broker is away their senders wait. "received":
      at once; what is then refused is counted, and so is what is still in memory when the gateway
      stops. A crash loses that.
      """
    ) { $0.acknowledgement = $1 },
    .init(
      "priority", .choice, default: "\"normal\"",
      """
      Who is refused, or loses the oldest records, first when the spool is full: "low" from half of
      what new records may have on, "normal" when all of it is used, but with a route of "high" all
      but a tenth, and a file at least.
      """
    ) { $0.priority = $1 },
    .init(
      "spool_max_bytes", .byteSize(0...(1 << 44)), default: "0",
      "How much of the spool each Danube topic of the route may take; 0 for all of it."
    ) { $0.spoolMaxBytes = $1 },
    .init(
      "spool_max_age_s", .integer(0...315_360_000, of: "seconds"), default: "0",
      """
      The age at which records of the route's Danube topics are dropped from the spool that the
      broker never took, where spool.max_age_s does not drop them before; 0 for none.
      """
    ) { $0.spoolMaxAgeSeconds = $1 },
    .init(
      "no_live_consumers", .boolean, default: "false",
      """
      Whether nobody listens to the Danube topics of the route while their backlog is sent, or
      minds to lose records: then it goes from the spool to the broker in large batches, at full
      speed, where danube.path = "auto" and the cluster allow it. A consumer of today's Danube that
      is connected meanwhile skips what it lags behind by more than 256 records.
      """
    ) { $0.hasNoLiveConsumers = $1 },
    .init(
      "sole_writer", .boolean, default: "false",
      """
      Whether this gateway alone writes to the Danube topics of the route, though they are not under
      "/NAME/" with its name: then they too may go in large batches. What another writer sends in
      batches to such a topic, or sent before, makes the broker drop ours while it says that all is
      well.
      """
    ) { $0.isSoleWriter = $1 },
  ]

  func check(_ node: SettingsNode, at path: String, report: inout SettingsReport) {
    guard (mqtt == nil) != (webhook == nil) else {
      report.add(
        mqtt == nil
          ? SettingsProblem(
            "nothing says which messages the route takes",
            remedy: "Write mqtt = \"sensors/+/temperature\" or webhook = \"/hooks/{device}\".")
          : SettingsProblem(
            "a route cannot take both MQTT messages and webhooks",
            remedy: "Remove mqtt or webhook, or write a route for each."),
        path: path, at: node["webhook"]?.position ?? node.position)
      return
    }
    check(topic, at: node["to"]?.position ?? node.position, path: "\(path).to", report: &report)
    check(key, at: node["key"]?.position ?? node.position, path: "\(path).key", report: &report)
    for attribute in attributes {
      check(
        attribute.value, at: node["attributes"]?[attribute.name]?.position ?? node.position,
        path: "\(path).attributes.\(shownKey(attribute.name))", report: &report)
    }
  }

  /// Reports the first placeholder that the route's kind cannot fill.
  private func check(
    _ template: Template, at position: SettingsPosition, path: String,
    report: inout SettingsReport
  ) {
    let problem = webhook.map { problemOfWebhook(template, $0) } ?? problemOfMQTT(template)
    if let problem { report.add(problem, path: path, at: position) }
  }

  private func problemOfMQTT(_ template: Template) -> SettingsProblem? {
    guard let mqtt else { return nil }
    for part in template.parts {
      switch part {
      case .literal, .clientID, .topic, .wildcard: continue
      case .path, .header, .query:
        return SettingsProblem(
          "\(quoted(part.placeholder)) is used, but the route takes MQTT messages",
          remedy: "Use {client_id}, {topic} or a wildcard of the filter.")
      }
    }
    guard template.highestWildcard > mqtt.wildcardCount else { return nil }
    let count =
      switch mqtt.wildcardCount {
      case 0: "no wildcard"
      case 1: "one wildcard"
      default: "\(mqtt.wildcardCount) wildcards"
      }
    return SettingsProblem(
      "{\(template.highestWildcard)} is used, but \(quoted(mqtt.text)) has \(count)",
      remedy: "Use {client_id}, {topic} or a wildcard that the filter has.")
  }

  private func problemOfWebhook(_ template: Template, _ webhook: RoutePath) -> SettingsProblem? {
    for part in template.parts {
      switch part {
      case .literal, .topic, .header, .query: continue
      case .path(let name):
        if webhook.number(of: name) != nil { continue }
        return SettingsProblem(
          "{path.\(name)} is used, but \(quoted(webhook.text)) has no {\(name)}",
          suggestion: nearest(to: name, among: webhook.names).map { "{path.\($0)}" },
          remedy: "Use a name that the path has.")
      case .clientID, .wildcard:
        return SettingsProblem(
          "\(quoted(part.placeholder)) is used, but the route takes webhooks",
          remedy: "Use {topic}, {path.name}, {header.name} or {query.name}.")
      }
    }
    return nil
  }
}
