import Delivery
import Settings

/// How delivery is, told by its loop about once a second for `/status`.
struct DeliveryStatus: Sendable {
  struct Lane: Sendable {
    var topic: String
    var phase: String
    var error: String
    var isBlocked: Bool
    var isReady = false
    /// Whether it goes in batches, or why not; nil of one that only publishes.
    var replication: (state: String, error: String)?
  }

  var isEmbedded = false
  var isConnected = false
  var brokers: [String] = []
  var callsInFlight = 0
  var keysInFlight = 0
  var callWindow = 0
  /// What keeps records from being sent; empty when nothing does.
  var limit = ""
  var recordsUnderWay = 0
  var lastError = ""
  /// Some of the lanes; those in trouble first where there are many.
  var lanes: [Lane] = []
  /// Whether the cluster knows the gateway as an edge, and what went wrong with that last.
  var isRegistered = false
  var registrationError = ""
  /// How many lanes are in each phase.
  var laneCounts: [(phase: String, count: Int)] = []
  var blockedCount = 0
  var spool = SpoolStatus()

  /// What becomes of records while no broker takes them.
  func withoutBroker(_ configuration: GatewayConfiguration) -> StaticString {
    if !spool.hasDisk { return "records wait in memory, and devices for their answers" }
    if spool.takesRecords {
      return spool.room.refusing == 0
        ? "records go to the disk" : "records go to the disk as far as there is space for them"
    }
    return configuration.spool.overflow == .dropNewest
      ? "the disk takes no records either: they are answered and thrown away"
      : "the disk takes no records either: they are refused"
  }
}
