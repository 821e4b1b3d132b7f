import IOPort
import MQTT
import Metrics
import Settings

// Time limits of a connection: CONNECT, keep alive, withheld reading, lingering.
extension Ingest {
  /// Looks at the connection's limits at `instant`, or earlier if that was asked before.
  mutating func schedule(_ id: SlotID, at instant: Instant) {
    guard instant < connections[id].timer || connections[id].phase == .lingering else { return }
    connections[id].timer = instant
    timers.schedule(token(Verb.timer, id), at: instant)
  }

  mutating func checkLimits(_ id: SlotID, at now: Instant, operations: inout OperationQueue) {
    // An earlier look was asked for after this one.
    guard connections[id].timer <= now else { return }
    connections[id].timer = .distantFuture
    switch connections[id].phase {
    case .closing:
      return
    case .lingering:
      close(id, operations: &operations)
    case .connecting:
      metrics.disconnects(.connectTimeout).add(1)
      note(
        .limitReached, "no CONNECT came in time", peer: connections[id].peer, subject: "")
      close(id, operations: &operations)
    case .open:
      checkOpen(id, at: now, operations: &operations)
    }
  }

  private mutating func checkOpen(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    let listener = connections[id].listener
    if let since = connections[id].pausedSince {
      // Its keep alive stands still while we do not read, but not for ever.
      let limit = since.advanced(
        milliseconds: listeners[listener].configuration.maxPauseSeconds * 1_000)
      if now < limit {
        schedule(id, at: limit)
        return
      }
      metrics.disconnects(.pauseTimeout).add(1)
      note(
        .limitReached, "reading was withheld for max_pause_s", peer: connections[id].peer,
        subject: clientText(id))
      disconnect(id, reason: .quotaExceeded, at: now, operations: &operations)
      return
    }
    let keepAlive = connections[id].keepAliveMilliseconds
    guard keepAlive > 0 else { return }
    let limit = connections[id].lastReceived.advanced(milliseconds: keepAlive)
    if now < limit {
      schedule(id, at: limit)
      return
    }
    // [MQTT-3.1.2-22] Nothing for one and a half times the keep alive: as if the network had
    // failed.
    metrics.disconnects(.keepAliveTimeout).add(1)
    note(
      .limitReached, "nothing came for 1.5 times the keep alive", peer: connections[id].peer,
      subject: clientText(id))
    disconnect(id, reason: .keepAliveTimeout, at: now, operations: &operations)
  }

  /// Withholds reading; its time limit begins.
  mutating func pause(_ id: SlotID, at now: Instant, operations: inout OperationQueue) {
    guard connections[id].pausedSince == nil else { return }
    connections[id].pausedSince = now
    metrics.pauses.add(1)
    if connections[id].isReceiving {
      operations.append(
        .cancel(token(Verb.receive, id)), token: token(Verb.ignored, id))
    }
    let listener = connections[id].listener
    schedule(
      id,
      at: now.advanced(
        milliseconds: listeners[listener].configuration.maxPauseSeconds * 1_000))
  }

  /// Memory for records is used up: no connection is read any further, so that what was received
  /// and waits stays within what one wait of the port can bring. Linear in the connections.
  mutating func pauseAll(at now: Instant, operations: inout OperationQueue) {
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index), connections[id].phase == .open,
        !connections[id].waitsForMemory
      else { continue }
      connections[id].waitsForMemory = true
      waiting.append(id)
      pause(id, at: now, operations: &operations)
    }
  }

  /// Reads again: first what was kept, then the socket.
  mutating func resume(_ id: SlotID, at now: Instant, operations: inout OperationQueue) {
    guard !isShuttingDown, connections.contains(id), connections[id].phase == .open,
      connections[id].pausedSince != nil
    else { return }
    connections[id].madeProgress = false
    let since = connections[id].pausedSince
    connections[id].pausedSince = nil
    connections[id].lastReceived = now
    processInput(id, at: now, operations: &operations)
    guard connections.contains(id), connections[id].phase == .open else { return }
    if connections[id].pausedSince != nil {
      // No way yet: the time it has been waiting counts on.
      if !madeProgress(id) { connections[id].pausedSince = since }
      return
    }
    if connections[id].peerEnded {
      close(id, operations: &operations)
      return
    }
    if connections[id].keepAliveMilliseconds > 0 {
      schedule(id, at: now.advanced(milliseconds: connections[id].keepAliveMilliseconds))
    }
    resumeReceiving(id, operations: &operations)
  }

  private func madeProgress(_ id: SlotID) -> Bool { connections[id].madeProgress }
}
