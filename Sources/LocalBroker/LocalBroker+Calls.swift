import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics

// Calls of clients.
extension LocalBroker {
  mutating func takeEvents(_ id: SlotID, at now: Instant) {
    while let event = connections[id].session.nextEvent() {
      switch event {
      case .call(let stream): call(stream, on: id, at: now)
      case .opened(let stream): opened(stream, on: id)
      case .message(let stream): batchReceived(stream, on: id)
      case .finished(let stream): finished(stream, on: id)
      case .cancelled(let stream), .closed(let stream): ended(stream, on: id, at: now)
      }
    }
  }

  private mutating func ended(_ stream: Int32, on id: SlotID, at now: Instant) {
    forget(ConsumerStream(connection: id, stream: stream))
    guard let index = connections[id].consumerStreams.firstIndex(of: stream) else { return }
    connections[id].consumerStreams.remove(at: index)
    state.streamClosed(ConsumerStream(connection: id, stream: stream), at: now)
  }

  private mutating func call(_ stream: Int32, on id: SlotID, at now: Instant) {
    touch(id)
    guard admits(stream, on: id) else { return }
    guard state.isOpen else {
      refuse(stream, on: id, Refusal(.unavailable, "the broker is starting: it reads its disk"))
      return
    }
    guard let method = connections[id].currentMethod else {
      refuse(
        stream, on: id,
        Refusal(.unimplemented, "this broker has no such method (no schema registry)"))
      return
    }
    switch method {
    case .sendMessage: publish(stream, on: id)
    case .ack:
      reply(stream, on: id) { state, message, answer throws(Refusal) in
        RequestEcho(requestID: try state.acknowledge(message)).encode(into: &answer)
      }
    case .nack:
      reply(stream, on: id) { state, message, answer throws(Refusal) in
        RequestEcho(requestID: try state.refuse(message, at: now)).encode(into: &answer)
      }
    case .healthCheck:
      reply(stream, on: id) { state, message, answer throws(Refusal) in
        let request = try decoded(message) { bytes throws(DanubeProtocolError) in
          try HealthCheckRequest(decoding: bytes)
        }
        state.health(request).encode(into: &answer)
      }
    case .createProducer:
      reply(stream, on: id) { state, message, answer throws(Refusal) in
        let request = try decoded(message) { bytes throws(DanubeProtocolError) in
          try ProducerRequest(decoding: bytes)
        }
        try state.createProducer(request).encode(into: &answer)
      }
    case .topicLookup:
      reply(stream, on: id) { state, message, answer throws(Refusal) in
        try state.lookUp(try lookupRequest(message)).encode(into: &answer)
      }
    case .topicPartitions:
      reply(stream, on: id) { state, message, answer throws(Refusal) in
        state.partitions(try lookupRequest(message)).encode(into: &answer)
      }
    case .subscribe: subscribe(stream, on: id, at: now)
    case .receiveMessages: receiveMessages(stream, on: id)
    case .registerEdge:
      reply(stream, on: id) { state, message, answer throws(Refusal) in
        let request = try decoded(message) { bytes throws(DanubeProtocolError) in
          try RegisterEdgeRequest(decoding: bytes)
        }
        try state.registerEdge(request).encode(into: &answer)
      }
    case .edgeHeartbeat:
      reply(stream, on: id) { state, message, answer throws(Refusal) in
        let request = try decoded(message) { bytes throws(DanubeProtocolError) in
          try EdgeHeartbeatRequest(decoding: bytes)
        }
        try state.heartbeat(request).encode(into: &answer)
      }
    case .replicateData: break  // Its calls are `opened`.
    }
  }

  /// Answers a unary call by what `body` appends, or by the status it throws.
  private mutating func reply(
    _ stream: Int32, on id: SlotID,
    _ body: (inout BrokerState, RawSpan, inout GrowableBytes) throws(Refusal) -> Void
  ) {
    do throws(Refusal) {
      try Self.reply(stream, on: &connections[id], state: &state, answer: &answer, body)
    } catch {
      refuse(stream, on: id, error)
    }
  }

  private static func reply(
    _ stream: Int32, on connection: inout BrokerConnection, state: inout BrokerState,
    answer: inout GrowableBytes,
    _ body: (inout BrokerState, RawSpan, inout GrowableBytes) throws(Refusal) -> Void
  ) throws(Refusal) {
    answer.removeAll(keepingCapacityUpTo: 64 << 10)
    try connection.withCurrentMessage { message throws(Refusal) in
      try body(&state, message, &answer)
    }
    connection.session.respond(stream, message: answer.bytes)
  }

  /// Answers at once, or when the message is durable.
  private mutating func publish(_ stream: Int32, on id: SlotID) {
    do throws(Refusal) {
      try Self.publish(
        from: ConsumerStream(connection: id, stream: stream), on: &connections[id], state: &state,
        answer: &answer)
    } catch {
      refuse(stream, on: id, error)
    }
  }

  private static func publish(
    from call: ConsumerStream, on connection: inout BrokerConnection, state: inout BrokerState,
    answer: inout GrowableBytes
  ) throws(Refusal) {
    let echoed = try connection.withCurrentMessage { message throws(Refusal) in
      try state.publish(message, from: call)
    }
    guard let echoed else { return }
    answer.removeAll(keepingCapacityUpTo: 64 << 10)
    RequestEcho(requestID: echoed).encode(into: &answer)
    connection.session.respond(call.stream, message: answer.bytes)
  }

  mutating func refuse(_ stream: Int32, on id: SlotID, _ refusal: Refusal) {
    state.metrics.callsRefused.add()
    connections[id].session.fail(stream, status: refusal.status, message: refusal.message)
  }

  /// Answers at once, or when a new subscription is on the disk.
  private mutating func subscribe(_ stream: Int32, on id: SlotID, at now: Instant) {
    do throws(Refusal) {
      let request = try connections[id].withCurrentMessage { message throws(Refusal) in
        try decoded(message) { bytes throws(DanubeProtocolError) in
          try ConsumerRequest(decoding: bytes)
        }
      }
      let (response, ended) = try state.subscribe(
        request, call: ConsumerStream(connection: id, stream: stream), at: now)
      if let response {
        reply(stream, on: id) { _, _, answer throws(Refusal) in response.encode(into: &answer) }
      }
      if let ended { end(ended) }
    } catch {
      refuse(stream, on: id, error)
    }
  }

  private mutating func receiveMessages(_ stream: Int32, on id: SlotID) {
    var takenOver: ConsumerStream?
    do throws(Refusal) {
      let request = try connections[id].withCurrentMessage { message throws(Refusal) in
        try decoded(message) { bytes throws(DanubeProtocolError) in
          try ReceiveRequest(decoding: bytes)
        }
      }
      takenOver = try state.open(
        request, stream: ConsumerStream(connection: id, stream: stream))
    } catch {
      refuse(stream, on: id, error)
      return
    }
    connections[id].session.openStream(stream)
    connections[id].consumerStreams.append(stream)
    if let takenOver { end(takenOver) }
  }

  /// Ends the stream of a consumer that somebody of the same name took over.
  private mutating func end(_ stream: ConsumerStream) {
    guard connections.contains(stream.connection), !connections[stream.connection].isClosing
    else { return }
    connections[stream.connection].session.endStream(
      stream.stream, status: .cancelled, message: "another session of this consumer took over")
    touch(stream.connection)
  }
}

private func decoded<Message>(
  _ bytes: RawSpan, _ decode: (RawSpan) throws(DanubeProtocolError) -> Message
) throws(Refusal) -> Message {
  do throws(DanubeProtocolError) {
    return try decode(bytes)
  } catch {
    throw .malformed
  }
}

private func lookupRequest(_ bytes: RawSpan) throws(Refusal) -> TopicLookupRequest {
  try decoded(bytes) { bytes throws(DanubeProtocolError) in
    try TopicLookupRequest(decoding: bytes)
  }
}
