import Bytes
import IOPort
import MQTT
import Metrics
import Settings

// Bytes that were received and cannot be processed yet, and the memory for them.
//
// A packet that is not complete reserves its whole size before more of it is read; where there is
// nothing left to reserve, reading stops until others give back theirs. What was received by then
// is held without a reservation. As the largest packet fits into what can be reserved, whoever
// waits first gets it sooner or later.
extension Ingest {
  /// Incomplete packets up to this size need no reservation while there is memory enough.
  private static var smallPacketBytes: Int { 16 << 10 }
  /// So many bytes of an incomplete packet are a sign of life as good as a packet.
  private static var progressBytes: Int { 1_024 }

  mutating func receivedBytes(
    _ id: SlotID, _ bytes: RawSpan, at now: Instant, operations: inout OperationQueue
  ) {
    guard connections.contains(id) else { return }
    let listener = connections[id].listener
    metrics.listener(listener).receivedBytes.add(UInt64(bytes.byteCount))
    if connections[id].kind == .webhook {
      receivedWebhook(id, bytes, at: now, operations: &operations)
      return
    }
    var used = 0
    // First what completes the packet at hand, and not more: its memory is measured.
    while used < bytes.byteCount, isReading(id), !connections[id].input.isEmpty {
      let missing = max(connections[id].expectedBytes - connections[id].input.count, 1)
      let count = min(missing, bytes.byteCount - used)
      keep(id, bytes.extracting(used..<used + count), at: now, operations: &operations)
      used += count
      guard isReading(id) else { break }
      if connections[id].input.count >= connections[id].expectedBytes {
        processInput(id, at: now, operations: &operations)
      }
    }
    if used < bytes.byteCount, isReading(id) {
      used += process(
        id, bytes.extracting(droppingFirst: used), at: now, operations: &operations)
    }
    guard isHeard(id) else { return }
    if used < bytes.byteCount {
      keep(id, bytes.extracting(droppingFirst: used), at: now, operations: &operations)
      provide(id, at: now, operations: &operations)
    }
    noteProgress(id, at: now)
  }

  /// Whether what the connection sends still matters.
  func isHeard(_ id: SlotID) -> Bool {
    guard connections.contains(id) else { return false }
    switch connections[id].phase {
    case .lingering, .closing: return false
    case .connecting, .open: return true
    }
  }

  func isReading(_ id: SlotID) -> Bool {
    isHeard(id) && connections[id].pausedSince == nil
  }

  /// A large packet on a slow line takes longer than the keep alive: each KiB of it counts. Single
  /// bytes do not, or a device could hold its place with a packet that never ends.
  private mutating func noteProgress(_ id: SlotID, at now: Instant) {
    guard isReading(id), connections[id].expectedBytes > 0 else { return }
    let count = connections[id].input.count
    guard count - connections[id].lastProgressBytes >= Self.progressBytes else { return }
    connections[id].lastProgressBytes = count
    connections[id].lastReceived = now
  }

  /// Counts the memory of the connection's input anew.
  mutating func count(_ id: SlotID) {
    let held =
      max(connections[id].input.capacity, connections[id].reservedBytes)
      + connections[id].webhook.backlog.capacity
    inputBytes += held - connections[id].countedBytes
    connections[id].countedBytes = held
    inputMemory.shrinkSpare(to: spareInputLimit)
  }

  /// How much memory for input may be free: what is in use and what is free are within the limit
  /// together.
  private var spareInputLimit: Int {
    min(limits.inputBytes / 4, limits.inputBytes - inputBytes)
  }

  /// Moves the connection's input to memory of `byteCount` bytes, or of as many as it holds.
  mutating func resizeInput(_ id: SlotID, to byteCount: Int) {
    inputMemory.resize(
      &connections[id].input, to: byteCount, spareLimitBytes: spareInputLimit)
    count(id)
  }

  /// The same for bytes that are not a connection's at the moment.
  mutating func resize(_ queue: inout GrowableBytes, to byteCount: Int) {
    inputMemory.resize(&queue, to: byteCount, spareLimitBytes: spareInputLimit)
  }

  /// The same for a webhook's bytes that can't be taken now.
  mutating func resizeBacklog(_ id: SlotID, to byteCount: Int) {
    inputMemory.resize(
      &connections[id].webhook.backlog, to: byteCount, spareLimitBytes: spareInputLimit)
    count(id)
  }

  /// Memory held without a reservation.
  var looseBytes: Int { inputBytes - reservedInputBytes }

  /// Keeps bytes for later; a connection that would make us hold too many is closed.
  private mutating func keep(
    _ id: SlotID, _ bytes: RawSpan, at now: Instant, operations: inout OperationQueue
  ) {
    guard makeRoom(id, for: bytes.byteCount) else {
      metrics.disconnects(.inputMemory).add(1)
      note(
        .limitReached, "no memory is left for what was received",
        peer: connections[id].peer, subject: clientText(id))
      disconnect(id, reason: .quotaExceeded, at: now, operations: &operations)
      return
    }
    connections[id].input.append(bytes)
    count(id)
  }

  /// Sees to room for so many more bytes in the connection's input; false when memory is used up.
  mutating func makeRoom(_ id: SlotID, for additional: Int) -> Bool {
    let reserved = connections[id].reservedBytes
    let capacity = connections[id].input.capacity
    let needed = connections[id].input.count + additional
    guard needed > capacity else {
      connections[id].input.reserveWithin(additional)
      return true
    }
    // Not doubled: beside the packet at hand only what one wait of the port brings is kept.
    var larger = connections[id].input.isEmpty ? needed : needed + min(needed / 2, 64 << 10)
    if needed <= reserved { larger = min(larger, reserved) }
    let growth = max(InputMemory.capacity(for: larger), reserved) - max(capacity, reserved)
    guard looseBytes + growth <= looseLimit(id) else { return false }
    resizeInput(id, to: larger)
    return true
  }

  /// How much memory may be held without a reservation before this connection gets no more.
  /// Webhooks leave half to MQTT devices, which can only be told no by ending their connection.
  func looseLimit(_ id: SlotID) -> Int {
    switch connections[id].kind {
    case .mqtt: limits.looseInputBytes
    case .webhook: limits.looseInputBytes / 2
    }
  }

  /// Sees to the memory for the whole of the incomplete packet at the front.
  mutating func provide(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    let expected = connections[id].expectedBytes
    guard isReading(id), expected > 0, connections[id].reservedBytes == 0,
      !connections[id].peerEnded
    else { return }
    let missing = max(InputMemory.capacity(for: expected) - connections[id].countedBytes, 0)
    let isSmall =
      expected <= Self.smallPacketBytes && looseBytes + missing <= limits.looseInputBytes / 2
    if isSmall {
      resizeInput(id, to: expected)
    } else if !isBehindOthers(id), canReserve(id) {
      reserve(id, at: now)
    } else {
      connections[id].waitsForInput = true
      switch connections[id].kind {
      case .mqtt: inputWaiting.append(id)
      case .webhook: webhookInputWaiting.append(id)
      }
      pause(id, at: now, operations: &operations)
    }
  }

  /// Whether others wait for memory that have to get theirs first. Webhooks come last: they can be
  /// told to come back.
  private func isBehindOthers(_ id: SlotID) -> Bool {
    if inputWaiting.count > 0 { return true }
    return connections[id].kind == .webhook && webhookInputWaiting.count > 0
  }

  /// Whether there is enough to reserve. Webhooks leave half to MQTT devices, but for one that
  /// needs more than that.
  private func canReserve(_ id: SlotID) -> Bool {
    let expected = connections[id].expectedBytes
    guard reservedInputBytes + expected <= limits.reservableInputBytes else { return false }
    if connections[id].kind == .mqtt || reservedWebhookBytes == 0 { return true }
    return reservedWebhookBytes + expected <= limits.reservableInputBytes / 2
  }

  private mutating func reserve(_ id: SlotID, at now: Instant) {
    let expected = connections[id].expectedBytes
    if connections[id].kind == .webhook { reservedWebhookBytes += expected }
    connections[id].reservedBytes = expected
    connections[id].reservedSince = now
    reservedInputBytes += expected
    resizeInput(id, to: expected)
    if connections[id].kind == .webhook {
      connections[id].webhook.bytesWhenLooked = connections[id].input.count
      scheduleWebhook(id, at: now)
    } else {
      schedule(id, at: now.advanced(milliseconds: maxPauseMilliseconds(id)), from: now)
    }
  }

  mutating func giveBackReservation(_ id: SlotID) {
    let reserved = connections[id].reservedBytes
    reservedInputBytes -= reserved
    if connections[id].kind == .webhook { reservedWebhookBytes -= reserved }
    connections[id].reservedBytes = 0
  }

  /// Lets connections go on that wait for memory for their packet, the longest waiting first.
  mutating func wakeInputWaiting(at now: Instant, operations: inout OperationQueue) {
    while let id = inputWaiting.first {
      guard wakeInput(id, at: now, operations: &operations) else { return }
      _ = inputWaiting.popFirst()
    }
    while let id = webhookInputWaiting.first {
      guard wakeInput(id, at: now, operations: &operations) else { return }
      _ = webhookInputWaiting.popFirst()
    }
  }

  /// Lets a connection go on if it still waits; false when there is no memory for it.
  private mutating func wakeInput(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) -> Bool {
    guard isHeard(id), connections[id].waitsForInput else { return true }
    // What was under way when reading stopped may have completed the packet.
    if connections[id].input.count < connections[id].expectedBytes {
      guard canReserve(id) else { return false }
      reserve(id, at: now)
    }
    connections[id].waitsForInput = false
    resume(id, at: now, operations: &operations)
    return true
  }

  /// Processes what was kept, as far as it goes.
  mutating func processInput(_ id: SlotID, at now: Instant, operations: inout OperationQueue) {
    guard connections.contains(id) else { return }
    if connections[id].kind == .webhook {
      processWebhookInput(id, at: now, operations: &operations)
      return
    }
    guard !connections[id].input.isEmpty else { return }
    // Taken out while it is read, because processing changes the connection.
    var input = GrowableBytes()
    swap(&input, &connections[id].input)
    let used = process(id, input.bytes, at: now, operations: &operations)
    guard isHeard(id) else { return }
    input.removeFirst(used)
    if used > 0 { giveBackReservation(id) }
    if input.isEmpty || (input.capacity > 16 << 10 && input.count < input.capacity / 4) {
      resize(&input, to: 0)
    }
    swap(&input, &connections[id].input)
    count(id)
    provide(id, at: now, operations: &operations)
  }

  /// Gives back the memory of bytes that nobody will process.
  mutating func dropInput(_ id: SlotID) {
    connections[id].input.removeAll()
    connections[id].webhook.backlog.removeAll()
    connections[id].waitsForInput = false
    giveBackReservation(id)
    resizeInput(id, to: 0)
    resizeBacklog(id, to: 0)
  }
}
