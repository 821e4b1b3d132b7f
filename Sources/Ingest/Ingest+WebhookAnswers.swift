import Bytes
import HTTP1
import IOPort
import Metrics
import Records
import Settings

// What webhooks are answered, in the order of their requests.
extension Ingest {
  /// Answers the request at hand, behind those that were before it.
  mutating func reply(
    _ id: SlotID, _ outcome: WebhookOutcome, at now: Instant, operations: inout OperationQueue
  ) {
    if let refusal = outcome.refusal { metrics.refused(refusal).add(1) }
    connections[id].webhook.reply.since = now
    connections[id].webhook.replies.append(connections[id].webhook.reply)
    connections[id].answers.appendReady(packetID: 0, reason: outcome.rawValue)
    if connections[id].webhook.reply.isLast { finishWebhook(id) }
    sendWebhookAnswers(id, at: now, operations: &operations)
  }

  /// Answers the request at hand, and takes no further one.
  mutating func endRequests(
    _ id: SlotID, _ outcome: WebhookOutcome, for reason: WebhookMetrics.DisconnectReason,
    at now: Instant, operations: inout OperationQueue
  ) {
    metrics.webhooks.disconnects(reason).add(1)
    finishWebhook(id)
    if connections[id].answers.isFull {
      // No place for another answer; the last one says that the connection ends.
      connections[id].webhook.replies.endAfterNewest()
      return
    }
    connections[id].webhook.reply.isLast = true
    reply(id, outcome, at: now, operations: &operations)
  }

  /// Forgets what was received, and takes no further request.
  mutating func finishWebhook(_ id: SlotID) {
    requestEnded(id)
    connections[id].webhook.stage = .finished
    connections[id].waitsForMemory = false
    dropInput(id)
  }

  /// Sends the answers at the head of the queue that are ready, in one go.
  mutating func sendWebhookAnswers(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    guard connections[id].phase == .open else { return }
    var sentAny = false
    while let answer = connections[id].answers.popReady() {
      guard var reply = connections[id].webhook.replies.popFirst() else { break }
      let outcome = WebhookOutcome(rawValue: answer.reason) ?? .recordRefused
      if isShuttingDown, connections[id].answers.isEmpty { reply.isLast = true }
      write(outcome, reply, to: id)
      sentAny = true
      metrics.webhooks.answered(outcome).add(1)
      if outcome == .accepted { metrics.acknowledged.add(1) }
      if reply.isLast {
        linger(id, at: now, operations: &operations)
        return
      }
    }
    guard sentAny else { return }
    markDirty(id)
    connections[id].lastReceived = now
    sendContinue(id)
    scheduleWebhook(id, at: now)
    if connections[id].pausedSince != nil, !connections[id].isWaiting, !mustWait(id) {
      resume(id, at: now, operations: &operations)
    }
  }

  mutating func write(_ outcome: WebhookOutcome, _ reply: WebhookReply, to id: SlotID) {
    // Taken out, because spans of it are held while the connection changes.
    var body = GrowableBytes()
    swap(&body, &webhooks.answer)
    body.removeAll()
    appendBody(outcome, reply, to: &body)
    var head = ResponseHead(
      statusCode: outcome.statusCode, contentType: "application/json",
      contentLength: body.count, isLast: reply.isLast,
      minorVersion: reply.minorVersion)
    head.date = webhooks.clock.date
    if outcome == .wrongMethod { head.fields = [("Allow", "POST")] }
    if outcome.statusCode == 503 || outcome == .noSpace {
      let seconds = listeners[connections[id].listener].configuration.retryAfterSeconds
      head.fields = [("Retry-After", "\(seconds)")]
    }
    connections[id].outbox.write { head.write(into: &$0) }
    if !reply.isHead { connections[id].outbox.append(body.bytes) }
    swap(&body, &webhooks.answer)
  }

  private func appendBody(
    _ outcome: WebhookOutcome, _ reply: WebhookReply, to output: inout GrowableBytes
  ) {
    if outcome == .accepted {
      output.append("{\"status\":\"accepted\",\"topic\":\"")
      output.append(contentsOf: webhooks.lanes[reply.lane].topic)
    } else {
      output.append("{\"status\":\"refused\",\"error\":\"")
      output.append(outcome.word)
      output.append("\",\"message\":\"")
      output.append(outcome.text)
    }
    output.append("\"}\n")
  }
}
