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
      metrics.connectionsRefused.add(1)
      note(.connectionLimit, "all connections of the listener are taken", peer: peer, subject: "")
      operations.append(
        .close(descriptor), token: token(Verb.ignored, SlotID(index: 0, generation: 0)))
      return
    }
    listeners[listener].connectionCount += 1
    metrics.connectionsOpened.add(1)
    let session = ServerSession(limits: ServerLimits(configuration: configuration))
    let id = connections.insert(
      Connection(
        descriptor: descriptor, peer: peer, listener: listener, session: session,
        answerLimit: configuration.receiveMaximum, now: now))
    metrics.connections.set(Int64(connections.count))
    operations.append(.receive(descriptor), token: token(Verb.receive, id))
    schedule(
      id, at: now.advanced(milliseconds: configuration.connectTimeoutSeconds * 1_000))
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

  mutating func receivedBytes(
    _ id: SlotID, _ bytes: RawSpan, at now: Instant, operations: inout OperationQueue
  ) {
    guard connections.contains(id) else { return }
    metrics.bytesReceived.add(UInt64(bytes.byteCount))
    switch connections[id].phase {
    case .lingering, .closing: return
    case .connecting, .open: break
    }
    connections[id].lastReceived = now
    guard connections[id].input.isEmpty, connections[id].pausedSince == nil else {
      keep(id, bytes, at: now, operations: &operations)
      if connections.contains(id), connections[id].pausedSince == nil {
        processInput(id, at: now, operations: &operations)
      }
      return
    }
    let used = process(id, bytes, at: now, operations: &operations)
    guard connections.contains(id), used < bytes.byteCount else { return }
    switch connections[id].phase {
    case .lingering, .closing: return
    case .connecting, .open:
      keep(id, bytes.extracting(droppingFirst: used), at: now, operations: &operations)
    }
  }

  /// Keeps bytes for later; a connection that would make us hold too many is closed.
  private mutating func keep(
    _ id: SlotID, _ bytes: RawSpan, at now: Instant, operations: inout OperationQueue
  ) {
    guard inputBytes + bytes.byteCount <= limits.inputBytes else {
      metrics.disconnects(.inputMemory).add(1)
      note(
        .limitReached, "no memory is left for packets that are not complete",
        peer: connections[id].peer, subject: clientText(id))
      disconnect(id, reason: .quotaExceeded, at: now, operations: &operations)
      return
    }
    connections[id].input.append(bytes)
    inputBytes += bytes.byteCount
  }

  /// Processes what was kept, as far as it goes.
  mutating func processInput(_ id: SlotID, at now: Instant, operations: inout OperationQueue) {
    guard connections.contains(id), !connections[id].input.isEmpty else { return }
    // Taken out while it is read, because processing changes the connection.
    var input = GrowableBytes()
    swap(&input, &connections[id].input)
    let used = process(id, input.bytes, at: now, operations: &operations)
    guard connections.contains(id) else { return }
    switch connections[id].phase {
    case .lingering, .closing:
      inputBytes -= input.count
    case .connecting, .open:
      inputBytes -= used
      input.removeFirst(used)
      if input.isEmpty { input.removeAll(keepingCapacityUpTo: 16 * 1024) }
      swap(&input, &connections[id].input)
    }
  }

  mutating func receiveEnded(
    _ id: SlotID, _ error: IOError?, at now: Instant, operations: inout OperationQueue
  ) {
    guard connections.contains(id) else { return }
    connections[id].isReceiving = false
    guard let error else {
      peerEnded(id, operations: &operations)
      return
    }
    switch error.kind {
    case .cancelled, .resourcesExhausted: resumeReceiving(id, operations: &operations)
    default: close(id, operations: &operations)
    }
  }

  private mutating func peerEnded(_ id: SlotID, operations: inout OperationQueue) {
    let isWaiting = connections[id].pausedSince != nil && !connections[id].input.isEmpty
    if isWaiting, connections[id].phase == .open {
      // What it sent before it left is still processed.
      connections[id].peerEnded = true
    } else {
      close(id, operations: &operations)
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
    if connections[id].pausedSince != nil, !connections[id].waitsForMemory, !mustWait(id) {
      resume(id, at: now, operations: &operations)
      guard connections.contains(id) else { return }
    }
    if !connections[id].outbox.isEmpty {
      markDirty(id)
    } else if connections[id].phase == .lingering {
      // The peer reads our last packet, then our end, and closes; a timer limits the wait.
      operations.append(
        .shutdownWrites(connections[id].descriptor), token: token(Verb.ignored, id))
    }
  }

  /// Closes at once; nothing more is sent.
  mutating func close(_ id: SlotID, operations: inout OperationQueue) {
    guard connections.contains(id), connections[id].phase != .closing else { return }
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
    if connections[id].outbox.isEmpty {
      close(id, operations: &operations)
      return
    }
    connections[id].phase = .lingering
    connections[id].pausedSince = nil
    dropInput(id)
    markDirty(id)
    resumeReceiving(id, operations: &operations)
    schedule(id, at: now.advanced(milliseconds: limits.lingerMilliseconds))
  }

  /// Gives back the memory of bytes that nobody will process.
  private mutating func dropInput(_ id: SlotID) {
    inputBytes -= connections[id].input.count
    connections[id].input.removeAll(keepingCapacityUpTo: 0)
  }

  mutating func closed(_ id: SlotID) {
    guard connections.contains(id) else { return }
    let clientID = connections[id].clientID
    if clients[clientID] == id { clients[clientID] = nil }
    listeners[connections[id].listener].connectionCount -= 1
    _ = connections.remove(id)
    metrics.connections.set(Int64(connections.count))
  }

  func clientText(_ id: SlotID) -> String {
    let clientID = connections[id].clientID
    return unsafe shortText(clientID.span.bytes, limit: 64)
  }
}
