/// What the command line asks for.
enum Command: Equatable {
  case publish(PublishOptions)
  case run(RunOptions)
  case verify(VerifyOptions)
  case help
}

/// Where an MQTT server is, and how to speak to it.
struct ServerOptions: Equatable {
  var host = "127.0.0.1"
  var port = 1883
  var isVersion5 = false
  /// Messages that a device may have sent without their answers.
  var inFlight = 20
}

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

/// What an MQTT 5 message may say about itself (MQTT 5.0 §3.3.2.3).
struct PublishProperties: Equatable {
  struct Pair: Equatable {
    var name: String
    var value: String
  }

  var user: [Pair] = []
  var contentType: String?
  var responseTopic: String?
  var correlationData: String?
  var expirySeconds: Int?

  var isEmpty: Bool { self == PublishProperties() }
}

/// The options of `danube-device run`.
struct RunOptions: Equatable {
  /// What the devices speak.
  enum Door: Equatable {
    case mqtt(topic: DeviceTemplate)
    case webhook(url: DeviceTemplate)
  }

  var server = ServerOptions()
  var door: Door
  var workload = WorkloadOptions()
  var qos = 1
  /// Headers of webhooks, each `Name: value`.
  var headers: [String] = []
  /// The shortest payload, in bytes; 0 for a reading as it is.
  var payloadByteCount = 0
  /// The devices are called this, a hyphen and a number from 1.
  var namePrefix = "device"
  /// Where acknowledged messages are listed: a path, `-` for the standard output.
  var manifest: String?
  var printsJSON = false
  var isQuiet = false

  /// The name of a device, from its number from 0.
  func name(of device: Int) -> String { "\(namePrefix)-\(device + 1)" }
}

/// The options of `danube-device verify`.
struct VerifyOptions: Equatable {
  var manifests: [String] = []
  var received: [String] = []
  var allowsDuplicates = false
  var isOrdered = false
  var printsJSON = false
}
