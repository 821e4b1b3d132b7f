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
