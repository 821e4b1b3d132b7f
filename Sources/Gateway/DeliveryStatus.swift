import Delivery

/// How delivery is, told by its loop about once a second for `/status`.
struct DeliveryStatus: Sendable {
  struct Lane: Sendable {
    var topic: String
    var phase: String
    var error: String
    var isBlocked: Bool
  }

  var isEmbedded = false
  var isConnected = false
  var brokers: [String] = []
  var callsInFlight = 0
  var keysInFlight = 0
  var recordsUnderWay = 0
  var lastError = ""
  /// Some of the lanes; those in trouble first where there are many.
  var lanes: [Lane] = []
  /// How many lanes are in each phase.
  var laneCounts: [(phase: String, count: Int)] = []
  var blockedCount = 0
  var spool = SpoolStatus()
}
