import Bytes
import HTTP1
import IOPort
import Metrics
import Settings

// Webhooks: from received bytes to requests (RFC 9112).
//
// A request that lies whole in the bytes received is read there, and its body is copied once: into
// its record. Of others the head and the body are gathered in the connection's input, without the
// framing of chunks, within the memory that all inputs share.
extension Ingest {
  mutating func openWebhook(_ id: SlotID, at now: Instant) {
    connections[id].phase = .open
    let peer = connections[id].peer
    var attribute = GrowableBytes()
    RecordFields.appendAttribute("webhook.ip", Array(peer.canonicalHost.utf8), to: &attribute)
    connections[id].webhook.peerAttribute = RecordFields.array(attribute.bytes)
    connections[id].webhook.isTrustedPeer =
      listeners[connections[id].listener].trustedProxies.contains(peer)
    scheduleWebhook(id, at: now)
  }

  mutating func receivedWebhook(
    _ id: SlotID, _ bytes: RawSpan, at now: Instant, operations: inout OperationQueue
  ) {
    let used = takeRequests(id, bytes, at: now, operations: &operations)
    guard isHeard(id), connections[id].webhook.stage != .finished else { return }
    if used < bytes.byteCount {
      keepBacklog(id, bytes.extracting(droppingFirst: used), at: now, operations: &operations)
    }
  }

  /// Takes requests as far as they go, and returns how many bytes they were.
  mutating func takeRequests(
    _ id: SlotID, _ bytes: RawSpan, at now: Instant, operations: inout OperationQueue
  ) -> Int {
    var used = 0
    while used < bytes.byteCount, isReading(id) {
      let rest = bytes.extracting(droppingFirst: used)
      switch connections[id].webhook.stage {
      case .head:
        let isNext = connections[id].webhook.scanner.scannedBytes == 0
        if isNext, mustWait(id) {
          pause(id, at: now, operations: &operations)
          return used
        }
        used += takeHead(id, rest, at: now, operations: &operations)
      case .body: used += takeBody(id, rest, at: now, operations: &operations)
      case .unwantedBody: used += skipBody(id, rest, at: now, operations: &operations)
      case .complete: return used
      case .finished: return bytes.byteCount
      }
    }
    return used
  }

  /// Takes bytes of a head, and of the body behind it when that is complete.
  private mutating func takeHead(
    _ id: SlotID, _ bytes: RawSpan, at now: Instant, operations: inout OperationQueue
  ) -> Int {
    let limits = requestLimits(id)
    let before = connections[id].webhook.scanner.scannedBytes
    let outcome = connections[id].webhook.scanner.scan(bytes, limits: limits)
    if before == 0 {
      connections[id].webhook.requestStarted = now
      scheduleWebhook(id, at: now)
    }
    switch outcome {
    case .failed(let error):
      malformed(id, error, at: now, operations: &operations)
      return bytes.byteCount
    case .incomplete:
      keepOrRefuse(id, bytes, at: now, operations: &operations)
      return bytes.byteCount
    case .complete(let start, let end):
      connections[id].webhook.scanner = HeadScanner()
      if before == 0 {
        let used = beginRequest(
          id, bytes.extracting(droppingFirst: start), headBytes: end - start, isKept: false,
          at: now, operations: &operations)
        return start + used
      }
      let rest = end - before
      keepOrRefuse(id, bytes.extracting(0..<rest), at: now, operations: &operations)
      guard isHeard(id), connections[id].webhook.stage == .head else { return bytes.byteCount }
      beginKeptRequest(id, start: start, at: now, operations: &operations)
      return rest
    }
  }

  /// The head in the connection's input is complete.
  private mutating func beginKeptRequest(
    _ id: SlotID, start: Int, at now: Instant, operations: inout OperationQueue
  ) {
    // Taken out while it is read, because what follows changes the connection.
    var input = GrowableBytes()
    swap(&input, &connections[id].input)
    input.removeFirst(start)
    _ = beginRequest(
      id, input.bytes, headBytes: input.count, isKept: true, at: now, operations: &operations)
    guard isHeard(id) else { return }
    switch connections[id].webhook.stage {
    case .body, .complete:
      swap(&input, &connections[id].input)
      count(id)
      awaitBody(id, at: now, operations: &operations)
    case .head, .unwantedBody, .finished:
      input.removeAll()
      resize(&input, to: 0)
      count(id)
    }
  }

  /// A head is complete at the front of `bytes`; when `isKept`, these are the connection's input.
  /// Returns how many bytes were used, the head's at least.
  private mutating func beginRequest(
    _ id: SlotID, _ bytes: RawSpan, headBytes: Int, isKept: Bool, at now: Instant,
    operations: inout OperationQueue
  ) -> Int {
    let headSpan = bytes.extracting(0..<headBytes)
    do throws(HTTP1Error) {
      try webhooks.parser.parse(headSpan, limits: requestLimits(id))
    } catch {
      malformed(id, error, at: now, operations: &operations)
      return bytes.byteCount
    }
    let head = webhooks.parser.head(in: headSpan)
    connections[id].webhook.reply = WebhookReply(head, since: now)
    if let outcome = refusal(of: head, id, at: now) {
      refuseRequest(id, head, outcome, at: now, operations: &operations)
      return headBytes
    }
    let body = bytes.extracting(droppingFirst: headBytes)
    switch head.framing {
    case .none:
      conclude(
        id, head, headSpan, body: RawSpan(), isKept: isKept, at: now, operations: &operations)
      return headBytes
    case .length(let length) where length <= body.byteCount:
      conclude(
        id, head, headSpan, body: body.extracting(0..<length), isKept: isKept, at: now,
        operations: &operations)
      return headBytes + length
    case .chunked:
      let used = takeWholeChunks(id, head, headSpan, body, at: now, operations: &operations)
      if let used { return headBytes + used }
    case .length: break
    }
    connections[id].webhook.stage = .body
    connections[id].webhook.headBytes = headBytes
    connections[id].webhook.decoder = BodyDecoder(
      framing: head.framing, maximumBytes: requestLimits(id).bodyBytes)
    connections[id].webhook.owesContinue = head.expectsContinue && body.byteCount == 0
    if case .length(let length) = head.framing {
      connections[id].expectedBytes = headBytes + length
    }
    if !isKept {
      keepOrRefuse(id, headSpan, at: now, operations: &operations)
      awaitBody(id, at: now, operations: &operations)
    }
    return headBytes
  }

  /// Why a request is refused by its head alone; nil when its body is wanted.
  private mutating func refusal(
    of head: borrowing RequestHead, _ id: SlotID, at now: Instant
  ) -> WebhookOutcome? {
    if !hasRoute(id, head) { return .noRoute }
    if head.method != .post { return .wrongMethod }
    return isRefusing(id, at: now) ? .noMemory : nil
  }

  /// Whether requests are refused because memory for records has been used up for longer than they
  /// are to wait.
  func isRefusing(_ id: SlotID, at now: Instant) -> Bool {
    guard let exhaustedSince, connections[id].kind == .webhook else { return false }
    return now >= exhaustedSince.advanced(milliseconds: maxPauseMilliseconds(id))
  }

  func requestLimits(_ id: SlotID) -> RequestLimits {
    listeners[connections[id].listener].requestLimits
  }

  /// Nothing can be read any more: where the next request would start is not known.
  mutating func malformed(
    _ id: SlotID, _ error: HTTP1Error, at now: Instant, operations: inout OperationQueue
  ) {
    let outcome = WebhookOutcome(error)
    note(.badRequest, outcome.text, peer: connections[id].peer, subject: "\(error)")
    connections[id].webhook.reply = WebhookReply(since: now)
    endRequests(id, outcome, for: .badRequest, at: now, operations: &operations)
  }

  /// Keeps bytes of the request at hand; without memory for them it is refused.
  mutating func keepOrRefuse(
    _ id: SlotID, _ bytes: RawSpan, at now: Instant, operations: inout OperationQueue
  ) {
    guard makeRoom(id, for: bytes.byteCount) else {
      endRequests(id, .noMemory, for: .inputMemory, at: now, operations: &operations)
      return
    }
    connections[id].input.append(bytes)
    count(id)
  }

  /// Keeps bytes that can't be taken now.
  private mutating func keepBacklog(
    _ id: SlotID, _ bytes: RawSpan, at now: Instant, operations: inout OperationQueue
  ) {
    let needed = connections[id].webhook.backlog.count + bytes.byteCount
    let capacity = connections[id].webhook.backlog.capacity
    let growth = max(InputMemory.capacity(for: needed) - capacity, 0)
    guard looseBytes + growth <= looseLimit(id) else {
      endRequests(id, .noMemory, for: .inputMemory, at: now, operations: &operations)
      return
    }
    if growth > 0 { resizeBacklog(id, to: needed) }
    connections[id].webhook.backlog.reserveWithin(bytes.byteCount)
    connections[id].webhook.backlog.append(bytes)
    count(id)
  }

  /// Goes on with what was kept: the complete request first, then the backlog.
  mutating func processWebhookInput(
    _ id: SlotID, at now: Instant, operations: inout OperationQueue
  ) {
    if connections[id].webhook.stage == .complete {
      concludeKept(id, at: now, operations: &operations)
      guard isReading(id) else { return }
    }
    guard !connections[id].webhook.backlog.isEmpty else { return }
    var backlog = GrowableBytes()
    swap(&backlog, &connections[id].webhook.backlog)
    count(id)
    let used = takeRequests(id, backlog.bytes, at: now, operations: &operations)
    guard isHeard(id), connections[id].webhook.stage != .finished else { return }
    if used < backlog.count {
      backlog.removeFirst(used)
      resize(&backlog, to: 0)
      swap(&backlog, &connections[id].webhook.backlog)
    } else {
      backlog.removeAll()
      resize(&backlog, to: 0)
    }
    count(id)
  }
}
