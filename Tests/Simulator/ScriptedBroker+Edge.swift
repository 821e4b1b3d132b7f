import Bytes
import DanubeProtocol
import GRPC
import IOPort

// The edge service of a cluster, as Danube has it.
extension ScriptedBroker {
  func register(_ stream: Int32, _ id: SlotID) {
    guard let request = connections[id].registration else {
      return fail(stream, id, .internalError, "not a RegisterEdgeRequest")
    }
    let name = String(decoding: request.edgeName, as: UTF8.self)
    let names = request.topics.map { String(decoding: $0.topicName, as: UTF8.self) }
    registrations.append(names)
    if let status = onEdgeCall?() ?? nil { return fail(stream, id, status, "scripted") }
    knowsEdge = true
    let results = names.map { topic -> TopicRegistrationResult in
      var error = onRegister?(topic) ?? ""
      if !topic.hasPrefix("/\(name)/") { error = "topic is not under /\(name)/" }
      return TopicRegistrationResult(
        topicName: Array(topic.utf8), isTopicCreated: false, isSchemaResolved: true,
        error: Array(error.utf8))
    }
    // It says that all is well whatever became of the topics.
    let answer = RegisterEdgeResponse(
      isSuccess: true, message: [], configVersion: UInt64(registrations.count), topics: results)
    var bytes = GrowableBytes()
    answer.encode(into: &bytes)
    connections[id].session.respond(stream, message: bytes.bytes)
  }

  func beat(_ stream: Int32, _ id: SlotID) {
    heartbeatCount += 1
    guard knowsEdge else { return fail(stream, id, .notFound, "unknown edge") }
    let answer = EdgeHeartbeatResponse(
      isChanged: false, configVersion: UInt64(registrations.count), changes: [])
    var bytes = GrowableBytes()
    answer.encode(into: &bytes)
    connections[id].session.respond(stream, message: bytes.bytes)
  }

  func streamOpened(_ stream: Int32, _ id: SlotID) {
    streamCount += 1
    guard hasEdgeService else {
      return connections[id].session.fail(stream, status: .unimplemented, message: "scripted")
    }
    connections[id].session.openStream(stream)
    openStreams.insert(BatchStream(connection: id, stream: stream))
    peakStreams = max(peakStreams, openStreams.count)
  }

  /// A batch arrived: it is written if its number is above the last one's, whoever sent that.
  func batchArrived(_ stream: Int32, _ id: SlotID) {
    guard let batch = connections[id].batch(at: port.now) else {
      return connections[id].session.endStream(stream, status: .internalError, message: "no batch")
    }
    batches.append((batch.topic, batch.number, batch.messages.count))
    let answer = onBatch?(batch.topic, batch.number) ?? SendAnswer(.ok)
    // Batches of a stream are taken one after the other: none overtakes one that hangs.
    if case .never = answer.outcome, connections[id].hangingStreams[stream] == nil {
      connections[id].hangingStreams[stream] = answer.outcome
    }
    let due = port.now.advanced(milliseconds: answer.delayMilliseconds)
    let last = connections[id].lastDue[stream] ?? due
    connections[id].lastDue[stream] = max(due, last)
    schedule(
      PendingAnswer(
        connection: id, stream: stream, message: Message(), requestID: 0, batch: batch,
        outcome: connections[id].hangingStreams[stream] ?? answer.outcome),
      at: max(due, last))
  }

  func give(
    _ answer: PendingAnswer, to batch: (topic: String, number: UInt64, messages: [Message])
  ) {
    let id = answer.connection
    let isThere = connections.contains(id) && !connections[id].isClosing
    // Behind a batch that was not written the rest of the stream is not looked at.
    let stream = BatchStream(connection: id, stream: answer.stream)
    if brokenStreams.contains(stream) { return }
    switch answer.outcome {
    case .fail, .never(false), .closeConnection(false): brokenStreams.insert(stream)
    case .ok, .never, .closeConnection: break
    }
    switch answer.outcome {
    case .ok:
      write(batch)
      guard isThere else { return }
      let ack = ReplicateAck(topicName: Array(batch.topic.utf8), ackedOffset: batch.number)
      var bytes = GrowableBytes()
      ack.encode(into: &bytes)
      connections[id].session.send(
        answer.stream, head: bytes.bytes, body: RawSpan(), tail: RawSpan())
    case .fail(let status, let text):
      guard isThere else { return }
      connections[id].session.endStream(answer.stream, status: status, message: text)
    case .never(let isAccepted):
      if isAccepted { write(batch) }
    case .closeConnection(let isAccepted):
      if isAccepted { write(batch) }
      if isThere { close(id) }
    }
  }

  private func write(_ batch: (topic: String, number: UInt64, messages: [Message])) {
    guard batch.number > marks[batch.topic, default: 0] else {
      repeatedBatches += 1
      return
    }
    marks[batch.topic] = batch.number
    accepted += batch.messages
  }
}

extension ScriptedBroker.Message {
  /// No message.
  init() {
    self.init(
      topic: "", key: [], payload: [], producerID: 0, brokerAddress: "",
      publishTimeMilliseconds: 0, arrivedAt: Instant(nanoseconds: 0))
  }

  mutating func readRecordID(_ view: borrowing StreamMessageView) {
    var attributes = view.attributes
    while let attribute = attributes.next() {
      guard Array(copying: attribute.key) == Array("gateway.record_id".utf8) else { continue }
      recordID = String(decoding: Array(copying: attribute.value), as: UTF8.self)
    }
  }
}

extension BrokerConnection {
  var registration: RegisterEdgeRequest? {
    try? RegisterEdgeRequest(decoding: session.currentMessage)
  }

  /// The batch that arrived; nil when it is none, or a message of it has no `msg_id`.
  func batch(
    at now: Instant
  ) -> (topic: String, number: UInt64, messages: [ScriptedBroker.Message])? {
    do {
      let view = try ReplicateBatchView(decoding: session.currentMessage)
      let topic = String(decoding: Array(copying: view.topicName), as: UTF8.self)
      var messages: [ScriptedBroker.Message] = []
      var elements = view.messages
      while let element = elements.next() {
        let message = try StreamMessageView(decoding: element)
        guard message.hasMessageID else { return nil }
        messages.append(
          ScriptedBroker.Message(
            topic: String(decoding: Array(copying: message.topicName), as: UTF8.self),
            key: Array(copying: message.routingKey), payload: Array(copying: message.payload),
            producerID: message.producerID, brokerAddress: "",
            publishTimeMilliseconds: message.publishTimeMilliseconds, arrivedAt: now,
            isReplicated: true))
        messages[messages.count - 1].readRecordID(message)
      }
      return (topic, view.lastOffset, messages)
    } catch {
      return nil
    }
  }
}

/// One ReplicateData call.
struct BatchStream: Hashable {
  let connection: SlotID
  let stream: Int32
}
