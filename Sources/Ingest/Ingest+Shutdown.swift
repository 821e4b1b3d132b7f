public import IOPort
import MQTT
import Metrics
import Settings

// The orderly end: accept no more, flush, answer, tell the devices why.
extension Ingest {
  /// Stops accepting and reading; what was taken in goes on to be made safe and answered.
  public mutating func beginShutdown(at now: Instant, operations: inout OperationQueue) {
    guard !isShuttingDown else { return }
    isShuttingDown = true
    for index in listeners.indices {
      operations.append(
        .close(listeners[index].descriptor),
        token: token(Verb.ignored, SlotID(index: 0, generation: 0)))
    }
    endWillDelays()
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index) else { continue }
      if connections[id].kind == .webhook {
        beginWebhookShutdown(id, at: now, operations: &operations)
        continue
      }
      switch connections[id].phase {
      case .connecting: close(id, operations: &operations)
      case .open:
        pause(id, at: now, operations: &operations)
        leaveIfAnswered(id, at: now, operations: &operations)
      case .lingering, .closing: break
      }
    }
  }

  /// Whether everything taken in is settled and every device knows.
  public var isDrained: Bool {
    isShuttingDown && wills.isSettled && batcher.isIdle && connections.count == 0
  }

  /// Tells every device that is still there why it has to go; its unanswered messages stay its own.
  public mutating func disconnectAll(at now: Instant, operations: inout OperationQueue) {
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index), connections[id].phase == .open else {
        continue
      }
      if connections[id].kind == .webhook {
        endWebhook(id, at: now, operations: &operations)
        continue
      }
      metrics.disconnects(.shutdown).add(1)
      disconnect(id, reason: .serverShuttingDown, at: now, operations: &operations)
    }
  }

  /// Ends what is still open, whether it was answered or not; the time limit is over.
  public mutating func endShutdown(operations: inout OperationQueue) {
    countLost()
    for index in 0..<connections.upperBound {
      if let id = connections.tenant(at: index) { close(id, operations: &operations) }
    }
    dropWills()
  }

  /// During the shutdown a device leaves as soon as all its answers are on their way.
  mutating func leaveIfAnswered(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    guard isShuttingDown, connections[id].answers.isEmpty else { return }
    if connections[id].kind == .webhook {
      linger(id, at: now, operations: &operations)
      return
    }
    metrics.disconnects(.shutdown).add(1)
    disconnect(id, reason: .serverShuttingDown, at: now, operations: &operations)
  }
}
