/// How delivery is, told by its loop about once a second for `/status`.
struct DeliveryStatus: Sendable {
  struct Lane: Sendable {
    var topic: String
    var phase: String
    var error: String
    var isBlocked: Bool
  }

  /// Lanes told one by one; the others are counted.
  static let laneLimit = 100

  var isEmbedded = false
  var isConnected = false
  var brokers: [String] = []
  var callsInFlight = 0
  var keysInFlight = 0
  var recordsUnderWay = 0
  var lastError = ""
  /// Lanes that are not ready first.
  var lanes: [Lane] = []
  /// How many lanes are in each phase.
  var laneCounts: [(phase: String, count: Int)] = []
  var blockedCount = 0
}
