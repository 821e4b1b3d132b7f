import IOPort
import MQTT

/// Knows what devices publish and what arrived in Danube, and finds what must not happen.
final class DeliveryOracle {
  struct Key: Hashable {
    let topic: String
    let key: [UInt8]
    let device: Int
  }

  private struct Fate {
    var acceptedCount = 0
    var wasRefused = false
    var isPromised = false
    /// Whether its device can be told that it is refused: MQTT 5.
    var isRefusable = false
    /// The last message of the device that was answered when this one came first.
    var lastAnswered = -1
    /// The disk has lost it, which no software can help.
    var isExcused = false

    var isKept: Bool { !isPromised || isExcused || acceptedCount > 0 }
  }

  /// Whether it is told of acceptances when they happen; otherwise only consumers tell, later.
  var seesAcceptance = true
  private var fates: [[Fate]] = []
  /// Whether the gateway may refuse records itself, for want of space.
  var spaceIsShort = false
  private var newest: [Key: Int] = [:]
  private(set) var violations: [String] = []
  private(set) var acceptedCount = 0
  private(set) var duplicateCount = 0
  /// How many messages were answered with an error.
  private(set) var refusedCount = 0
  private(set) var answeredCount = 0
  /// Records that came after a later one of their key because, as it seems, the gateway had refused
  /// them for want of space and ended before their device heard of it. There can't be more of them
  /// than messages that were refused.
  private(set) var unheardRefusals: [String] = []

  func addDevice(messageCount: Int, isRefusable: Bool = false) {
    fates.append(Array(repeating: Fate(isRefusable: isRefusable), count: messageCount))
  }

  /// Message `number` of device `device`, padded to about `byteCount` bytes.
  static func payload(device: Int, number: Int, byteCount: Int) -> [UInt8] {
    var payload = Array("\(device):\(number):".utf8)
    while payload.count < byteCount {
      payload.append(UInt8(truncatingIfNeeded: payload.count &* 7 &+ number))
    }
    return payload
  }

  static func identity(of payload: [UInt8]) -> (device: Int, number: Int)? {
    let parts = payload.prefix(24).split(
      separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, let device = Int(String(decoding: parts[0], as: UTF8.self)),
      let number = Int(String(decoding: parts[1], as: UTF8.self))
    else { return nil }
    return (device, number)
  }

  /// The broker has accepted a record. `isStale`: it came from a process that was killed before the
  /// broker got round to it, which nobody can hinder.
  func accepted(
    topic: String, key: [UInt8], payload: [UInt8], isStale: Bool = false, qos: (Int, Int) -> QoS
  ) {
    acceptedCount += 1
    guard let (device, number) = Self.identity(of: payload), device < fates.count,
      number < fates[device].count
    else { return complain("a record that nobody published") }
    guard payload == Self.payload(device: device, number: number, byteCount: payload.count) else {
      return complain("record \(device):\(number) is damaged")
    }
    fates[device][number].acceptedCount += 1
    guard fates[device][number].acceptedCount == 1 else {
      duplicateCount += 1
      return
    }
    fates[device][number].lastAnswered = fates[device].lastIndex { $0.isPromised } ?? -1
    // A QoS 0 message that a device has left behind on an old connection may come late, and so may
    // one that was refused before and that an MQTT 3.1.1 device sends again.
    // What was destroyed and had not been answered comes again from the device, later.
    guard qos(device, number) == .atLeastOnce, !fates[device][number].wasRefused,
      !fates[device][number].isExcused, !isStale
    else { return }
    let place = Key(topic: topic, key: key, device: device)
    if let last = newest[place], last > number {
      let what = "record \(device):\(number) of \(topic) came after \(last)"
      // Answers come in the order of messages: without that to this one the device has sent the
      // later one again, too, and behind it.
      let wasAnswered = fates[device][last].lastAnswered >= number
      if spaceIsShort, fates[device][number].isRefusable, !wasAnswered {
        unheardRefusals.append(what)
      } else {
        complain(what)
      }
    }
    newest[place] = max(newest[place] ?? 0, number)
  }

  /// The broker says that it will never take a record.
  func refused(payload: [UInt8]) {
    guard let (device, number) = Self.identity(of: payload) else { return }
    fates[device][number].wasRefused = true
  }

  /// A device has its answer.
  func answered(device: Int, number: Int, reason: UInt8, isRouted: Bool, isV5: Bool) {
    answeredCount += 1
    switch (reason, isRouted) {
    case (0, true):
      fates[device][number].isPromised = true
      if seesAcceptance, fates[device][number].acceptedCount == 0 {
        complain("record \(device):\(number) was answered before the broker had it")
      }
    case (0x10, false): if !isV5 { complain("a reason in MQTT 3.1.1") }
    case (0, false): if isV5 { complain("unrouted \(device):\(number) without its reason") }
    case (0x97, true) where spaceIsShort: refusedCount += 1
    case (0x80..., true):
      refusedCount += 1
      if !fates[device][number].wasRefused { complain("\(device):\(number) refused by nobody") }
    default: complain("\(device):\(number) was answered with \(reason)")
    }
  }

  /// A webhook's client has its answer.
  func webhookAnswered(source: Int, number: Int, status: Int, isRouted: Bool) {
    answeredCount += 1
    switch (status, isRouted) {
    case (202, true):
      fates[source][number].isPromised = true
      if seesAcceptance, fates[source][number].acceptedCount == 0 {
        complain("record \(source):\(number) was answered before the broker had it")
      }
    case (404, false): break
    case (507, true) where spaceIsShort: refusedCount += 1
    case (413, true), (422, true), (502, true):
      refusedCount += 1
      if !fates[source][number].wasRefused { complain("\(source):\(number) refused by nobody") }
    case (408, _), (503, true), (504, true): break
    default: complain("\(source):\(number) was answered with \(status)")
    }
  }

  /// Whether every record that was answered as safe has arrived.
  var isEveryPromiseKept: Bool {
    fates.allSatisfy { $0.allSatisfy(\.isKept) }
  }

  /// Records that were answered as safe and have not arrived.
  var brokenPromises: [(device: Int, number: Int)] {
    fates.indices.flatMap { device in
      fates[device].indices.filter { !fates[device][$0].isKept }.map { (device, $0) }
    }
  }

  /// How many records were answered as safe.
  var promisedCount: Int { fates.reduce(0) { $0 + $1.count { $0.isPromised } } }

  /// A record may be missing: what held it was destroyed.
  func excuse(device: Int, number: Int) { fates[device][number].isExcused = true }

  /// How often a record was accepted.
  func acceptedCount(device: Int, number: Int) -> Int { fates[device][number].acceptedCount }

  func complain(_ text: String) { if violations.count < 20 { violations.append(text) } }
}
