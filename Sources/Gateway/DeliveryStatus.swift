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
  var lanes: [Lane] = []
}
