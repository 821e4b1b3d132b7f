import Bytes
import IOPort
import MQTT
import Metrics
import Records
import Settings

// From a PUBLISH to a record in the open batch of its lane.
extension Ingest {
  mutating func publish(
    _ id: SlotID, _ view: borrowing PublishView, at now: Instant,
    operations: inout OperationQueue
  ) -> Next {
    guard view.matchesPayloadFormat else {
      metrics.refused(.payloadFormat).add(1)
      return refuse(
        id, view, reason: .payloadFormatInvalid, text: "the payload is not UTF-8 as it says",
        at: now, operations: &operations)
    }
    // Taken out while spans of it are held, because appending changes the rest of `self`.
    var fields = RouteFields()
    swap(&fields, &routeFields)
    fields.attributes.removeAll()
    fields.attributes.append(contentsOf: connections[id].clientAttribute)
    let clientID = connections[id].clientID
    let result = takeIn(
      view, from: clientID.rawBytes, sender: id.sender,
      source: view.qos == .atMostOnce ? .none : nextSource(of: id), &fields, at: now)
    swap(&fields, &routeFields)
    switch result {
    case .appended(let isAwaited):
      if view.qos == .atMostOnce { return .goOn }
      if isAwaited {
        connections[id].answers.appendWaiting(packetID: view.packetID)
        if answersBeforeSafe { answerBeforeSafe(id, at: now, operations: &operations) }
      } else {
        answer(id, view.packetID, reason: .success, at: now, operations: &operations)
      }
      return .goOn
    case .unrouted: return unrouted(id, view, at: now, operations: &operations)
    case .refused(let refusal):
      count(refusal, peer: connections[id].peer, subject: view.topic)
      let reason: ReasonCode = refusal == .tooManyTopics ? .quotaExceeded : .topicNameInvalid
      return refuse(id, view, reason: reason, text: refusal.text, at: now, operations: &operations)
    case .tooManyProperties:
      metrics.refused(.properties).add(1)
      return refuse(
        id, view, reason: .quotaExceeded,
        text: "the message has too many properties, or too large ones", at: now,
        operations: &operations)
    case .tooLarge:
      metrics.refused(.tooLarge).add(1)
      return refuse(
        id, view, reason: .implementationSpecificError,
        text: "the record is larger than Danube takes", at: now, operations: &operations)
    case .noSpace:
      return noSpace(id, view, at: now, operations: &operations)
    case .dropped:
      if view.qos != .atMostOnce {
        answer(id, view.packetID, reason: .success, at: now, operations: &operations)
      }
      return .goOn
    case .noMemory:
      connections[id].session.takeBackPublish(view.qos)
      pauseAll(at: now, operations: &operations)
      return .stopBefore
    }
  }

  /// The planted fault: the newest answer is made ready although its record is not safe.
  private mutating func answerBeforeSafe(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    let newest = connections[id].answers.nextSequence &- 1
    connections[id].answers.markReady(sequence: newest, reason: 0)
    sendAnswers(id, at: now, operations: &operations)
  }

  private static let topicAttribute = Array("mqtt.topic".utf8)

  /// What became of a message.
  enum TakenIn {
    case appended(isAwaited: Bool)
    case unrouted
    case refused(RouteRefusal)
    case tooManyProperties
    case tooLarge
    /// The disk is full, or fails, and the broker does not take records.
    case noSpace
    /// The same, and the sender is told that all is well.
    case dropped
    case noMemory
  }

  /// Makes a message a record in the open batch of its lane. `fields` has the attributes that are
  /// the sender's own.
  mutating func takeIn(
    _ view: borrowing PublishView, from clientID: RawSpan, sender: UInt64, source: RecordSource,
    _ fields: inout RouteFields, at now: Instant
  ) -> TakenIn {
    guard let match = router.firstMatch(.mqtt, view.topic) else { return .unrouted }
    RecordFields.appendAttribute(Self.topicAttribute.span, view.topic, to: &fields.attributes)
    fields.attributes.append(
      contentsOf: flags.bytes(
        qos: view.qos.rawValue, retain: view.isRetained, dup: view.isDuplicate))
    if !view.properties.isEmpty,
      !MessageAttributes.append(view.properties, to: &fields.attributes)
    {
      return .tooManyProperties
    }
    let resolution = router.resolve(
      match, subject: view.topic, values: MQTTValues(clientID: clientID), sender: sender,
      into: &fields)
    guard case .lane(let lane) = resolution else {
      guard case .refused(let refusal) = resolution else { return .refused(.missingValue) }
      return .refused(refusal)
    }
    if lanes.isRefusing(lane.lane) {
      guard dropsNewest else { return .noSpace }
      metrics.dropped(.noSpace).add(1)
      return .dropped
    }
    recordIDs.append(to: &fields.attributes)
    let isAwaited = lane.acknowledgement != .received
    let pieces = RecordPieces(
      prefix: fields.prefix.bytes, attributes: fields.attributes.bytes,
      routingKey: fields.key.bytes, payload: view.payload,
      publishTimeMilliseconds: unixMilliseconds, keyHash: lane.orderHash,
      source: isAwaited || source == .none ? source : .answered)
    if pieces.bodyBytes > BatchStore.maximumBodyBytes { return .tooLarge }
    guard append(pieces, to: lane, at: now) else { return .noMemory }
    metrics.route(match.index).records.add(1)
    metrics.route(match.index).payloadBytes.add(UInt64(view.payload.byteCount))
    return .appended(isAwaited: isAwaited)
  }

  /// Whether a route takes the topic.
  func hasRoute(_ topic: RawSpan) -> Bool { router.firstMatch(.mqtt, topic) != nil }

  /// Counts a message that no route takes.
  mutating func noteUnrouted(_ topic: RawSpan, peer: SocketAddress) {
    _ = unrouted.note(topic)
    note(
      .unrouted, "no route takes the topic", peer: peer, subject: shortText(topic, limit: 64))
  }

  /// No route takes the topic. As MQTT means it that is no error, unless the site says so.
  private mutating func unrouted(
    _ id: SlotID, _ view: borrowing PublishView, at now: Instant,
    operations: inout OperationQueue
  ) -> Next {
    noteUnrouted(view.topic, peer: connections[id].peer)
    switch unroutedPolicy {
    case .accept:
      metrics.dropped(.noRoute).add(1)
      if view.qos != .atMostOnce {
        let reason: ReasonCode =
          connections[id].session.version == .v5 ? .noMatchingSubscribers : .success
        answer(id, view.packetID, reason: reason, at: now, operations: &operations)
      }
      return .goOn
    case .reject:
      metrics.refused(.noRoute).add(1)
      return refuse(
        id, view, reason: .topicNameInvalid, text: "no route takes the topic", at: now,
        operations: &operations)
    }
  }

  /// There is no space on the disk for a message, and the broker does not take it.
  ///
  /// MQTT 3.1.1 has no way to say so: nothing is read from the device until there is space.
  private mutating func noSpace(
    _ id: SlotID, _ view: borrowing PublishView, at now: Instant,
    operations: inout OperationQueue
  ) -> Next {
    if view.qos == .atMostOnce || connections[id].session.version == .v5 {
      metrics.refused(.noSpace).add(1)
      if view.qos != .atMostOnce {
        answer(id, view.packetID, reason: .quotaExceeded, at: now, operations: &operations)
      }
      return .goOn
    }
    connections[id].session.takeBackPublish(view.qos)
    connections[id].waitsForSpace = true
    pause(id, at: now, operations: &operations)
    timers.schedule(
      token(Verb.spaceAgain, id), at: now.advanced(milliseconds: Self.spaceRetryMilliseconds))
    return .stopBefore
  }

  /// How long a connection that waits for space waits until it looks again.
  private static var spaceRetryMilliseconds: Int { 250 }

  /// Lets a connection that waits for space try again.
  mutating func trySpaceAgain(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    guard connections.contains(id), connections[id].waitsForSpace else { return }
    connections[id].waitsForSpace = false
    resume(id, at: now, operations: &operations)
  }

  /// Says no to one message; on MQTT 3.1.1 that is only possible by ending the connection.
  private mutating func refuse(
    _ id: SlotID, _ view: borrowing PublishView, reason: ReasonCode, text: StaticString,
    at now: Instant, operations: inout OperationQueue
  ) -> Next {
    if connections[id].session.version == .v5 {
      if view.qos != .atMostOnce {
        answer(id, view.packetID, reason: reason, at: now, operations: &operations)
      }
      return .goOn
    }
    metrics.disconnects(.refused).add(1)
    note(.limitReached, text, peer: connections[id].peer, subject: clientText(id))
    disconnect(id, reason: reason, at: now, operations: &operations)
    return .stopAfter
  }

  /// Answers at once, though behind what is owed already [MQTT-4.6.0-2].
  private mutating func answer(
    _ id: SlotID, _ packetID: UInt16, reason: ReasonCode, at now: Instant,
    operations: inout OperationQueue
  ) {
    connections[id].answers.appendReady(packetID: packetID, reason: reason.rawValue)
    sendAnswers(id, at: now, operations: &operations)
  }
}
