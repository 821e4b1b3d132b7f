internal import Bytes
internal import CNGHTTP2

/// What a ``ServerSession`` knows, reached by the library's callbacks through a pointer.
struct ServerState: ~Copyable {
  static let maximumHeaderBytes = 16 * 1024

  let connection: HTTP2Connection
  let slab: Slab
  private(set) var calls: [ServerCall] = []
  private var freeSlots: [Int] = []
  var events = EventQueue<ServerEvent>()
  private var budget: MessageReader.Budget
  let responder: Responder
  private let clientStreamingPaths: [String]
  private let streamWindowBytes: Int
  private let keepsAuthorization: Bool

  init(connection: HTTP2Connection, options: ServerSession.Options) {
    self.connection = connection
    slab = connection.slab
    budget = MessageReader.Budget(
      maximumMessageBytes: options.maximumMessageBytes,
      maximumBufferedBytes: max(options.maximumBufferedBytes, options.maximumMessageBytes))
    responder = Responder()
    clientStreamingPaths = options.clientStreamingPaths
    streamWindowBytes = options.initialStreamWindowBytes
    keepsAuthorization = options.keepsAuthorization
  }

  /// Streams that are not closed.
  var openCount: Int { calls.count - freeSlots.count }

  // MARK: What the callbacks tell

  /// A request begins.
  mutating func opened(stream: Int32) -> Int {
    let slot: Int
    if let free = freeSlots.popLast() {
      slot = free
    } else {
      slot = calls.count
      calls.append(ServerCall())
    }
    calls[slot].streamID = stream
    return slot
  }

  /// A header field or trailer. False when the list is too long: the stream is then reset.
  mutating func headerReceived(_ slot: Int, name: RawSpan, value: RawSpan) -> Bool {
    calls[slot].headerBytes += name.byteCount + value.byteCount + 32
    guard calls[slot].headerBytes <= Self.maximumHeaderBytes else { return false }
    if name.equals(":path") {
      calls[slot].path.free(in: slab)
      calls[slot].path = ReceivedMessage(
        block: SlabBlock(copying: value, in: slab), count: value.byteCount)
    } else if name.equals(":method") {
      calls[slot].isPost = value.equals("POST")
    } else if name.equals("content-type") {
      calls[slot].isGRPC = value.starts(with: "application/grpc")
    } else if name.equals("grpc-timeout") {
      calls[slot].timeoutMilliseconds = Timeout.milliseconds(parsing: value)
    } else if keepsAuthorization, name.equals("authorization") {
      authorizationReceived(slot, value)
    }
    return true
  }

  /// Keeps one, of at most the limit; several are none, for nobody knows which one counts.
  private mutating func authorizationReceived(_ slot: Int, _ value: RawSpan) {
    calls[slot].authorizationCount += 1
    calls[slot].authorization.free(in: slab)
    calls[slot].authorization = .empty
    guard calls[slot].authorizationCount == 1, value.byteCount > 0,
      value.byteCount <= ServerSession.maximumAuthorizationBytes
    else { return }
    calls[slot].authorization = ReceivedMessage(
      block: SlabBlock(copying: value, in: slab), count: value.byteCount)
  }

  /// The header block of a request is complete.
  mutating func headersEnded(_ slot: Int) {
    // gRPC over HTTP/2: a content-type that is not gRPC's is answered 415, so that other clients
    // are not led to believe in a success.
    if !calls[slot].isGRPC {
      calls[slot].isEnded = true
      responder.refuse(calls[slot].streamID, .unsupportedMediaType, on: connection)
    } else if !calls[slot].isPost {
      calls[slot].isEnded = true
      responder.refuse(calls[slot].streamID, .methodNotAllowed, on: connection)
    } else if isClientStreaming(calls[slot].path) {
      calls[slot].isStreaming = true
      calls[slot].isAnnounced = true
      let entry = EventQueue<ServerEvent>.Entry(
        event: .opened(stream: calls[slot].streamID), path: calls[slot].path,
        authorization: calls[slot].authorization,
        timeoutMilliseconds: calls[slot].timeoutMilliseconds)
      calls[slot].path = .empty
      calls[slot].authorization = .empty
      events.append(entry)
    }
  }

  private func isClientStreaming(_ path: ReceivedMessage) -> Bool {
    guard let block = path.block else { return false }
    for known in clientStreamingPaths where known.utf8.count == path.count {
      if block.starts(with: known) { return true }
    }
    return false
  }

  mutating func dataReceived(_ slot: Int, _ bytes: RawSpan) {
    var reader = ByteReader(bytes)
    // After an early failure what the client still sends is ignored.
    while !calls[slot].isEnded, !reader.isAtEnd {
      switch calls[slot].reader.read(&reader, budget: &budget, in: slab) {
      case .needMore: return
      case .message(let message): messageReceived(slot, message)
      case .compressed: fail(slot, .unimplemented, "compressed messages are not supported")
      case .malformed: fail(slot, .internalError, "the message's compression flag is invalid")
      case .tooLarge: fail(slot, .outOfRange, "the message is larger than the limit")
      case .overBudget: fail(slot, .resourceExhausted, "too many incomplete messages")
      }
    }
  }

  private mutating func messageReceived(_ slot: Int, _ message: ReceivedMessage) {
    if calls[slot].isStreaming {
      events.append(.init(event: .message(stream: calls[slot].streamID), message: message))
      return
    }
    guard calls[slot].message == nil else {
      message.free(in: slab)
      fail(slot, .internalError, "more than one request message")
      return
    }
    calls[slot].message = message
  }

  /// The client ended its direction: the request is complete.
  mutating func streamEnded(_ slot: Int) {
    calls[slot].isRequestEnded = true
    guard !calls[slot].isEnded else { return }
    if calls[slot].isStreaming, !calls[slot].reader.isInsideMessage {
      events.append(.init(event: .finished(stream: calls[slot].streamID)))
      return
    }
    guard let message = calls[slot].message, !calls[slot].reader.isInsideMessage else {
      fail(slot, .internalError, "the request message is missing or cut off")
      return
    }
    calls[slot].isAnnounced = true
    let entry = EventQueue<ServerEvent>.Entry(
      event: .call(stream: calls[slot].streamID), message: message, path: calls[slot].path,
      authorization: calls[slot].authorization,
      timeoutMilliseconds: calls[slot].timeoutMilliseconds)
    calls[slot].message = nil
    calls[slot].path = .empty
    calls[slot].authorization = .empty
    events.append(entry)
  }

  /// Lets the client send on, or not.
  func setReading(_ slot: Int, isPaused: Bool) {
    connection.setReceiveWindow(calls[slot].streamID, bytes: isPaused ? 0 : streamWindowBytes)
  }

  /// The library took the last frame of the answer.
  mutating func answered(_ slot: Int) {
    calls[slot].isAnswered = true
    // The client need not send the rest of a request that was answered early (RFC 9113 §8.1).
    if !calls[slot].isRequestEnded {
      connection.reset(calls[slot].streamID, code: NGHTTP2_NO_ERROR)
    }
  }

  mutating func streamClosed(_ slot: Int) {
    let call = calls[slot]
    if call.isAnnounced {
      let event: ServerEvent =
        call.isAnswered ? .closed(stream: call.streamID) : .cancelled(stream: call.streamID)
      events.append(.init(event: event))
    }
    release(slot)
    calls[slot] = ServerCall()
    freeSlots.append(slot)
  }

  private mutating func release(_ slot: Int) {
    calls[slot].path.free(in: slab)
    calls[slot].authorization.free(in: slab)
    calls[slot].message?.free(in: slab)
    calls[slot].statusMessage.free(in: slab)
    calls[slot].reader.removeAll(budget: &budget, in: slab)
    calls[slot].response.removeAll(in: slab)
  }

  // MARK: Answers

  /// Sends response headers, if they were not sent; false when the response has ended.
  mutating func open(_ slot: Int) -> Bool {
    guard !calls[slot].isEnded else { return false }
    if !calls[slot].isOpen {
      calls[slot].isOpen = true
      responder.open(calls[slot].streamID, slot: slot, on: connection)
    }
    return true
  }

  /// Adds a message to the response.
  mutating func send(_ slot: Int, head: RawSpan, body: RawSpan, tail: RawSpan) {
    guard open(slot) else { return }
    calls[slot].response.append(head: head, body: body, tail: tail, in: slab)
    connection.resume(calls[slot].streamID)
  }

  /// Ends the response after the messages that are queued, by trailers.
  mutating func end(_ slot: Int, _ status: StatusCode, _ text: String) {
    guard calls[slot].isOpen else { return fail(slot, status, text) }
    guard !calls[slot].isEnded else { return }
    calls[slot].isEnded = true
    calls[slot].status = status
    calls[slot].statusMessage = PercentCoding.encode(text, in: slab)
    connection.resume(calls[slot].streamID)
  }

  /// Ends the response with nothing but a status.
  mutating func fail(_ slot: Int, _ status: StatusCode, _ text: String) {
    guard !calls[slot].isEnded else { return }
    guard !calls[slot].isOpen else { return end(slot, status, text) }
    calls[slot].isEnded = true
    let message = PercentCoding.encode(text, in: slab)
    responder.fail(calls[slot].streamID, status, message: message, on: connection)
    message.free(in: slab)
  }

  // MARK: Sending

  /// The last message is being framed: the trailers follow it.
  mutating func writeTrailers(_ slot: Int) {
    let call = calls[slot]
    if call.status == .ok && call.statusMessage.block == nil {
      responder.succeed(call.streamID, on: connection)
    } else {
      responder.end(call.streamID, call.status, message: call.statusMessage, on: connection)
      calls[slot].statusMessage.free(in: slab)
      calls[slot].statusMessage = .empty
    }
  }

  /// The slot of a stream whose response is under way.
  func holds(_ slot: Int, stream: Int32) -> Bool {
    slot >= 0 && slot < calls.count && calls[slot].streamID == stream
  }

  /// Runs `body` with the queue of a call's response.
  mutating func withResponse(_ slot: Int, _ body: (inout SendQueue) -> Void) {
    body(&calls[slot].response)
  }

  /// The connection is gone.
  mutating func abandonAll() {
    connection.abandon()
    for slot in calls.indices where calls[slot].isAnnounced {
      let stream = calls[slot].streamID
      calls[slot].isAnnounced = false
      calls[slot].isEnded = true
      events.append(.init(event: .cancelled(stream: stream)))
    }
  }

  mutating func removeAll() {
    for slot in calls.indices { release(slot) }
    events.removeAll(in: slab)
  }
}
