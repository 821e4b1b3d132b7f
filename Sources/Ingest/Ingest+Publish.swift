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
    guard let (index, captures) = router.firstMatch(view.topic) else {
      return unrouted(id, view, at: now, operations: &operations)
    }
    // Taken out while spans of it are held, because appending changes the rest of `self`.
    var fields = RouteFields()
    swap(&fields, &routeFields)
    expand(id, view, route: index, captures: captures, into: &fields)
    let result = append(
      id, view, route: index, attributes: fields.attributes.bytes, key: fields.key.bytes, at: now)
    swap(&fields, &routeFields)
    switch result {
    case .appended:
      metrics.route(index).records.add(1)
      metrics.route(index).payloadBytes.add(UInt64(view.payload.byteCount))
      if view.qos != .atMostOnce {
        connections[id].answers.appendWaiting(packetID: view.packetID)
        if answersBeforeSafe { answerBeforeSafe(id, at: now, operations: &operations) }
      }
      return .goOn
    case .tooLarge:
      metrics.refused(.tooLarge).add(1)
      return refuse(
        id, view, reason: .implementationSpecificError,
        text: "the record is larger than Danube takes", at: now, operations: &operations)
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

  /// Writes the attributes and the key that the route gives to this message.
  private mutating func expand(
    _ id: SlotID, _ view: borrowing PublishView, route index: Int,
    captures: TopicFilter.Captures, into fields: inout RouteFields
  ) {
    fields.attributes.removeAll()
    fields.key.removeAll()
    RecordFields.appendAttribute(Self.topicAttribute.span, view.topic, to: &fields.attributes)
    fields.attributes.append(
      contentsOf: flags.bytes(
        qos: view.qos.rawValue, retain: view.isRetained, dup: view.isDuplicate))
    fields.attributes.append(contentsOf: connections[id].clientAttribute)
    let clientID = connections[id].clientID
    unsafe router.appendAttributes(
      of: index, captures: captures, clientID: clientID.span.bytes, topic: view.topic,
      to: &fields.attributes)
    unsafe router.appendKey(
      of: index, captures: captures, clientID: clientID.span.bytes, topic: view.topic,
      to: &fields.key)
  }

  private static let topicAttribute = Array("mqtt.topic".utf8)

  private enum Appended {
    case appended
    case tooLarge
    case noMemory
  }

  private mutating func append(
    _ id: SlotID, _ view: borrowing PublishView, route index: Int, attributes: RawSpan,
    key: RawSpan, at now: Instant
  ) -> Appended {
    var hash = FNV1a()
    hash.combine(key)
    let source =
      view.qos == .atMostOnce
      ? RecordSource.none
      : RecordSource(
        index: id.index, generation: id.generation,
        sequence: connections[id].answers.nextSequence)
    let lane = router.routes[index].lane
    let prefix = router.routes[index].prefix
    let pieces = unsafe RecordPieces(
      prefix: prefix.span.bytes, attributes: attributes, routingKey: key, payload: view.payload,
      publishTimeMilliseconds: unixMilliseconds, keyHash: hash.value, source: source)
    if pieces.bodyBytes > BatchStore.maximumBodyBytes { return .tooLarge }
    return batcher.append(pieces, to: lane, at: now) == nil ? .noMemory : .appended
  }

  /// No route takes the topic. As MQTT means it that is no error, unless the site says so.
  private mutating func unrouted(
    _ id: SlotID, _ view: borrowing PublishView, at now: Instant,
    operations: inout OperationQueue
  ) -> Next {
    _ = unrouted.note(view.topic)
    note(
      .unrouted, "no route takes the topic", peer: connections[id].peer,
      subject: shortText(view.topic, limit: 64))
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
