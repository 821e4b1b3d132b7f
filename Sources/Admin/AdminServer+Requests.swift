import Bytes
import HTTP1
import IOPort

/// From bytes to answers, one request of a connection at a time.
extension AdminServer {
  /// Takes received bytes and gives their buffer back.
  mutating func take(
    _ received: consuming ReceivedBytes, from id: SlotID, operations: inout OperationQueue
  ) {
    if connections.contains(id) {
      switch connections[id].phase {
      case .reading, .answering, .sending: connections[id].reader.receive(received.bytes)
      case .ending, .closing: break
      }
    }
    operations.recycle(received)
    process(id, operations: &operations)
  }

  /// Reads requests until one waits for its answer or bytes are needed.
  mutating func process(_ id: SlotID, operations: inout OperationQueue) {
    guard connections.contains(id) else { return }
    while case .reading = connections[id].phase {
      switch connections[id].reader.nextEvent() {
      case .head: connections[id].noteHead(authorization)
      case .body: connections[id].noteBody()
      case .end: answer(id)
      case .failed(let error):
        connections[id].facts = ClientConnection.Facts()
        requestCount += 1
        sendError(id, statusCode: error.statusCode)
      case .needsBytes:
        waitForBytes(id, operations: &operations)
        return
      }
    }
    if connections[id].reader.bufferedBytes > limits.bufferedBytes {
      close(id, operations: &operations)
    }
  }

  private mutating func waitForBytes(_ id: SlotID, operations: inout OperationQueue) {
    if connections[id].peerEnded {
      close(id, operations: &operations)
      return
    }
    let isInRequest = connections[id].reader.isInRequest
    if isInRequest && !connections[id].isInRequest {
      connections[id].deadline = now.advanced(milliseconds: limits.requestMilliseconds)
    }
    connections[id].isInRequest = isInRequest
  }

  private mutating func answer(_ id: SlotID) {
    requestCount += 1
    switch connections[id].facts.target {
    case .endpoint where connections[id].bodyIsTooLarge: sendError(id, statusCode: 413)
    case .endpoint(let endpoint):
      connections[id].phase = .answering
      connections[id].deadline = now.advanced(milliseconds: limits.requestMilliseconds)
      requests.append(
        AdminRequest(
          connection: AdminConnection(slot: id), endpoint: endpoint,
          isPut: connections[id].facts.isPut, wantsText: connections[id].facts.wantsText))
    case .wrongMethod: sendError(id, statusCode: 405)
    case .refused(let verdict): sendError(id, statusCode: verdict.statusCode)
    case .unknown: sendError(id, statusCode: 404)
    }
  }

  private mutating func sendError(_ id: SlotID, statusCode: UInt16) {
    var body = GrowableBytes()
    body.append(contentsOf: AdminText.error(statusCode: statusCode))
    send(id, statusCode: statusCode, contentType: AdminContentType.json, body: body.bytes)
  }

  mutating func send(
    _ id: SlotID, statusCode: UInt16, contentType: StaticString, body: RawSpan
  ) {
    if connections[id].peerEnded { connections[id].facts.keepsAlive = false }
    connections[id].write(statusCode: statusCode, contentType: contentType, body: body)
    connections[id].phase = .sending
    connections[id].isInRequest = false
    connections[id].deadline = now.advanced(milliseconds: limits.requestMilliseconds)
  }

  /// Everything that was to be sent is taken: the next request, or the end.
  mutating func drained(_ id: SlotID, operations: inout OperationQueue) {
    guard case .sending = connections[id].phase else { return }
    if connections[id].facts.keepsAlive {
      connections[id].phase = .reading
      connections[id].deadline = now.advanced(milliseconds: limits.idleMilliseconds)
      process(id, operations: &operations)
    } else if connections[id].peerEnded {
      close(id, operations: &operations)
    } else {
      connections[id].phase = .ending
      connections[id].deadline = now.advanced(milliseconds: Self.endingMilliseconds)
      operations.append(
        .shutdownWrites(connections[id].descriptor), token: token(Verb.send, id))
    }
  }

  mutating func receiveEnded(
    _ id: SlotID, _ error: IOError?, operations: inout OperationQueue
  ) {
    guard connections.contains(id) else { return }
    if case .closing = connections[id].phase { return }
    if let error {
      guard error.kind == .resourcesExhausted else {
        close(id, operations: &operations)
        return
      }
      operations.append(
        .receive(connections[id].descriptor), token: token(Verb.receive, id))
      return
    }
    connections[id].peerEnded = true
    switch connections[id].phase {
    case .reading, .ending: close(id, operations: &operations)
    // It asked, ended its direction and waits for the answer.
    case .answering, .sending, .closing: break
    }
  }

  mutating func expire(_ id: SlotID, operations: inout OperationQueue) {
    if case .reading = connections[id].phase, connections[id].isInRequest {
      connections[id].facts = ClientConnection.Facts()
      sendError(id, statusCode: 408)
    } else {
      close(id, operations: &operations)
    }
  }

  mutating func close(_ id: SlotID, operations: inout OperationQueue) {
    guard connections.contains(id) else { return }
    if case .closing = connections[id].phase { return }
    connections[id].phase = .closing
    connections[id].deadline = .distantFuture
    operations.append(.close(connections[id].descriptor), token: token(Verb.close, id))
  }
}
