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
      metrics.mqtt.payloadFormatsRefused.add(1)
      return refuse(
        id, view, reason: .payloadFormatInvalid, text: "the payload is not UTF-8 as it says",
        at: now, operations: &operations)
    }
    let source =
      view.qos == .atMostOnce
      ? RecordSource.none
      : RecordSource(
        index: id.index, generation: id.generation,
        sequence: connections[id].answers.nextSequence)
    let sender = Sender(
      clientID: connections[id].clientID, clientAttribute: connections[id].clientAttribute,
      source: source)
    switch takeIn(view, from: sender, at: now) {
    case .appended:
      if view.qos != .atMostOnce {
        connections[id].answers.appendWaiting(packetID: view.packetID)
        if answersBeforeSafe { answerBeforeSafe(id, at: now, operations: &operations) }
      }
      return .goOn
    case .unrouted: return unrouted(id, view, at: now, operations: &operations)
    case .tooLarge:
      return refuse(
        id, view, reason: .implementationSpecificError,
        text: "the record is larger than Danube takes", at: now, operations: &operations)
    case .tooManyProperties:
      return refuse(
        id, view, reason: .quotaExceeded,
        text: "the message has too many properties, or too large ones", at: now,
        operations: &operations)
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

  /// Who sends a message.
  struct Sender {
    let clientID: [UInt8]
    /// The attribute `mqtt.client_id`, encoded.
    let clientAttribute: [UInt8]
    /// Who waits for the answer.
    let source: RecordSource
  }

  /// What became of a message.
  enum TakenIn {
    case appended
    case unrouted
    case tooLarge
    case tooManyProperties
    case noMemory
  }

  /// Makes a message a record in the open batch of its lane.
  mutating func takeIn(
    _ view: borrowing PublishView, from sender: borrowing Sender, at now: Instant
  ) -> TakenIn {
    guard let (index, captures) = router.firstMatch(view.topic) else { return .unrouted }
    // Taken out while spans of it are held, because appending changes the rest of `self`.
    var fields = RouteFields()
    swap(&fields, &routeFields)
    defer { swap(&fields, &routeFields) }
    guard expand(view, from: sender, route: index, captures: captures, into: &fields) else {
      metrics.mqtt.propertiesRefused.add(1)
      return .tooManyProperties
    }
    let result = append(
      view, route: index, attributes: fields.attributes.bytes, key: fields.key.bytes,
      source: sender.source, at: now)
    switch result {
    case .appended:
      metrics.records.add(1)
      metrics.payloadBytes.add(UInt64(view.payload.byteCount))
    case .tooLarge: metrics.recordsTooLarge.add(1)
    default: break
    }
    return result
  }

  /// Writes the attributes and the key that the route gives to this message; false where its
  /// properties are too many or too large.
  private mutating func expand(
    _ view: borrowing PublishView, from sender: borrowing Sender, route index: Int,
    captures: TopicFilter.Captures, into fields: inout RouteFields
  ) -> Bool {
    fields.attributes.removeAll()
    fields.key.removeAll()
    RecordFields.appendAttribute(Self.topicAttribute.span, view.topic, to: &fields.attributes)
    fields.attributes.append(
      contentsOf: flags.bytes(
        qos: view.qos.rawValue, retain: view.isRetained, dup: view.isDuplicate))
    fields.attributes.append(contentsOf: sender.clientAttribute)
    guard MessageAttributes.append(view.properties, to: &fields.attributes) else { return false }
    router.appendAttributes(
      of: index, captures: captures, clientID: sender.clientID.rawBytes, topic: view.topic,
      to: &fields.attributes)
    router.appendKey(
      of: index, captures: captures, clientID: sender.clientID.rawBytes, topic: view.topic,
      to: &fields.key)
    return true
  }

  private static let topicAttribute = Array("mqtt.topic".utf8)

  private mutating func append(
    _ view: borrowing PublishView, route index: Int, attributes: RawSpan, key: RawSpan,
    source: RecordSource, at now: Instant
  ) -> TakenIn {
    var hash = FNV1a()
    hash.combine(key)
    let lane = router.routes[index].lane
    let prefix = router.routes[index].prefix
    let pieces = RecordPieces(
      prefix: prefix.rawBytes, attributes: attributes, routingKey: key, payload: view.payload,
      publishTimeMilliseconds: unixMilliseconds, keyHash: hash.value, source: source)
    if pieces.bodyBytes > BatchStore.maximumBodyBytes { return .tooLarge }
    return batcher.append(pieces, to: lane, at: now) == nil ? .noMemory : .appended
  }

  /// Whether a route takes the topic.
  func hasRoute(_ topic: RawSpan) -> Bool { router.firstMatch(topic) != nil }

  /// Counts a message that no route takes.
  mutating func noteUnrouted(_ topic: RawSpan, peer: SocketAddress) {
    metrics.unrouted.add(1)
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
      if view.qos != .atMostOnce {
        let reason: ReasonCode =
          connections[id].session.version == .v5 ? .noMatchingSubscribers : .success
        answer(id, view.packetID, reason: reason, at: now, operations: &operations)
      }
      return .goOn
    case .reject:
      return refuse(
        id, view, reason: .topicNameInvalid, text: "no route takes the topic", at: now,
        operations: &operations)
    }
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
