import IOPort
import MQTT
import Metrics
import Settings

// Time limits of a connection: CONNECT, keep alive, withheld reading, lingering.
extension Ingest {
  /// No timer is set further ahead: those of connections that are gone stay in the queue until
  /// they are due.
  static let longestTimerMilliseconds = 60_000

  /// Looks at the connection's limits at `instant`, or earlier if that was asked before or is
  /// further ahead than timers are set: whoever looks, asks again.
  mutating func schedule(_ id: SlotID, at instant: Instant, from now: Instant) {
    guard instant < connections[id].timer || connections[id].phase == .lingering else { return }
    let look = min(instant, now.advanced(milliseconds: Self.longestTimerMilliseconds))
    guard look != connections[id].timer else { return }
    connections[id].timer = look
    timers.schedule(token(Verb.timer, id), at: look)
  }

  func maxPauseMilliseconds(_ id: SlotID) -> Int {
    let configuration = listeners[connections[id].listener].configuration
    switch configuration.kind {
    case .mqtt: return configuration.maxPauseSeconds * 1_000
    // Whatever it waits for: then is the time to look what to answer.
    case .webhook: return configuration.pressureWaitMilliseconds
    }
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
      let listener = connections[id].listener
      let limit = connections[id].accepted.advanced(
        milliseconds: listeners[listener].configuration.connectTimeoutSeconds * 1_000)
      if now < limit {
        schedule(id, at: limit, from: now)
        return
      }
      metrics.disconnects(.connectTimeout).add(1)
      note(
        .limitReached, "no CONNECT came in time", peer: connections[id].peer, subject: "")
      close(id, operations: &operations)
    case .open:
      switch connections[id].kind {
      case .mqtt: checkOpen(id, at: now, operations: &operations)
      case .webhook: checkWebhook(id, at: now, operations: &operations)
      }
    }
  }

  private mutating func checkOpen(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    let maxPause = maxPauseMilliseconds(id)
    // Its keep alive stands still while we do not read, but not for ever; nor does one who has
    // said his last word wait for his answers for ever.
    if let since = connections[id].pausedSince ?? connections[id].endedSince {
      let limit = since.advanced(milliseconds: maxPause)
      if now < limit {
        schedule(id, at: limit, from: now)
        return
      }
      metrics.disconnects(.pauseTimeout).add(1)
      end(id, "reading was withheld for max_pause_s", .quotaExceeded, at: now, &operations)
      return
    }
    if connections[id].reservedBytes > 0 {
      // Memory that others wait for is not lent for ever either.
      let limit = connections[id].reservedSince.advanced(milliseconds: maxPause)
      if now >= limit, inputWaiting.count > 0 {
        metrics.disconnects(.inputMemory).add(1)
        end(
          id, "a packet held memory for max_pause_s while others waited", .quotaExceeded,
          at: now, &operations)
        return
      }
      schedule(id, at: max(limit, now.advanced(milliseconds: 1_000)), from: now)
    }
    let keepAlive = connections[id].keepAliveMilliseconds
    guard keepAlive > 0 else { return }
    let limit = connections[id].lastReceived.advanced(milliseconds: keepAlive)
    if now < limit {
      schedule(id, at: limit, from: now)
      return
    }
    // [MQTT-3.1.2-22] Nothing for one and a half times the keep alive: as if the network had
    // failed.
    metrics.disconnects(.keepAliveTimeout).add(1)
    end(id, "nothing came for 1.5 times the keep alive", .keepAliveTimeout, at: now, &operations)
  }

  private mutating func end(
    _ id: SlotID, _ text: StaticString, _ reason: ReasonCode, at now: Instant,
    _ operations: inout OperationQueue
  ) {
    note(.limitReached, text, peer: connections[id].peer, subject: clientText(id))
    disconnect(id, reason: reason, at: now, operations: &operations)
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
    schedule(id, at: now.advanced(milliseconds: maxPauseMilliseconds(id)), from: now)
  }

  /// Memory for records is used up: no connection is read any further, so that what was received
  /// and waits stays within what one wait of the port can bring. Linear in the connections.
  mutating func pauseAll(at now: Instant, operations: inout OperationQueue) {
    if exhaustedSince == nil { exhaustedSince = now }
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index), connections[id].phase == .open,
        !connections[id].waitsForMemory, !isRefusing(id, at: now)
      else { continue }
      waitForMemory(id, at: now, operations: &operations)
    }
  }

  /// Reads no further from a connection until there is memory for records.
  mutating func waitForMemory(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    connections[id].waitsForMemory = true
    waiting.append(id)
    pause(id, at: now, operations: &operations)
  }

  /// Reads again: first what was kept, then the socket.
  mutating func resume(_ id: SlotID, at now: Instant, operations: inout OperationQueue) {
    guard !isShuttingDown, connections.contains(id), connections[id].pausedSince != nil,
      !connections[id].isWaiting
    else { return }
    switch connections[id].phase {
    case .lingering, .closing: return
    case .connecting, .open: break
    }
    connections[id].madeProgress = false
    let since = connections[id].pausedSince
    connections[id].pausedSince = nil
    if connections[id].kind == .webhook {
      resumeWebhook(id, pausedSince: since ?? now, at: now, operations: &operations)
      return
    }
    connections[id].lastReceived = now
    processInput(id, at: now, operations: &operations)
    guard connections.contains(id) else { return }
    switch connections[id].phase {
    case .lingering, .closing: return
    case .connecting, .open: break
    }
    if connections[id].pausedSince != nil {
      // No way yet: the time it has been waiting counts on.
      if !madeProgress(id) { connections[id].pausedSince = since }
      return
    }
    if connections[id].peerEnded {
      leaveIfEnded(id, at: now, operations: &operations)
      return
    }
    if connections[id].keepAliveMilliseconds > 0 {
      let limit = now.advanced(milliseconds: connections[id].keepAliveMilliseconds)
      schedule(id, at: limit, from: now)
    }
    resumeReceiving(id, operations: &operations)
  }

  private func madeProgress(_ id: SlotID) -> Bool { connections[id].madeProgress }
}
