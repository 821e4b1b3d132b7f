/// What a run says about itself, while it goes on and at its end.
struct Report {
  /// What the devices speak, for the start of each line.
  let title: String
  let devices: Int
  /// What success is called: at QoS 0 nothing is acknowledged.
  let isAnswered: Bool

  private var success: String { isAnswered ? "acknowledged" : "sent" }

  /// A line of the running count: what happened since the last one counts for the rate.
  func progress(
    _ tally: Tally, since last: Tally, seconds: Double, elapsedSeconds: Double
  ) -> String {
    let rate = Double(tally.acknowledged - last.acknowledged) / max(seconds, 0.001)
    return "\(title)  \(Int(elapsedSeconds.rounded())) s: \(tally.made) made, "
      + "\(tally.acknowledged) \(success) (\(Int(rate.rounded()))/s), \(tally.refused) refused, "
      + "\(tally.late) late, \(tally.open) open\(extras(tally))\n"
  }

  /// The last line.
  func summary(_ tally: Tally, latency: LatencyHistogram, seconds: Double) -> String {
    let rate = Double(tally.acknowledged) / max(seconds, 0.001)
    var text =
      "\(title)  \(tally.made) messages of \(devices) devices in \(Self.decimal(seconds)) s: "
      + "\(tally.acknowledged) \(success) (\(Int(rate.rounded()))/s), \(tally.refused) refused, "
      + "\(tally.late) late, \(tally.open) unanswered\(extras(tally))"
    if latency.count > 0 {
      let (half, most) = (latency.nanoseconds(atShare: 0.5), latency.nanoseconds(atShare: 0.99))
      text += "; p50 \(Self.milliseconds(half)) ms, p99 \(Self.milliseconds(most)) ms, "
      text += "max \(Self.milliseconds(latency.maximumNanoseconds)) ms"
    }
    return text + "\n"
  }

  private func extras(_ tally: Tally) -> String {
    (tally.retried > 0 ? ", \(tally.retried) retried" : "")
      + (tally.disconnected > 0 ? ", \(tally.disconnected) disconnects" : "")
  }

  /// The last line, as JSON.
  func json(_ tally: Tally, latency: LatencyHistogram, seconds: Double) -> String {
    let rate = Double(tally.acknowledged) / max(seconds, 0.001)
    let members: [(String, String)] = [
      ("devices", "\(devices)"), ("made", "\(tally.made)"),
      (success, "\(tally.acknowledged)"), ("refused", "\(tally.refused)"),
      ("late", "\(tally.late)"), ("unanswered", "\(tally.open)"), ("retried", "\(tally.retried)"),
      ("disconnected", "\(tally.disconnected)"), ("seconds", Self.decimal(seconds)),
      ("\(success)_per_second", Self.decimal(rate)),
      ("latency_p50_ms", Self.milliseconds(latency.nanoseconds(atShare: 0.5))),
      ("latency_p99_ms", Self.milliseconds(latency.nanoseconds(atShare: 0.99))),
      ("latency_max_ms", Self.milliseconds(latency.maximumNanoseconds)),
    ]
    return "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}\n"
  }

  private static func milliseconds(_ nanoseconds: UInt64) -> String {
    decimal(Double(nanoseconds) / 1e6)
  }

  /// With two digits after the point.
  private static func decimal(_ number: Double) -> String {
    let hundredths = Int((number * 100).rounded())
    let fraction = hundredths % 100
    return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
  }
}
