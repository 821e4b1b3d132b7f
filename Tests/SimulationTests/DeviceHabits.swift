import MQTT

/// A message that a device has to publish.
struct PlannedMessage {
  var topic: [UInt8]
  var qos: QoS
  var payload: [UInt8]
  /// Whether a route of the gateway takes it.
  var isRouted: Bool
}

/// How a device behaves.
struct DeviceHabits {
  /// What a device leaves for the case of its end.
  enum Will {
    case none
    case plain
    /// One that waits for the device to come back, longer than it ever stays away.
    case delayed
  }

  var version = ProtocolVersion.v5
  /// QoS 1 messages that it sends before the first of them is answered.
  var window = 8
  var keepAliveSeconds: UInt16 = 0
  /// Whether it lets its keep alive run out.
  var forgetsPings = false
  /// Messages that it hands to its socket at a time, and the rest between, milliseconds.
  var burst = 4
  var restMilliseconds = 0...10
  /// Of turns: how often it leaves, with DISCONNECT or without, although there is more to say.
  var leavesPerMille = 0
  /// Of receives: how often it stops reading for a while.
  var stopsReadingPerMille = 0
  /// Whether messages that are sent again carry DUP.
  var marksDuplicates = true
  /// Whether it uses the topic aliases that it may; of MQTT 5.
  var usesAliases = false
  var will = Will.none
  /// How long it waits for an answer before it connects again, milliseconds.
  var patienceMilliseconds = 10_000
  /// How long it waits after a connection ended, milliseconds.
  var reconnectMilliseconds = 5...200
}
