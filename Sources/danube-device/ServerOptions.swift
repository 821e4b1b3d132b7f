/// Where an MQTT server is, and how to speak to it.
struct ServerOptions: Equatable {
  var host = "127.0.0.1"
  var port = 1883
  var isVersion5 = false
  /// Messages that a device may have sent without their answers.
  var inFlight = 20
}
