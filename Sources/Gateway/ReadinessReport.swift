import Admin
import IOPort

/// The answer to `/readyz`: whether devices are taken.
struct ReadinessReport {
  let reasons: [StatusReason]

  init(of gateway: Gateway, at now: Instant) {
    reasons = StatusReason.all(of: gateway, at: now).filter(\.keepsDevicesAway)
  }

  /// 200, or 503 with a reason.
  var statusCode: UInt16 { reasons.isEmpty ? 200 : 503 }

  /// `{"status":"ready"}`, or why not.
  var body: [UInt8] {
    var text = JSONText()
    text.beginObject()
    text.member("status", reasons.isEmpty ? "ready" : "not_ready")
    if !reasons.isEmpty { text.member("reasons", reasons) }
    text.endObject()
    return text.bytes
  }
}
