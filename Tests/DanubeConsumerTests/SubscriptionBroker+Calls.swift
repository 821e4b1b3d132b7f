import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Simulator

// What the broker answers.
extension SubscriptionBroker {
  func call(_ stream: Int32, _ id: SlotID) {
    let (method, message) = request(&connections[id])
    guard let method else {
      return connections[id].session.fail(stream, status: .unimplemented, message: "no")
    }
    counts[method, default: 0] += 1
    if silent.contains(method) { return }
    if let refusal, refusal.method == method {
      return connections[id].session.fail(stream, status: refusal.status, message: refusal.text)
    }
    do throws(DanubeProtocolError) {
      try answer(method, message.rawBytes, stream, id)
    } catch {
      connections[id].session.fail(stream, status: .invalidArgument, message: "unreadable")
    }
  }

  private func request(_ connection: inout Connection) -> (DanubeMethod?, [UInt8]) {
    (
      DanubeMethod(path: connection.session.currentPath),
      Array(copying: connection.session.currentMessage)
    )
  }

  private func answer(
    _ method: DanubeMethod, _ bytes: RawSpan, _ stream: Int32, _ id: SlotID
  ) throws(DanubeProtocolError) {
    var out = GrowableBytes()
    switch method {
    case .topicPartitions:
      let asked = try TopicLookupRequest(decoding: bytes).topic
      let names = (Array(topics.keys) + extraNames).sorted().map { Array($0.utf8) }
      let found = names.filter { $0.starts(with: asked) }
      TopicPartitionsResponse(partitions: found).encode(into: &out)
    case .topicLookup:
      let topic = text(try TopicLookupRequest(decoding: bytes).topic)
      guard topics[topic] != nil, !unassigned.contains(topic) else {
        return fail(stream, .notFound, "topic \(topic) not found", id)
      }
      TopicLookupResponse(
        lookupType: .connect, connectURL: Array(connectURL.utf8),
        brokerURL: brokerURL ?? Array(connectURL.utf8),
        isProxy: brokerURL != nil
      ).encode(into: &out)
    case .subscribe: return try subscribe(bytes, stream, id)
    case .receiveMessages: return try receive(bytes, stream, id)
    case .ack: return try acknowledge(bytes, stream, id)
    case .nack:
      let request = try NackRequest(decoding: bytes)
      nacks.append(request)
      for (key, consumer) in consumers where isFor(consumer, request.messageID) {
        let offset = request.messageID?.topicOffset ?? 0
        consumers[key]?.pending.remove(offset)
        consumers[key]?.next = min(consumer.next, Int(offset))
      }
    case .healthCheck:
      let request = try HealthCheckRequest(decoding: bytes)
      let isKnown = consumers[request.id]?.isActive == true && !closesHealth
      HealthCheckResponse(status: isKnown ? .ok : .close).encode(into: &out)
    case .createProducer, .sendMessage, .registerEdge, .edgeHeartbeat, .replicateData: break
    }
    connections[id].session.respond(stream, message: out.bytes)
  }

  private func subscribe(
    _ bytes: RawSpan, _ stream: Int32, _ id: SlotID
  ) throws(DanubeProtocolError) {
    let request = try ConsumerRequest(decoding: bytes)
    subscribes.append(request)
    let topic = text(request.topicName)
    guard let records = topics[topic], !unassigned.contains(topic) else {
      return fail(stream, .notFound, "topic \(topic) not found", id)
    }
    let key = nextConsumerID
    nextConsumerID += 1
    let known = consumers.first {
      $0.value.topic == topic && $0.value.name == text(request.consumerName)
        && $0.value.subscription == text(request.subscription)
    }
    var consumer =
      known?.value
      ?? Consumer(
        topic: topic, name: text(request.consumerName), subscription: text(request.subscription),
        next: startsAtFirst ? 0 : records.count)
    if let known {
      consumers[known.key] = nil
      if let old = consumer.connection, connections.contains(old) {
        connections[old].session.endStream(consumer.stream, status: .ok, message: "")
      }
    }
    consumer.connection = nil
    consumer.isActive = true
    // What was not acknowledged goes out again, in order.
    if let first = consumer.pending.min() { consumer.next = Int(first) }
    consumer.pending = []
    consumers[key] = consumer
    var out = GrowableBytes()
    ConsumerResponse(
      requestID: request.requestID, consumerID: key, consumerName: request.consumerName
    ).encode(into: &out)
    connections[id].session.respond(stream, message: out.bytes)
  }

  private func receive(
    _ bytes: RawSpan, _ stream: Int32, _ id: SlotID
  ) throws(DanubeProtocolError) {
    let key = try ReceiveRequest(decoding: bytes).consumerID
    guard consumers[key]?.isActive == true else {
      return fail(stream, .notFound, "consumer \(key) not found", id)
    }
    consumers[key]?.connection = id
    consumers[key]?.stream = stream
    connections[id].session.openStream(stream)
  }

  private func acknowledge(
    _ bytes: RawSpan, _ stream: Int32, _ id: SlotID
  ) throws(DanubeProtocolError) {
    let request = try AckRequest(decoding: bytes)
    acks.append(request)
    if failingAcks > 0 {
      failingAcks -= 1
      return fail(stream, .internalError, "Subscription not found", id)
    }
    for (key, consumer) in consumers where isFor(consumer, request.messageID) {
      let offset = request.messageID?.topicOffset ?? 0
      consumers[key]?.pending.remove(offset)
      consumers[key]?.acknowledged.insert(offset)
    }
    var out = GrowableBytes()
    RequestEcho(requestID: request.requestID).encode(into: &out)
    connections[id].session.respond(stream, message: out.bytes)
  }

  private func isFor(_ consumer: Consumer, _ id: MessageID?) -> Bool {
    consumer.topic == text(id?.topicName ?? [])
  }

  private func fail(_ stream: Int32, _ status: StatusCode, _ message: String, _ id: SlotID) {
    connections[id].session.fail(stream, status: status, message: message)
  }

  /// Sends what the windows allow: first what came back, then what is new.
  func deliver() {
    for key in consumers.keys.sorted() {
      while var consumer = consumers[key], let id = consumer.connection,
        connections.contains(id), !connections[id].isClosing,
        let records = topics[consumer.topic]
      {
        let isOpen: (Int) -> Bool = {
          !consumer.acknowledged.contains(UInt64($0)) && !consumer.pending.contains(UInt64($0))
        }
        guard consumer.pending.count < window, consumer.next < records.count,
          let offset = (consumer.next..<records.count).first(where: isOpen)
        else { break }
        var message = records[offset]
        message.subscriptionName = Array(consumer.subscription.utf8)
        var bytes = GrowableBytes()
        message.encode(into: &bytes)
        connections[id].session.send(
          consumer.stream, head: bytes.bytes, body: RawSpan(), tail: RawSpan())
        consumer.pending.insert(UInt64(offset))
        consumer.next = offset + 1
        consumers[key] = consumer
      }
    }
  }

  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
