import GRPC
import IOPort

// Connections whose other end may be gone without a word: a consumer on a host that lost its power
// would hold an Exclusive subscription for ever.
extension LocalBroker {
  /// Asks connections that have been silent for a sign of life, and closes those without one. Costs
  /// a look at each connection every few seconds at most.
  mutating func keepAlive(at now: Instant, operations: inout OperationQueue) {
    keepaliveDue = .distantFuture
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index), !connections[id].isClosing else { continue }
      switch connections[id].checkLife(at: now) {
      case .wait: break
      case .ping:
        connections[id].session.sendPing()
        touch(id)
      case .lost:
        close(id, at: now, operations: &operations)
        continue
      }
      keepaliveDue = min(keepaliveDue, connections[id].lifeDeadline)
    }
  }
}

extension BrokerConnection {
  /// A connection is asked after so much silence, milliseconds.
  private static var silenceMilliseconds: Int { 30_000 }
  /// A consumer may have nothing to say for hours: it is not asked more often than this,
  /// milliseconds.
  private static var spacingMilliseconds: Int { 60_000 }
  /// The answer may take so long, milliseconds.
  private static var answerMilliseconds: Int { 20_000 }

  /// What is to be done about a connection's silence.
  enum LifeVerdict {
    case wait
    case ping
    case lost
  }

  /// Bytes came: there is somebody.
  mutating func heard(at now: Instant) {
    heardAt = now
    isAsked = false
  }

  /// When to look at the connection next, unless something is heard before.
  var lifeDeadline: Instant {
    if isAsked, let pingedAt {
      return pingedAt.advanced(milliseconds: Self.answerMilliseconds)
    }
    let silent = heardAt.advanced(milliseconds: Self.silenceMilliseconds)
    guard let pingedAt else { return silent }
    return max(silent, pingedAt.advanced(milliseconds: Self.spacingMilliseconds))
  }

  /// What is to be done at `now`; a `ping` is taken as sent.
  mutating func checkLife(at now: Instant) -> LifeVerdict {
    guard now >= lifeDeadline else { return .wait }
    if isAsked { return .lost }
    isAsked = true
    pingedAt = now
    return .ping
  }
}
