import Bytes
import HTTP1
import IOPort
import Metrics
import Settings

// Time limits of webhooks, their pauses and their end.
extension Ingest {
  /// Looks at the connection again at its next limit.
  mutating func scheduleWebhook(_ id: SlotID, at now: Instant) {
    schedule(id, at: webhookDeadline(id), from: now)
  }

  private func configuration(_ id: SlotID) -> ListenerConfiguration {
    listeners[connections[id].listener].configuration
  }

  /// While others wait for memory a request that holds some has to bring so many bytes from one
  /// look to the next.
  private static var leastBytesBetweenLooks: Int { 4 << 10 }

  /// When something has to happen if nothing else does.
  private func webhookDeadline(_ id: SlotID) -> Instant {
    min(
      requestDeadline(id), answerDeadline(id), idleDeadline(id),
      min(pauseDeadline(id), holdDeadline(id)))
  }

  /// When to look whether a request that holds memory comes in at all: twice in the time that
  /// others wait for it.
  private func holdDeadline(_ id: SlotID) -> Instant {
    guard connections[id].reservedBytes > 0, connections[id].pausedSince == nil else {
      return .distantFuture
    }
    return connections[id].reservedSince.advanced(
      milliseconds: max(configuration(id).pressureWaitMilliseconds / 2, 50))
  }

  /// Ends a request whose memory others wait for and that hardly comes in.
  private mutating func checkHold(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    let count = connections[id].input.count
    let isWanted = webhookInputWaiting.count > 0 || inputWaiting.count > 0
    if isWanted, count - connections[id].webhook.bytesWhenLooked < Self.leastBytesBetweenLooks {
      note(
        .badRequest, "a request held memory that others waited for, and hardly came in",
        peer: connections[id].peer, subject: "")
      endRequests(id, .tooSlow, for: .inputMemory, at: now, operations: &operations)
      return
    }
    connections[id].webhook.bytesWhenLooked = count
    connections[id].reservedSince = now
  }

  /// When the request at hand has taken too long to arrive.
  private func requestDeadline(_ id: SlotID) -> Instant {
    guard let started = connections[id].webhook.requestStarted,
      connections[id].pausedSince == nil
    else { return .distantFuture }
    return started.advanced(milliseconds: configuration(id).requestTimeoutSeconds * 1_000)
  }

  /// When the oldest request has waited too long for its record to be safe.
  private func answerDeadline(_ id: SlotID) -> Instant {
    let seconds = configuration(id).answerTimeoutSeconds
    guard seconds > 0, let first = connections[id].webhook.replies.first else {
      return .distantFuture
    }
    return first.since.advanced(milliseconds: seconds * 1_000)
  }

  /// When a connection without a request has been there for too long, or one whose client does not
  /// read its answers, or that said its last word.
  private func idleDeadline(_ id: SlotID) -> Instant {
    guard connections[id].webhook.requestStarted == nil else { return .distantFuture }
    let limit = configuration(id).idleTimeoutSeconds * 1_000
    if let ended = connections[id].endedSince { return ended.advanced(milliseconds: limit) }
    guard connections[id].answers.isEmpty, connections[id].pausedSince == nil else {
      return .distantFuture
    }
    return connections[id].lastReceived.advanced(milliseconds: limit)
  }

  /// When reading was withheld for too long.
  private func pauseDeadline(_ id: SlotID) -> Instant {
    guard let since = connections[id].pausedSince else { return .distantFuture }
    let configuration = configuration(id)
    if connections[id].isWaiting {
      return since.advanced(milliseconds: configuration.pressureWaitMilliseconds)
    }
    guard connections[id].answers.isEmpty else { return .distantFuture }
    return since.advanced(milliseconds: configuration.idleTimeoutSeconds * 1_000)
  }

  mutating func checkWebhook(_ id: SlotID, at now: Instant, operations: inout OperationQueue) {
    if pauseDeadline(id) <= now {
      if connections[id].isWaiting {
        waitIsOver(id, at: now, operations: &operations)
      } else {
        close(id, for: .unreadAnswers, operations: &operations)
      }
    } else if holdDeadline(id) <= now {
      checkHold(id, at: now, operations: &operations)
    } else if requestDeadline(id) <= now {
      let isEmptyLine =
        connections[id].webhook.stage == .head && !connections[id].webhook.scanner.isInHead
      if isEmptyLine {
        close(id, for: .requestTimeout, operations: &operations)
      } else {
        note(
          .badRequest, WebhookOutcome.tooSlow.text, peer: connections[id].peer, subject: "")
        endRequests(id, .tooSlow, for: .requestTimeout, at: now, operations: &operations)
      }
    } else if answerDeadline(id) <= now {
      let oldest = connections[id].answers.nextSequence &- UInt32(connections[id].answers.count)
      connections[id].answers.markReady(
        sequence: oldest, reason: WebhookOutcome.notSafeInTime.rawValue)
      sendWebhookAnswers(id, at: now, operations: &operations)
      if connections.contains(id) { leaveIfEnded(id, at: now, operations: &operations) }
    } else if idleDeadline(id) <= now {
      let isUnread = !connections[id].outbox.isEmpty
      close(id, for: isUnread ? .unreadAnswers : .idle, operations: &operations)
    }
    guard connections.contains(id), connections[id].phase == .open else { return }
    scheduleWebhook(id, at: now)
  }

  /// Closes at once, and counts why.
  private mutating func close(
    _ id: SlotID, for reason: WebhookMetrics.DisconnectReason, operations: inout OperationQueue
  ) {
    metrics.webhooks.disconnects(reason).add(1)
    close(id, operations: &operations)
  }

  /// There was no memory for as long as a request is to wait.
  private mutating func waitIsOver(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    connections[id].waitsForMemory = false
    if connections[id].waitsForInput {
      endRequests(id, .noMemory, for: .inputMemory, at: now, operations: &operations)
    } else {
      resume(id, at: now, operations: &operations)
    }
  }

  /// Reads again, after `resume` has found that nothing is in the way.
  mutating func resumeWebhook(
    _ id: SlotID, pausedSince since: Instant, at now: Instant, operations: inout OperationQueue
  ) {
    if let started = connections[id].webhook.requestStarted {
      connections[id].webhook.requestStarted = started.advanced(
        nanoseconds: now.nanoseconds(since: since))
    }
    if connections[id].webhook.requestStarted == nil { connections[id].lastReceived = now }
    processWebhookInput(id, at: now, operations: &operations)
    guard isHeard(id) else { return }
    if connections[id].pausedSince != nil {
      // No way yet: the time it has been waiting counts on.
      if !connections[id].madeProgress { connections[id].pausedSince = since }
      return
    }
    sendContinue(id)
    scheduleWebhook(id, at: now)
    if connections[id].peerEnded {
      leaveIfEnded(id, at: now, operations: &operations)
      return
    }
    resumeReceiving(id, operations: &operations)
  }

  /// Whether a request that was received may still become a record.
  func hasWebhookInput(_ id: SlotID) -> Bool {
    connections[id].webhook.stage == .complete || !connections[id].webhook.backlog.isEmpty
  }

  /// The client says nothing more, but may still read: what it is owed goes out first.
  mutating func webhookPeerEnded(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    let isOwed = !connections[id].answers.isEmpty || !connections[id].outbox.isEmpty
    guard connections[id].phase == .open, isOwed || hasWebhookInput(id) else {
      close(id, operations: &operations)
      return
    }
    connections[id].endedSince = now
    scheduleWebhook(id, at: now)
    if connections[id].waitsForInput { connections[id].waitsForInput = false }
    if connections[id].pausedSince != nil, !connections[id].isWaiting, !mustWait(id) {
      resume(id, at: now, operations: &operations)
    }
    leaveIfEnded(id, at: now, operations: &operations)
  }

  /// No further request is taken; who has sent one, or a part of it, hears that we stop.
  mutating func beginWebhookShutdown(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    guard connections[id].phase == .open else { return }
    let hasRequest = connections[id].webhook.requestStarted != nil || hasWebhookInput(id)
    if connections[id].webhook.stage != .finished {
      if hasRequest {
        endRequests(id, .shuttingDown, for: .shutdown, at: now, operations: &operations)
      } else {
        finishWebhook(id)
        connections[id].webhook.replies.endAfterNewest()
        metrics.webhooks.disconnects(.shutdown).add(1)
      }
    }
    guard connections.contains(id), connections[id].phase == .open else { return }
    leaveIfAnswered(id, at: now, operations: &operations)
  }

  /// Answers what is not safe yet that we stop: the time for stopping is over.
  mutating func endWebhook(_ id: SlotID, at now: Instant, operations: inout OperationQueue) {
    let count = UInt32(connections[id].answers.count)
    for number in 0..<count {
      connections[id].answers.markReady(
        sequence: connections[id].answers.nextSequence &- count &+ number,
        reason: WebhookOutcome.shuttingDown.rawValue)
    }
    sendWebhookAnswers(id, at: now, operations: &operations)
    guard connections.contains(id) else { return }
    linger(id, at: now, operations: &operations)
  }
}
