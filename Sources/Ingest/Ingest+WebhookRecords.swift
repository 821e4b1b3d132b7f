import Bytes
import HTTP1
import IOPort
import Metrics
import Records
import Settings

// From a webhook's request to a record in the open batch of its lane.
extension Ingest {
  private static let endpointName = Array("webhook.endpoint".utf8)
  private static let timestampName = Array("webhook.timestamp".utf8)
  private static let ipName = Array("webhook.ip".utf8)
  private static let userAgentName = Array("webhook.user_agent".utf8)
  private static let contentTypeName = Array("webhook.content_type".utf8)

  private enum Appended {
    case appended(LaneID, isAwaited: Bool)
    case refused(WebhookOutcome)
    case noMemory
  }

  /// Whether a route takes the path; if not it is noted.
  mutating func hasRoute(_ id: SlotID, _ head: borrowing RequestHead) -> Bool {
    if router.firstMatch(.webhook, head.path) != nil { return true }
    _ = unrouted.note(head.path)
    note(
      .unrouted, "no route takes the path", peer: connections[id].peer,
      subject: shortText(head.path, limit: 64))
    return false
  }

  /// The request is complete. Without memory for its record it is kept; when `isKept`, it is.
  mutating func conclude(
    _ id: SlotID, _ head: borrowing RequestHead, _ headSpan: RawSpan, body: RawSpan, isKept: Bool,
    at now: Instant, operations: inout OperationQueue
  ) {
    switch append(id, head, body: body, at: now) {
    case .appended(let lane, let isAwaited):
      connections[id].webhook.reply.lane = lane
      accepted(id, isAwaited: isAwaited, at: now, operations: &operations)
    case .refused(let outcome):
      requestEnded(id)
      reply(id, outcome, at: now, operations: &operations)
    case .noMemory:
      let since = connections[id].webhook.blockedSince ?? now
      let limit = since.advanced(milliseconds: maxPauseMilliseconds(id))
      if now >= limit || isRefusing(id, at: now) {
        requestEnded(id)
        reply(id, .noMemory, at: now, operations: &operations)
        return
      }
      connections[id].webhook.blockedSince = since
      connections[id].webhook.stage = .complete
      connections[id].webhook.headBytes = headSpan.byteCount
      if !isKept {
        keepOrRefuse(id, headSpan, at: now, operations: &operations)
        guard isHeard(id), connections[id].webhook.stage == .complete else { return }
        keepOrRefuse(id, body, at: now, operations: &operations)
        guard isHeard(id), connections[id].webhook.stage == .complete else { return }
      }
      pauseAll(at: now, operations: &operations)
    }
  }

  /// The request in the connection's input is complete.
  mutating func concludeKept(_ id: SlotID, at now: Instant, operations: inout OperationQueue) {
    // Taken out while it is read, because what follows changes the connection.
    var input = GrowableBytes()
    swap(&input, &connections[id].input)
    readKept(id, input.bytes, at: now, operations: &operations)
    guard isHeard(id) else { return }
    if connections[id].webhook.stage == .complete {
      swap(&input, &connections[id].input)
    } else {
      input.removeAll()
      resize(&input, to: 0)
    }
    count(id)
  }

  private mutating func readKept(
    _ id: SlotID, _ bytes: RawSpan, at now: Instant, operations: inout OperationQueue
  ) {
    let headBytes = connections[id].webhook.headBytes
    let headSpan = bytes.extracting(0..<headBytes)
    do throws(HTTP1Error) {
      try webhooks.parser.parse(headSpan, limits: requestLimits(id))
    } catch {
      malformed(id, error, at: now, operations: &operations)
      return
    }
    let head = webhooks.parser.head(in: headSpan)
    conclude(
      id, head, headSpan, body: bytes.extracting(droppingFirst: headBytes), isKept: true, at: now,
      operations: &operations)
  }

  /// The record is in a batch: the answer follows when it is safe.
  private mutating func accepted(
    _ id: SlotID, isAwaited: Bool, at now: Instant, operations: inout OperationQueue
  ) {
    requestEnded(id)
    connections[id].webhook.reply.since = now
    if !isAwaited || answersBeforeSafe {
      reply(id, .accepted, at: now, operations: &operations)
      return
    }
    connections[id].webhook.replies.append(connections[id].webhook.reply)
    connections[id].answers.appendWaiting(packetID: 0)
    if connections[id].webhook.reply.isLast { finishWebhook(id) }
    scheduleWebhook(id, at: now)
  }

  private mutating func append(
    _ id: SlotID, _ head: borrowing RequestHead, body: RawSpan, at now: Instant
  ) -> Appended {
    guard let match = router.firstMatch(.webhook, head.path) else { return .refused(.noRoute) }
    // Taken out while spans of it are held, because appending changes the rest of `self`.
    var fields = RouteFields()
    swap(&fields, &routeFields)
    defer { swap(&fields, &routeFields) }
    fields.attributes.removeAll()
    appendAttributes(id, head, to: &fields.attributes)
    let resolution = router.resolve(
      match, subject: head.path, values: head, sender: id.sender, into: &fields)
    guard case .lane(let lane) = resolution else {
      guard case .refused(let refusal) = resolution else { return .refused(.invalidTopic) }
      count(refusal, peer: connections[id].peer, subject: head.path)
      return .refused(refusal == .tooManyTopics ? .tooManyTopics : .invalidTopic)
    }
    if lanes.isRefusing(lane.lane) {
      guard dropsNewest else { return .refused(.noSpace) }
      metrics.dropped(.noSpace).add(1)
      return .appended(lane.lane, isAwaited: false)
    }
    recordIDs.append(to: &fields.attributes)
    let isAwaited = lane.acknowledgement != .received
    let pieces = RecordPieces(
      prefix: fields.prefix.bytes, attributes: fields.attributes.bytes,
      routingKey: fields.key.bytes, payload: body, publishTimeMilliseconds: unixMilliseconds,
      keyHash: lane.orderHash, source: isAwaited ? nextSource(of: id) : .answered)
    if pieces.bodyBytes > BatchStore.maximumBodyBytes { return .refused(.recordTooLarge) }
    guard append(pieces, to: lane, at: now) else { return .noMemory }
    metrics.route(match.index).records.add(1)
    metrics.route(match.index).payloadBytes.add(UInt64(body.byteCount))
    metrics.webhooks.bodyBytes.add(UInt64(body.byteCount))
    return .appended(lane.lane, isAwaited: isAwaited)
  }

  /// Appends the attributes that every webhook's record has.
  private mutating func appendAttributes(
    _ id: SlotID, _ head: borrowing RequestHead, to output: inout GrowableBytes
  ) {
    output.append(contentsOf: webhooks.sourceAttribute)
    RecordFields.appendAttribute(Self.endpointName.span, head.path, to: &output)
    webhooks.text.removeAll()
    webhooks.clock.appendTimestamp(to: &webhooks.text)
    RecordFields.appendAttribute(Self.timestampName.span, webhooks.text.bytes, to: &output)
    if connections[id].webhook.isTrustedPeer {
      let listener = connections[id].listener
      let client = listeners[listener].trustedProxies.client(
        of: head, peer: connections[id].peer)
      webhooks.text.removeAll()
      webhooks.text.append(contentsOf: Array(client.canonicalHost.utf8))
      RecordFields.appendAttribute(Self.ipName.span, webhooks.text.bytes, to: &output)
    } else {
      output.append(contentsOf: connections[id].webhook.peerAttribute)
    }
    if let value = head.value(of: "user-agent") {
      appendText(Self.userAgentName.span, value, to: &output)
    }
    if let value = head.value(of: "content-type") {
      appendText(Self.contentTypeName.span, value, to: &output)
    }
  }

  /// Appends an attribute with the value of a field. An attribute is UTF-8, a field need not be.
  private mutating func appendText(
    _ name: Span<UInt8>, _ value: RawSpan, to output: inout GrowableBytes
  ) {
    if value.isASCII {
      RecordFields.appendAttribute(name, value, to: &output)
      return
    }
    webhooks.text.removeAll()
    webhooks.text.append(contentsOf: Array(shortText(value, limit: .max).utf8))
    RecordFields.appendAttribute(name, webhooks.text.bytes, to: &output)
  }
}

extension RequestHead: TemplateValues {
  func append(_ field: TemplateField, name: RawSpan, to output: inout GrowableBytes) -> Bool {
    switch field {
    case .clientID: return false
    case .header:
      for index in 0..<fieldCount where isField(at: index, named: name) {
        output.append(fieldValue(at: index))
        return true
      }
      return false
    case .query:
      guard let value = queryValue(of: name) else { return false }
      PercentEncoding.decode(value, isQuery: true, into: &output)
      return true
    }
  }
}
