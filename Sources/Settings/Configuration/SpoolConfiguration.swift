/// The section `[spool]`: what goes to the disk, and how it comes back.
public struct SpoolConfiguration: Sendable, Equatable {
  /// When records go to the disk.
  public var mode = Mode.spill
  /// Bytes of all files.
  public var maxBytes = 0
  /// The age at which records are dropped, seconds; 0 for none.
  public var maxAgeSeconds = 0
  /// Bytes that records may take which were set aside.
  public var quarantineMaxBytes = 0
  /// What happens when it is full.
  public var overflow = Overflow.reject
  /// Bytes of a segment's file.
  public var segmentBytes = 0
  /// The shortest time between two commits, milliseconds.
  public var commitMilliseconds = 0
  /// How long a record waits for the broker, milliseconds.
  public var spillAfterMilliseconds = 0
  /// Records a second that a topic is given from the disk.
  public var drainMaxRecordsPerSecond = 0
  /// Bytes a second that all topics are given from the disk; 0 for no limit.
  public var drainMaxBytesPerSecond = 0

  /// When records go to the disk.
  public enum Mode: String, CaseIterable, Sendable {
    /// When the broker does not take them in time.
    case spill
    /// Always.
    case always
    /// Never: they wait in memory.
    case memory
  }

  /// What happens to records when the spool is full.
  public enum Overflow: String, CaseIterable, Sendable {
    /// They are not taken, and their senders are told.
    case reject
    /// The oldest are dropped.
    case dropOldest = "drop_oldest"
    /// New ones are dropped; their senders are told that all is well.
    case dropNewest = "drop_newest"
  }

  /// The defaults.
  public init() {
    self = Self.defaults()
  }
}

extension SpoolConfiguration: ConfigurationSection {
  init(unset: Void) {}

  static let sectionName = "spool"
  static let sectionDocumentation = """
    The buffer on the disk, in the folder "spool" of data_dir: what the broker does not take in time
    goes there, is answered when it is durable, and is forwarded when the broker is back.
    """

  static let keys: [ConfigurationKey<SpoolConfiguration>] = [
    .init(
      "mode", .choice, default: "\"spill\"",
      """
      When records go to the disk. "spill": when the broker does not take them in time; while it
      keeps up nothing is written. "always": at once, and the broker gets them from there; when
      the disk takes no more, nothing is taken, also while a broker is there.
      "memory": never. Records then wait in memory, within the limits, and devices are answered
      when the broker has them. With the embedded broker "spill" and "always" are the same: its
      records are on the disk, and its limits are retain_bytes and retain_age_s of [broker].
      """
    ) { $0.mode = $1 },
    .init(
      "max_bytes", .byteSize(1_048_576...(1 << 44)), default: "\"1GiB\"",
      """
      How much the spool may hold on the disk, all its files together, but for two of 64KiB. At
      least four times the largest max_packet or max_body. Two files with the topics are part of
      it, 64KiB each or a multiple: some 50 bytes and the name of every topic. If both together
      take more than half, with some 2000 topics of 80 bytes a MiB, the records have the other
      half all the same, and the limit is exceeded.
      """
    ) { $0.maxBytes = $1 },
    .init(
      "max_age_s", .seconds(0...315_360_000), default: "0",
      """
      The age at which records are dropped that the broker never took; 0 for none. What was
      received while the clock was not set has an age only until the next restart, and stays.
      """
    ) { $0.maxAgeSeconds = $1 },
    .init(
      "quarantine_max_bytes", .byteSize(65_536...(1 << 40)), default: "\"16MiB\"",
      """
      How much of that records may take that the broker refused for good after their senders were
      answered; beyond it the oldest are dropped.
      """
    ) { $0.quarantineMaxBytes = $1 },
    .init(
      "overflow", .choice, default: "\"reject\"",
      """
      What happens when the spool is full and the broker does not take records. "reject": senders
      are told no (MQTT 5: 0x97; MQTT 3.1.1: nothing is read until there is space; webhooks: 507).
      "drop_oldest": the oldest records are dropped. "drop_newest": new ones are, and their senders
      are told that all is well. What is dropped is counted.
      """
    ) { $0.overflow = $1 },
    .init(
      "segment_bytes", .byteSize(65_536...(1 << 30)), default: "\"8MiB\"",
      """
      The size of one file of the spool; an eighth of max_bytes, or a sixteenth of retain_bytes, if
      that is less. Space comes back a file at a time. A record that is larger has its own.
      """
    ) { $0.segmentBytes = $1 },
    .init(
      "commit_ms", .milliseconds(0...1_000), default: "10",
      """
      The shortest time from one write to the next while little comes in: larger values spare the
      flash, smaller ones answer sooner. A record that comes after a pause is written at once.
      """
    ) { $0.commitMilliseconds = $1 },
    .init(
      "spill_after_ms", .milliseconds(1...3_600_000), default: "250",
      """
      How long a record waits for the broker before it goes to the disk; four round trips to the
      broker if these are longer.
      """
    ) { $0.spillAfterMilliseconds = $1 },
    .init(
      "drain_max_records_per_s", .integer(1...100_000_000, of: "records"), default: "2000",
      """
      How many records a second each topic is given from the disk when the broker is back, above
      what comes in meanwhile. Consumers of a Danube topic that is not reliable lose what comes
      faster than they take it.
      """
    ) { $0.drainMaxRecordsPerSecond = $1 },
    .init(
      "drain_max_bytes_per_s", .integer(0...(1 << 40), of: "bytes"), default: "0",
      "How many bytes a second all topics together are given from the disk; 0 for no limit."
    ) { $0.drainMaxBytesPerSecond = $1 },
  ]
}
