import IOPort

/// The gateway's registration as an edge of the cluster, which makes topics under `/<its name>/`
/// its own to replicate.
struct EdgeRegistration {
  enum Phase: UInt8, BitwiseCopyable {
    /// Not registered.
    case unregistered
    /// RegisterEdge is under way.
    case registering
    /// Registered; EdgeHeartbeat keeps it so.
    case registered
    /// EdgeHeartbeat is under way.
    case beating
    /// The cluster has no such service, or does not answer.
    case unavailable
  }

  /// The gateway's name; nothing is replicated without one.
  let name: [UInt8]
  var phase = Phase.unregistered
  /// As the cluster told it last.
  var configVersion: UInt64 = 0
  /// When the next call is due.
  var nextAt = Instant(nanoseconds: 0)
  /// When topics that the cluster refused are registered again.
  var refusedAgainAt = Instant.distantFuture
  /// Registrations that failed in a row, and when the first and the last of them did.
  var failures = 0
  var failingSince = Instant(nanoseconds: 0)
  var failedAt = Instant(nanoseconds: 0)
  /// Those of them in a row that were told there is no such service.
  var refusals = 0
  /// Whether lanes are ready that were not declared.
  var isOutdated = false
  var lastError = UplinkError()

  init(name: [UInt8]) { self.name = name }

  /// When there is something to do.
  var dueAt: Instant { min(nextAt, refusedAgainAt) }

  /// Whether a call is under way.
  var isCalling: Bool { phase == .registering || phase == .beating }

  /// Whether a topic is under the gateway's name.
  func owns(_ topic: [UInt8]) -> Bool {
    topic.count > name.count + 2 && topic[0] == UInt8(ascii: "/")
      && topic[1...].starts(with: name) && topic[name.count + 1] == UInt8(ascii: "/")
  }
}
