/// The options of `danube-device publish`.
struct PublishOptions: Equatable {
  /// Where the payload comes from.
  enum Payload: Equatable {
    case text(String)
    case file(String)
    case standardInput
  }

  var server = ServerOptions()
  var topic = ""
  var payload = Payload.standardInput
  var qos = 1
  var isRetained = false
  /// Empty: one of its own.
  var clientID = ""
  var properties = PublishProperties()
  var waitMilliseconds = 10_000
}
