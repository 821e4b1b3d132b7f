/// Compares what was acknowledged with what arrived.
struct Verification {
  /// What a message went through.
  private struct Fate {
    var isAcknowledged = false
    var arrivals = 0
  }

  /// What the comparison found.
  struct Verdict: Equatable {
    var acknowledged = 0
    /// Messages that arrived, acknowledged or not; each counted once.
    var arrived = 0
    /// Acknowledged and not arrived.
    var missing = 0
    /// Arrivals of messages that had arrived before.
    var duplicated = 0
    /// Arrivals for the first time after a later message of the same device.
    var disordered = 0
    /// Arrived without an acknowledgement: allowed, a device cannot know.
    var unacknowledged = 0
    /// Lines that are no readings.
    var foreign = 0
    /// Some of the missing and duplicated ones, such as `device-3 17`.
    var examples: [String] = []
  }

  private var fates: [String: [Int: Fate]] = [:]
  private var lastSequences: [String: Int] = [:]
  private var disordered = 0
  private var foreign = 0

  /// Takes a line of a manifest, `device sequence`; false when it is none.
  mutating func takeManifestLine(_ line: [UInt8]) -> Bool {
    let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
    guard words.count == 2, !words[0].isEmpty,
      let sequence = Int(String(decoding: words[1], as: UTF8.self)), sequence > 0
    else { return false }
    let device = String(decoding: words[0], as: UTF8.self)
    fates[device, default: [:]][sequence, default: Fate()].isAcknowledged = true
    return true
  }

  /// Takes a line of what arrived: a record as `danube-gateway tail --json` prints it, or a bare
  /// reading as `mosquitto_sub` does.
  mutating func takeReceivedLine(_ line: [UInt8]) {
    guard let (device, sequence) = Self.reading(in: line) else {
      foreign += 1
      return
    }
    let known = fates[device]?[sequence]?.arrivals ?? 0
    if known == 0 {
      if sequence < lastSequences[device] ?? 0 { disordered += 1 }
      lastSequences[device] = max(sequence, lastSequences[device] ?? 0)
    }
    fates[device, default: [:]][sequence, default: Fate()].arrivals = known + 1
  }

  private static func reading(in line: [UInt8]) -> (device: String, sequence: Int)? {
    guard var members = JSONScanner.object(line) else { return nil }
    if case .text(let payload) = members["payload"] {
      guard let inner = JSONScanner.object(Array(payload.utf8)) else { return nil }
      members = inner
    }
    guard case .text(let device) = members["device"], case .number(let text) = members["sequence"],
      let sequence = Int(text)
    else { return nil }
    return (device, sequence)
  }

  /// What is known by now.
  func verdict() -> Verdict {
    var verdict = Verdict()
    verdict.disordered = disordered
    verdict.foreign = foreign
    for (device, messages) in fates.sorted(by: { $0.key < $1.key }) {
      for (sequence, fate) in messages.sorted(by: { $0.key < $1.key }) {
        if fate.isAcknowledged { verdict.acknowledged += 1 }
        if fate.arrivals > 0 { verdict.arrived += 1 }
        if fate.isAcknowledged, fate.arrivals == 0 {
          verdict.missing += 1
          verdict.examples.append("\(device) \(sequence) is missing")
        }
        if !fate.isAcknowledged { verdict.unacknowledged += 1 }
        if fate.arrivals > 1 {
          verdict.duplicated += fate.arrivals - 1
          verdict.examples.append("\(device) \(sequence) arrived \(fate.arrivals) times")
        }
      }
    }
    verdict.examples = Array(verdict.examples.prefix(5))
    return verdict
  }
}
