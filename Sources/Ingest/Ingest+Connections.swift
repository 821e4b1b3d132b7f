import Bytes
import IOPort
import MQTT
import Metrics
import Settings

// Connections from accept to close, and the bytes between.
extension Ingest {
  mutating func accept(_ listener: Int, operations: inout OperationQueue) {
    guard !isShuttingDown, !listeners[listener].isAccepting else { return }
    listeners[listener].isAccepting = true
    let slot = SlotID(index: UInt32(listener), generation: 0)
    operations.append(
      .accept(listeners[listener].descriptor), token: token(Verb.accept, slot))
  }

  mutating func accepted(
    _ descriptor: Descriptor, peer: SocketAddress, on listener: Int, at now: Instant,
    operations: inout OperationQueue
  ) {
    let configuration = listeners[listener].configuration
    let isFull = listeners[listener].connectionCount >= configuration.maxConnections
    if isFull || connections.isFull || isShuttingDown {
      metrics.listener(listener).refused.add(1)
      note(.connectionLimit, "all connections of the listener are taken", peer: peer, subject: "")
      if configuration.kind == .webhook, !isShuttingDown, !connections.isFull,
        refusedConnectionCount < Self.refusedConnectionLimit
      {
        refuseWebhook(descriptor, peer: peer, on: listener, at: now, operations: &operations)
        return
      }
      operations.append(
        .close(descriptor), token: token(Verb.ignored, SlotID(index: 0, generation: 0)))
      return
    }
    listeners[listener].connectionCount += 1
    metrics.listener(listener).opened.add(1)
    let session = ServerSession(limits: ServerLimits(configuration: configuration))
    let id = connections.insert(
      Connection(
        descriptor: descriptor, peer: peer, listener: listener, kind: configuration.kind,
        session: session, answerLimit: configuration.answerLimit, now: now))
    metrics.listener(listener).connections.set(listeners[listener].connectionCount)
    operations.append(.receive(descriptor), token: token(Verb.receive, id))
    if configuration.kind == .webhook {
      openWebhook(id, at: now)
      return
    }
    schedule(
      id, at: now.advanced(milliseconds: configuration.connectTimeoutSeconds * 1_000), from: now)
  }

  /// So many connections beyond a limit are told about it at a time; others are closed.
  private static var refusedConnectionLimit: Int { 16 }

  /// Answers a connection beyond the limit, without reading a request, and lets it read that.
  private mutating func refuseWebhook(
    _ descriptor: Descriptor, peer: SocketAddress, on listener: Int, at now: Instant,
    operations: inout OperationQueue
  ) {
    let configuration = listeners[listener].configuration
    let id = connections.insert(
      Connection(
        descriptor: descriptor, peer: peer, listener: listener, kind: .webhook,
        session: ServerSession(limits: ServerLimits(configuration: configuration)),
        answerLimit: configuration.answerLimit, now: now))
    refusedConnectionCount += 1
    connections[id].isRefused = true
    connections[id].phase = .open
    connections[id].webhook.stage = .finished
    operations.append(.receive(descriptor), token: token(Verb.receive, id))
    var reply = WebhookReply(since: now)
    reply.isLast = true
    write(.tooManyConnections, reply, to: id)
    linger(id, at: now, operations: &operations)
  }

  mutating func acceptEnded(_ listener: Int, _ error: IOError, at now: Instant) {
    listeners[listener].isAccepting = false
    guard error.kind != .cancelled, !isShuttingDown else { return }
    // No descriptor left, most likely: connections that end will free some.
    note(.acceptFailed, "accepting rests for a moment", peer: nil, subject: "\(error.code)")
    timers.schedule(
      Token(
        owner: owner, verb: Verb.acceptAgain,
        slot: SlotID(index: UInt32(listener), generation: 0)),
      at: now.advanced(milliseconds: limits.acceptPauseMilliseconds))
  }

  mutating func receiveEnded(
    _ id: SlotID, _ error: IOError?, at now: Instant, operations: inout OperationQueue
  ) {
    guard connections.contains(id) else { return }
    connections[id].isReceiving = false
    guard let error else {
      if connections[id].kind == .webhook {
        webhookPeerEnded(id, at: now, operations: &operations)
        return
      }
      peerEnded(id, at: now, operations: &operations)
      return
    }
    switch error.kind {
    case .cancelled, .resourcesExhausted: resumeReceiving(id, operations: &operations)
    default: close(id, operations: &operations)
    }
  }

  /// The device says nothing more, but may still read: what it is owed goes out first. For that it
  /// has `max_pause_s`.
  private mutating func peerEnded(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    let isPaused = hasInput(id)
    let isOwed = !connections[id].answers.isEmpty || !connections[id].outbox.isEmpty
    guard connections[id].phase == .open, isPaused || isOwed else {
      close(id, operations: &operations)
      return
    }
    connections[id].endedSince = now
    schedule(id, at: now.advanced(milliseconds: maxPauseMilliseconds(id)), from: now)
    // What it sent before it left is still processed, a packet that is not complete never will be.
    if connections[id].waitsForInput { connections[id].waitsForInput = false }
    if isPaused, !connections[id].isWaiting {
      resume(id, at: now, operations: &operations)
    }
    leaveIfEnded(id, at: now, operations: &operations)
  }

  /// A device that said its last word leaves when it has all its answers.
  mutating func leaveIfEnded(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    guard connections.contains(id), connections[id].phase == .open, connections[id].peerEnded,
      connections[id].answers.isEmpty, !hasInput(id)
    else { return }
    linger(id, at: now, operations: &operations)
  }

  /// Whether something was received that may still become a record.
  func hasInput(_ id: SlotID) -> Bool {
    switch connections[id].kind {
    case .mqtt: connections[id].pausedSince != nil && !connections[id].input.isEmpty
    case .webhook: hasWebhookInput(id)
    }
  }

  /// Arms a receive unless there is one, or reading is withheld.
  mutating func resumeReceiving(_ id: SlotID, operations: inout OperationQueue) {
    guard !connections[id].isReceiving, !connections[id].peerEnded else { return }
    guard connections[id].phase != .closing else { return }
    if connections[id].phase != .lingering, connections[id].pausedSince != nil { return }
    connections[id].isReceiving = true
    operations.append(
      .receive(connections[id].descriptor), token: token(Verb.receive, id))
  }

  mutating func sent(
    _ id: SlotID, _ count: Int, at now: Instant, operations: inout OperationQueue
  ) {
    guard connections.contains(id) else { return }
    connections[id].outbox.sent(count)
    if connections[id].pausedSince != nil, !connections[id].isWaiting, !mustWait(id) {
      resume(id, at: now, operations: &operations)
      guard connections.contains(id) else { return }
    }
    if !connections[id].outbox.isEmpty {
      markDirty(id)
    } else if connections[id].phase == .lingering, connections[id].peerEnded {
      close(id, operations: &operations)
    } else if connections[id].phase == .lingering {
      // The peer reads our last packet, then our end, and closes; a timer limits the wait.
      operations.append(
        .shutdownWrites(connections[id].descriptor), token: token(Verb.ignored, id))
    }
  }

  /// Closes at once; nothing more is sent.
  mutating func close(_ id: SlotID, operations: inout OperationQueue) {
    guard connections.contains(id), connections[id].phase != .closing else { return }
    endWill(of: id)
    connections[id].phase = .closing
    dropInput(id)
    operations.append(.close(connections[id].descriptor), token: token(Verb.close, id))
  }

  /// Lets what is in the outbox go out, then closes.
  mutating func linger(_ id: SlotID, at now: Instant, operations: inout OperationQueue) {
    switch connections[id].phase {
    case .closing, .lingering: return
    case .connecting, .open: break
    }
    endWill(of: id)
    if connections[id].outbox.isEmpty {
      close(id, operations: &operations)
      return
    }
    connections[id].phase = .lingering
    connections[id].pausedSince = nil
    dropInput(id)
    markDirty(id)
    resumeReceiving(id, operations: &operations)
    schedule(id, at: now.advanced(milliseconds: limits.lingerMilliseconds), from: now)
  }

  mutating func closed(_ id: SlotID) {
    guard connections.contains(id) else { return }
    let clientID = connections[id].clientID
    if clients[clientID] == id { clients[clientID] = nil }
    aliasBytes -= connections[id].countedAliasBytes
    if connections[id].isRefused {
      refusedConnectionCount -= 1
    } else {
      let listener = connections[id].listener
      listeners[listener].connectionCount -= 1
      metrics.listener(listener).connections.set(listeners[listener].connectionCount)
    }
    _ = connections.remove(id)
  }

  func clientText(_ id: SlotID) -> String {
    let clientID = connections[id].clientID
    return unsafe shortText(clientID.span.bytes, limit: 64)
  }
}
