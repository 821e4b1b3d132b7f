/// The section `[limits]`: what the gateway may use.
public struct LimitsConfiguration: Sendable, Equatable {
  /// The memory for records on their way, in bytes.
  public var memoryBytes = 0
  /// How long a record may wait for others of its batch, in milliseconds.
  public var batchLingerMilliseconds = 0
  /// The size at which a batch goes on without waiting, in bytes.
  public var maxBatchBytes = 0
  /// The Danube topics that the gateway publishes to, each partition being one.
  public var maxTopics = 0

  /// The defaults.
  public init() {
    self = Self.defaults()
  }
}

extension LimitsConfiguration: ConfigurationSection {
  init(unset: Void) {}

  static let sectionName = "limits"
  static let sectionDocumentation = """
    What the gateway may use. At a limit it stops reading from devices: on the way to the broker it
    drops nothing. What the broker inside the gateway keeps has a limit of its own, retain_bytes.
    """

  static let keys: [ConfigurationKey<LimitsConfiguration>] = [
    .init(
      "memory", .byteSize((1 << 20)...(1 << 40)), default: "\"64MiB\"",
      """
      The memory for records on their way to the broker. At least twice the largest max_packet and
      twice max_batch.
      """
    ) { $0.memoryBytes = $1 },
    .init(
      "batch_linger_ms", .milliseconds(0...1000), default: "5",
      """
      How long a record waits for others to travel with once a quarter of the memory, or of the
      batches, is under way; four times as long at half, nine times at three quarters. Before that
      it waits for nothing. 0: never.
      """
    ) { $0.batchLingerMilliseconds = $1 },
    .init(
      "max_batch", .byteSize(4096...ListenerConfiguration.maxPacketLimitBytes),
      default: "\"256KiB\"",
      """
      The size at which a batch goes on without waiting; half of a file of the spool if that is
      less. A larger record is a batch of its own.
      """
    ) { $0.maxBatchBytes = $1 },
    .init(
      "max_topics", .integer(1...65_536, of: "topics"), default: "1000",
      """
      How many Danube topics the gateway may publish to; each partition is one. A message whose
      template makes a topic beyond that is refused (MQTT 5: reason 0x97; webhooks: 503). Topics are
      not forgotten before the gateway stops.
      """
    ) { $0.maxTopics = $1 },
  ]
}
