public import IOPort

/// The answer to `/healthz`.
public struct HealthReport: Sendable {
  /// Names of the loops that do not turn, and for how long, in the order given.
  public let stuckLoops: [(name: String, milliseconds: Int)]

  /// Looks at the loops at `now`.
  public init(loops: [LoopHealth], at now: Instant) {
    stuckLoops = loops.compactMap { loop in
      guard case .stuck(let milliseconds) = loop.check(at: now) else { return nil }
      return (loop.name, milliseconds)
    }
  }

  /// Whether every loop turns.
  public var isHealthy: Bool { stuckLoops.isEmpty }

  /// 200, or 503 with a loop that is stuck.
  public var statusCode: UInt16 { isHealthy ? 200 : 503 }

  /// `{"status":"ok"}`, or which loops are stuck.
  public var body: [UInt8] {
    var text = JSONText()
    text.beginObject()
    text.member("status", isHealthy ? "ok" : "stuck")
    if !isHealthy {
      text.beginArray("loops")
      for loop in stuckLoops {
        text.beginObject()
        text.member("name", loop.name)
        text.member("silent_ms", loop.milliseconds)
        text.endObject()
      }
      text.endArray()
    }
    text.endObject()
    return text.bytes
  }
}
