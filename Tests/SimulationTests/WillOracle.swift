/// Knows the wills of devices and how their connections ended, and finds what must not happen.
final class WillOracle {
  /// One will: that of a device's connection.
  struct Place: Hashable {
    let device: Int
    let connection: UInt32
  }

  /// The topic and the key that every will has: those of the device's temperatures.
  static let mqttTopic = "sensors/will/temperature"
  static let danubeTopic = "/default/temperature"
  /// Longer than a device ever stays away.
  static let delaySeconds: UInt32 = 30

  private var acceptedCounts: [Place: Int] = [:]
  private var refused: Set<Place> = []
  private(set) var violations: [String] = []
  private(set) var acceptedCount = 0

  static func payload(device: Int, connection: UInt32) -> [UInt8] {
    Array("W:\(device):\(connection)".utf8)
  }

  static func place(of payload: [UInt8]) -> Place? {
    let parts = payload.split(separator: UInt8(ascii: ":"))
    guard parts.count == 3, parts[0] == [UInt8(ascii: "W")],
      let device = Int(String(decoding: parts[1], as: UTF8.self)),
      let connection = UInt32(String(decoding: parts[2], as: UTF8.self))
    else { return nil }
    return Place(device: device, connection: connection)
  }

  /// The broker has accepted the record of a will. `newest` is the newest connection on which a
  /// record of the device with the same topic and key, accepted so far, was sent first.
  func accepted(_ place: Place, topic: String, key: [UInt8], of device: SimulatedDevice) {
    acceptedCount += 1
    acceptedCounts[place, default: 0] += 1
    if topic != Self.danubeTopic || key != Array(device.name.utf8) {
      complain("the will of \(place) came to \(topic) with key \(key)")
    }
    guard device.wills[place.connection] != nil else {
      return complain("the will of \(place) was never left")
    }
    if acceptedCounts[place] == 1, device.newestAccepted > place.connection {
      complain("the will of \(place) came after a record of \(device.newestAccepted)")
    }
    // It asks for a delay that is longer than it ever stays away.
    if device.habits.will == .delayed { complain("the will of \(place) was not wanted") }
  }

  func refused(payload: [UInt8]) {
    if let place = Self.place(of: payload) { refused.insert(place) }
  }

  /// At the end: the will of every connection that was accepted and ended without a word was
  /// published, that of one whose device took its leave only if the word got lost.
  func check(_ devices: [SimulatedDevice], isBrokerCalm: Bool) {
    for (index, device) in devices.enumerated() {
      for (connection, state) in device.wills {
        let place = Place(device: index, connection: connection)
        let count = acceptedCounts[place] ?? 0
        if state == .ended, device.habits.will == .plain, count == 0, !refused.contains(place) {
          complain("the will of \(place) was not published")
        }
        if isBrokerCalm, count > 1 { complain("the will of \(place) came \(count) times") }
      }
    }
  }

  private func complain(_ text: String) { if violations.count < 20 { violations.append(text) } }
}
