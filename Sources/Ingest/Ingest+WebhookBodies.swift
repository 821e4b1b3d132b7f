import Bytes
import HTTP1
import IOPort

// The bodies of webhooks' requests.
extension Ingest {
  /// A body that nobody needs is read to its end up to so many bytes, so that the connection can
  /// go on; for a longer one it ends.
  private static var unwantedBytes: Int { 64 << 10 }
  /// A chunked body that is larger reserves memory for the largest one.
  private static var smallBodyBytes: Int { 16 << 10 }

  /// Takes a chunked body that is complete in `bytes`, and returns how many bytes it was; nil when
  /// it isn't complete.
  mutating func takeWholeChunks(
    _ id: SlotID, _ head: borrowing RequestHead, _ headSpan: RawSpan, _ bytes: RawSpan,
    at now: Instant, operations: inout OperationQueue
  ) -> Int? {
    var decoder = BodyDecoder(framing: .chunked, maximumBytes: requestLimits(id).bodyBytes)
    var gathered = GrowableBytes()
    swap(&gathered, &webhooks.gathered)
    gathered.removeAll(keepingCapacityUpTo: 64 << 10)
    defer { swap(&gathered, &webhooks.gathered) }
    var offset = 0
    do throws(HTTP1Error) {
      while !decoder.isComplete {
        let rest = bytes.extracting(droppingFirst: offset)
        let piece = try decoder.decode(rest)
        if piece.length > 0 { gathered.append(rest.extracting(piece.offset..<piece.consumed)) }
        offset += piece.consumed
        if piece.consumed == 0 || offset == bytes.byteCount { break }
      }
    } catch {
      malformed(id, error, at: now, operations: &operations)
      return bytes.byteCount
    }
    guard decoder.isComplete else { return nil }
    conclude(
      id, head, headSpan, body: gathered.bytes, isKept: false, at: now, operations: &operations)
    return offset
  }

  /// Takes bytes of a body that is kept in the connection's input.
  mutating func takeBody(
    _ id: SlotID, _ bytes: RawSpan, at now: Instant, operations: inout OperationQueue
  ) -> Int {
    connections[id].webhook.owesContinue = false
    var decoder = connections[id].webhook.decoder
    var offset = 0
    do throws(HTTP1Error) {
      while offset < bytes.byteCount, !decoder.isComplete {
        let rest = bytes.extracting(droppingFirst: offset)
        let piece = try decoder.decode(rest)
        if piece.length > 0 {
          keepOrRefuse(
            id, rest.extracting(piece.offset..<piece.consumed), at: now, operations: &operations)
          guard isHeard(id), connections[id].webhook.stage == .body else { return bytes.byteCount }
        }
        offset += piece.consumed
      }
    } catch {
      malformed(id, error, at: now, operations: &operations)
      return bytes.byteCount
    }
    connections[id].webhook.decoder = decoder
    if decoder.isComplete {
      concludeKept(id, at: now, operations: &operations)
      return offset
    }
    let bodyBytes = connections[id].input.count - connections[id].webhook.headBytes
    if connections[id].expectedBytes == 0, bodyBytes > Self.smallBodyBytes {
      // Its size is not known: only memory for the largest one is sure to be enough.
      connections[id].expectedBytes =
        connections[id].webhook.headBytes + requestLimits(id).bodyBytes
      awaitBody(id, at: now, operations: &operations)
    }
    return offset
  }

  /// Sees to memory for the body, and tells a client that waits for that to send it.
  mutating func awaitBody(_ id: SlotID, at now: Instant, operations: inout OperationQueue) {
    guard isHeard(id), connections[id].webhook.stage == .body else { return }
    provide(id, at: now, operations: &operations)
    sendContinue(id)
  }

  /// `100 Continue`, when it is the next thing to say and there is memory for the body.
  mutating func sendContinue(_ id: SlotID) {
    guard connections[id].webhook.owesContinue, connections[id].webhook.stage == .body,
      isReading(id), connections[id].answers.isEmpty
    else { return }
    connections[id].webhook.owesContinue = false
    connections[id].outbox.write { ResponseHead.writeContinue(into: &$0) }
    markDirty(id)
  }

  /// Refuses a request by its head. Its body is passed over where that is short and sure to come.
  mutating func refuseRequest(
    _ id: SlotID, _ head: borrowing RequestHead, _ outcome: WebhookOutcome, at now: Instant,
    operations: inout OperationQueue
  ) {
    let limit = min(Self.unwantedBytes, requestLimits(id).bodyBytes)
    switch head.framing {
    case .none:
      requestEnded(id)
      reply(id, outcome, at: now, operations: &operations)
      return
    case .length(let length) where length > limit: break
    case .length, .chunked:
      // Who expects a 100 may leave the body out now, or not (RFC 9110 §10.1.1).
      if head.expectsContinue { break }
      connections[id].webhook.stage = .unwantedBody
      connections[id].webhook.refusal = outcome
      connections[id].webhook.decoder = BodyDecoder(framing: head.framing, maximumBytes: limit)
      return
    }
    endRequests(id, outcome, for: .badRequest, at: now, operations: &operations)
  }

  /// Passes over bytes of a body that nobody needs.
  mutating func skipBody(
    _ id: SlotID, _ bytes: RawSpan, at now: Instant, operations: inout OperationQueue
  ) -> Int {
    let outcome = connections[id].webhook.refusal
    var decoder = connections[id].webhook.decoder
    var offset = 0
    do throws(HTTP1Error) {
      while offset < bytes.byteCount, !decoder.isComplete {
        offset += try decoder.decode(bytes.extracting(droppingFirst: offset)).consumed
      }
    } catch {
      endRequests(id, outcome, for: .badRequest, at: now, operations: &operations)
      return bytes.byteCount
    }
    connections[id].webhook.decoder = decoder
    if decoder.isComplete {
      requestEnded(id)
      reply(id, outcome, at: now, operations: &operations)
    }
    return offset
  }

  /// The request at hand is over: the next bytes are a head.
  mutating func requestEnded(_ id: SlotID) {
    connections[id].webhook.stage = .head
    connections[id].webhook.requestStarted = nil
    connections[id].webhook.blockedSince = nil
    connections[id].webhook.owesContinue = false
    connections[id].webhook.headBytes = 0
    connections[id].expectedBytes = 0
    connections[id].madeProgress = true
    giveBackReservation(id)
    resizeInput(id, to: 0)
  }
}
