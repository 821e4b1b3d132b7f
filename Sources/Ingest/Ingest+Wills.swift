import Bytes
import IOPort
import MQTT
import Metrics
import Records
import Settings

// The wills of devices (MQTT 5.0 §3.1.2.5, §3.1.3.2; 3.1.1 §3.1.2.5).
//
// A will is kept from CONNECT on. It is published when the connection ends in any way but a
// DISCONNECT with reason 0 [MQTT-3.1.2-8] [MQTT-3.1.2-10] (3.1.1: [MQTT-3.1.2-8]): also when it was
// the gateway that ended it, for an error, for silence, for a newer connection or because it stops.
// Then it becomes a record like any message, before anything that the device says on its next
// connection. A restart of the gateway forgets wills that were not published.
extension Ingest {
  /// Why a CONNECT is refused for its will.
  enum WillRefusal {
    case noMemory
    case tooManyProperties
    case unrouted

    var text: StaticString {
      switch self {
      case .noMemory: "no memory is left for a will"
      case .tooManyProperties: "the will has too many properties, or too large ones"
      case .unrouted: "no route takes the topic of the will"
      }
    }
  }

  /// Why the will of a CONNECT cannot be kept; nil where it can, or there is none.
  func refusal(of view: borrowing ConnectView) -> WillRefusal? {
    guard let will = view.will else { return nil }
    guard MessageAttributes.isAllowed(will.properties) else { return .tooManyProperties }
    if unroutedPolicy == .reject, !hasRoute(will.topic) { return .unrouted }
    // The one it replaces makes room.
    let needed = will.encoded.byteCount + view.clientID.byteCount + Will.overheadBytes
    let freed = replacedBytes(by: view)
    guard wills.byteCount - freed + needed <= limits.willBytes,
      !wills.table.isFull || freed > 0
    else { return .noMemory }
    return nil
  }

  private func replacedBytes(by view: borrowing ConnectView) -> Int {
    let clientID = [UInt8](copying: view.clientID)
    if let delayed = wills.delayed[clientID] { return wills.table[delayed].byteCount }
    guard let older = clients[clientID], connections.contains(older),
      let will = connections[older].will
    else { return 0 }
    return wills.table[will].byteCount
  }

  /// Keeps the will of a CONNECT, if there is one; returns for how long after the connection's end,
  /// in seconds, its publication waits for the device to come back.
  ///
  /// §3.1.3.2.2: until the delay has passed or the session ends, whichever comes first. So the
  /// delay is never longer than the session that the client asks for, and that is kept for the
  /// delay's sake alone. MQTT 3.1.1 knows no delay.
  mutating func keepWill(_ id: SlotID, _ view: borrowing ConnectView) -> UInt32 {
    guard let will = view.will else { return 0 }
    guard !wills.table.isFull else {
      // The one that it was to replace waits for memory to become a record.
      metrics.mqtt.willsDropped(.noMemory).add(1)
      note(
        .willDropped, "a will was not kept: there is no place for another one",
        peer: connections[id].peer, subject: clientText(id))
      return 0
    }
    let delay =
      view.version == .v5
      ? min(will.delaySeconds, view.sessionExpirySeconds, limits.willDelaySeconds) : 0
    connections[id].will = wills.insert(
      Will(
        clientID: connections[id].clientID, clientAttribute: connections[id].clientAttribute,
        sender: id.sender, peer: connections[id].peer, version: view.version, qos: will.qos,
        isRetained: will.isRetained, encoded: [UInt8](copying: will.encoded),
        delaySeconds: delay))
    return delay
  }

  /// The device took its leave: nobody wants its will any more.
  mutating func discardWill(of id: SlotID) {
    guard let will = connections[id].will else { return }
    connections[id].will = nil
    wills.remove(will)
  }

  /// DISCONNECT may shorten the session, and with it the delay (§3.14.2.2.2).
  mutating func shortenWillDelay(of id: SlotID, _ sessionExpirySeconds: UInt32?) {
    guard let will = connections[id].will, let seconds = sessionExpirySeconds else { return }
    wills.table[will].delaySeconds = min(wills.table[will].delaySeconds, seconds)
  }

  /// The connection ends in another way. What follows is done at the end of the turn, or before
  /// the device's next connection is accepted.
  mutating func endWill(of id: SlotID) {
    guard let will = connections[id].will else { return }
    connections[id].will = nil
    wills.ended.append(will)
  }

  /// A device is there again: its delayed will is not published if it goes on with its session
  /// [MQTT-3.1.3-9], else at once, because the old session ends. Whether it goes on with one.
  mutating func resumeSession(
    _ clientID: [UInt8], older: SlotID?, isCleanStart: Bool
  ) -> Bool {
    var isPresent = false
    if let older, let will = connections[older].will, wills.table[will].delaySeconds > 0 {
      if isCleanStart {
        wills.table[will].delaySeconds = 0
      } else {
        discardWill(of: older)
        isPresent = true
      }
    }
    if let will = wills.delayed.removeValue(forKey: clientID) {
      if isCleanStart {
        wills.table[will].delaySeconds = 0
        wills.ended.append(will)
      } else {
        wills.remove(will)
        isPresent = true
      }
    }
    if isPresent { metrics.mqtt.willsCancelled.add(1) }
    return isPresent
  }

  /// Publishes the wills whose connection has ended, or begins their delay.
  mutating func settleEndedWills(at now: Instant, operations: inout OperationQueue) {
    if wills.ended.isEmpty { return }
    var ended: [SlotID] = []
    swap(&ended, &wills.ended)
    for will in ended {
      let delay = isShuttingDown ? 0 : wills.table[will].delaySeconds
      if delay == 0 {
        publish(will, at: now, operations: &operations)
        continue
      }
      let due = now.advanced(milliseconds: Int(delay) * 1_000)
      wills.table[will].stage = .delayed(until: due)
      wills.delayed[wills.table[will].clientID] = will
      schedule(will: will, at: due, from: now)
    }
  }

  private mutating func schedule(will: SlotID, at instant: Instant, from now: Instant) {
    // As with connections: timers of wills that are gone stay until they are due.
    let look = min(instant, now.advanced(milliseconds: Self.longestTimerMilliseconds))
    timers.schedule(token(Verb.will, will), at: look)
  }

  /// A timer of a will is due.
  mutating func checkWill(_ will: SlotID, at now: Instant, operations: inout OperationQueue) {
    guard wills.table.contains(will) else { return }
    switch wills.table[will].stage {
    case .held: return
    case .delayed(let due):
      if now < due {
        schedule(will: will, at: due, from: now)
        return
      }
      wills.delayed[wills.table[will].clientID] = nil
      publish(will, at: now, operations: &operations)
    case .waiting(let limit):
      if now < limit {
        schedule(will: will, at: limit, from: now)
        return
      }
      drop(will, .noMemory)
    }
  }

  /// Makes a will a record; where there is no memory for one, it waits.
  private mutating func publish(
    _ will: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    // Those that wait already go first.
    if wills.hasWaiting() || !append(will, at: now) {
      let limit = now.advanced(milliseconds: limits.willWaitMilliseconds)
      wills.table[will].stage = .waiting(until: limit)
      wills.waiting.append(will)
      schedule(will: will, at: limit, from: now)
      pauseAll(at: now, operations: &operations)
    }
  }

  /// Lets wills that wait for memory try again; false while there is one.
  mutating func wakeWaitingWills(at now: Instant) -> Bool {
    while let will = wills.waiting.first {
      if wills.table.contains(will), !append(will, at: now) { return false }
      _ = wills.waiting.popFirst()
    }
    return true
  }

  /// Appends the record of a will, and forgets the will; false where there is no memory for it.
  private mutating func append(_ will: SlotID, at now: Instant) -> Bool {
    let encoded = wills.table[will].encoded
    return append(will, encoded.rawBytes, at: now)
  }

  private mutating func append(_ will: SlotID, _ encoded: RawSpan, at now: Instant) -> Bool {
    guard
      let view = WillView(
        encoded, version: wills.table[will].version, qos: wills.table[will].qos,
        isRetained: wills.table[will].isRetained)
    else {
      // It was read when it came, so this does not happen.
      assertionFailure("a will that was kept is none")
      wills.remove(will)
      return true
    }
    // Taken out as for a PUBLISH.
    var fields = RouteFields()
    swap(&fields, &routeFields)
    fields.attributes.removeAll()
    fields.attributes.append(contentsOf: wills.table[will].clientAttribute)
    let clientID = wills.table[will].clientID
    let result = takeIn(
      PublishView(view), from: clientID.rawBytes, sender: wills.table[will].sender, source: .none,
      &fields, at: now)
    swap(&fields, &routeFields)
    switch result {
    case .appended: metrics.mqtt.willsPublished.add(1)
    case .noMemory: return false
    case .unrouted:
      noteUnrouted(view.topic, peer: wills.table[will].peer)
      metrics.mqtt.willsDropped(.unrouted).add(1)
    case .refused(let refusal):
      count(refusal, peer: wills.table[will].peer, subject: view.topic)
      metrics.mqtt.willsDropped(.refused).add(1)
    case .noSpace, .dropped: metrics.mqtt.willsDropped(.noSpace).add(1)
    case .tooLarge, .tooManyProperties: metrics.mqtt.willsDropped(.tooLarge).add(1)
    }
    wills.remove(will)
    return true
  }

  private mutating func drop(_ will: SlotID, _ reason: MQTTMetrics.WillDrop) {
    metrics.mqtt.willsDropped(reason).add(1)
    let clientID = wills.table[will].clientID
    note(
      .willDropped, "a will was not published: no memory was left for records",
      peer: wills.table[will].peer, subject: shortText(clientID.rawBytes, limit: 64))
    wills.remove(will)
  }

  /// The gateway stops, and with it every session ends: no will waits any longer.
  mutating func endWillDelays() {
    for will in wills.delayed.values { wills.ended.append(will) }
    wills.delayed.removeAll()
  }

  /// The time for stopping is over: what was not published never will be.
  mutating func dropWills() {
    for index in 0..<wills.table.upperBound {
      if let will = wills.table.tenant(at: index) {
        metrics.mqtt.willsDropped(.shutdown).add(1)
        wills.remove(will)
      }
    }
    wills.ended.removeAll()
    wills.delayed.removeAll()
  }
}
