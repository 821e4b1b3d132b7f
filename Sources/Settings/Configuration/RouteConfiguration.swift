/// A section `[[route]]`: which messages go to which Danube topic, and how.
public struct RouteConfiguration: Sendable, Equatable {
  /// The MQTT topics that the route takes; nil when it takes webhooks.
  public var mqtt: RouteFilter?
  /// The paths of webhooks that the route takes; nil when it takes MQTT messages.
  public var webhook: RoutePath?
  /// The Danube topic, `/namespace/topic`. Its namespace has no placeholder.
  public var topic = Template(parts: [])
  /// What becomes of bytes that a topic cannot have.
  public var topicValues = TopicValues.map
  /// The key as it was given; nil where the route has the default of its kind.
  public var chosenKey: Template?
  /// Attributes of a record beside the standard ones, in the order of the file.
  public var attributes: [RouteAttribute] = []
  /// The partitions of the Danube topic; 0 for a topic without any.
  public var partitions = 0
  /// Whether the broker keeps records for subscriptions that are not there now.
  public var isReliable = true
  /// What stays in order.
  public var order = Order.key
  /// When the sender is answered.
  public var acknowledgement = Acknowledgement.durable
  /// What is refused or dropped last when space on the disk is short.
  public var priority = Priority.normal
  /// Bytes of each topic of the route on the disk; 0 for no limit but that of all.
  public var spoolMaxBytes = 0
  /// Age at which records of the route are dropped that the broker never took, seconds; 0 for none
  /// but that of all.
  public var spoolMaxAgeSeconds = 0

  /// Whether nobody reads the topics while their backlog is sent.
  public var hasNoLiveConsumers = false
  /// Whether nobody else writes to the topics, whatever their names.
  public var isSoleWriter = false

  /// What becomes of bytes of a placeholder that a Danube topic cannot have.
  public enum TopicValues: String, CaseIterable, Sendable {
    /// Each becomes `_`.
    case map
    /// The message is refused.
    case refuse
  }

  /// What stays in order on its way to Danube.
  public enum Order: String, BitwiseCopyable, CaseIterable, Sendable {
    /// Records of one key; without a key those of one connection.
    case key
    /// All records of the Danube topic, of each partition where it has some.
    case topic
    /// Nothing.
    case none
  }

  /// When the sender of a message is answered.
  public enum Acknowledgement: String, BitwiseCopyable, CaseIterable, Sendable {
    /// When the record is safe: accepted by the broker, or durable on the disk.
    case durable
    /// When the record is durable on the disk of this machine.
    case disk
    /// When the broker has accepted the record.
    case delivered
    /// At once.
    case received
  }

  /// What is refused or dropped last when space on the disk is short.
  public enum Priority: String, BitwiseCopyable, CaseIterable, Sendable {
    case low
    case normal
    case high
  }

  /// The key of a record. Without one of its own a route has `{client_id}` for MQTT messages, and
  /// none for webhooks.
  public var key: Template {
    chosenKey ?? Template(parts: webhook == nil ? [.clientID] : [])
  }

  /// A route of MQTT messages with these values as they would be written in a file.
  ///
  /// - Throws: the errors of the values, with the file named `route`.
  public init(
    mqtt: String, to topic: String, key: String? = nil,
    attributes: [(name: String, template: String)] = []
  ) throws(SettingsErrors) {
    try self.init("mqtt", mqtt, to: topic, key: key, attributes: attributes)
  }

  /// A route of webhooks with these values as they would be written in a file.
  ///
  /// - Throws: the errors of the values, with the file named `route`.
  public init(
    webhook: String, to topic: String, key: String? = nil,
    attributes: [(name: String, template: String)] = []
  ) throws(SettingsErrors) {
    try self.init("webhook", webhook, to: topic, key: key, attributes: attributes)
  }

  private init(
    _ source: String, _ pattern: String, to topic: String, key: String?,
    attributes: [(name: String, template: String)]
  ) throws(SettingsErrors) {
    let table = attributes.map {
      SettingsEntry(key: $0.name, node: SettingsNode(.string($0.template)))
    }
    var entries = [
      SettingsEntry(key: source, node: SettingsNode(.string(pattern))),
      SettingsEntry(key: "to", node: SettingsNode(.string(topic))),
      SettingsEntry(key: "attributes", node: SettingsNode(.table(table))),
    ]
    if let key { entries.append(SettingsEntry(key: "key", node: SettingsNode(.string(key)))) }
    var report = SettingsReport(file: "route")
    self = report.section(Self.self, from: SettingsNode(.table(entries)), path: "route")
    if !report.errors.isEmpty { throw report.result }
  }

  /// What the route takes, as it was written.
  public var pattern: String { mqtt?.text ?? webhook?.text ?? "" }

  /// The levels of what the route takes.
  public var steps: [RouteStep] { mqtt?.steps ?? webhook?.steps ?? [] }

  /// The Danube topics that the route needs for each value of ``topic``.
  public var laneCount: Int { max(partitions, 1) }
}
