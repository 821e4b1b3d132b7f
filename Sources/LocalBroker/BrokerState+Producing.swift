import Bytes
import DanubeProtocol
import GRPC
import IOPort

// Look-ups, producers and what they send.
extension BrokerState {
  func lookUp(_ request: TopicLookupRequest) throws(Refusal) -> TopicLookupResponse {
    guard topic(named: request.topic) != nil else {
      throw Refusal(.notFound, "topic \(shown(request.topic)) not found")
    }
    return TopicLookupResponse(
      requestID: request.requestID, lookupType: .connect, connectURL: advertisedURL,
      brokerURL: advertisedURL, isProxy: false)
  }

  /// The topic itself, or else its partitions; none when neither exists.
  func partitions(_ request: TopicLookupRequest) -> TopicPartitionsResponse {
    var response = TopicPartitionsResponse(requestID: request.requestID)
    if topic(named: request.topic) != nil {
      response.partitions = [request.topic]
    } else {
      response.partitions = (partitionTopics[request.topic] ?? []).map { topics[$0].name }
    }
    return response
  }

  mutating func createProducer(
    _ request: ProducerRequest
  ) throws(Refusal) -> ProducerResponse {
    try checkName(request.producerName, what: "producer_name")
    guard request.dispatchStrategy != .unrecognized else {
      throw Refusal(.invalidArgument, "dispatch_strategy is not known")
    }
    if let schema = request.schemaReference {
      throw Refusal(
        .failedPrecondition,
        "schema subject \(shown(schema.subject)) not found: this broker has no schema registry")
    }
    let topic = try topicForProducer(request)
    let response = ProducerResponse(
      requestID: request.requestID, producerName: request.producerName)
    let existing = producerNames.first(request.producerName.rawBytes) { index in
      guard let slot = producers.tenant(at: index) else { return false }
      return producers[slot].topic == topic && producers[slot].name == request.producerName
    }
    var answer = response
    if let existing, let slot = producers.tenant(at: existing) {
      answer.producerID = sessionID(slot)
      return answer
    }
    guard producers.count - laneProducerCount < limits.producers else {
      throw Refusal(.resourceExhausted, "no more than \(limits.producers) producers")
    }
    let slot = producers.insert(Producer(name: request.producerName, topic: topic))
    producerNames.insert(Int(slot.index), name: request.producerName)
    answer.producerID = sessionID(slot)
    return answer
  }

  func checkName(_ name: [UInt8], what: String) throws(Refusal) {
    guard !name.isEmpty, name.count <= limits.nameBytes else {
      throw Refusal(.invalidArgument, "\(what) must have 1 to \(limits.nameBytes) bytes")
    }
  }

  /// The topic a producer asked for; one that is missing is made.
  private mutating func topicForProducer(_ request: ProducerRequest) throws(Refusal) -> Int {
    let name = request.topicName
    if let topic = topic(named: name) {
      guard topics[topic].strategy == request.dispatchStrategy else {
        throw Refusal(
          .failedPrecondition,
          "topic \(shown(name)) has the other dispatch strategy than the one asked for")
      }
      return topic
    }
    return try newTopic(name, strategy: request.dispatchStrategy)
  }

  /// Makes a topic that is missing.
  mutating func newTopic(
    _ name: [UInt8], strategy: DispatchStrategy
  ) throws(Refusal) -> Int {
    guard name.count <= limits.nameBytes, TopicName.isValid(name) else {
      throw Refusal(
        .invalidArgument,
        "topic name \(shown(name)) is not /namespace/topic of letters, digits, _ and -")
    }
    let namespace = Array(TopicName.namespace(of: name))
    guard hasNamespace(namespace) else {
      throw Refusal(.unavailable, "namespace \(shown(namespace)) does not exist")
    }
    if let conflict = partitionConflict(of: name) { throw Refusal(.alreadyExists, conflict) }
    guard topics.count - laneTopicCount < limits.topics else {
      throw Refusal(.resourceExhausted, "no more than \(limits.topics) topics")
    }
    return makeTopic(name, strategy: strategy)
  }

  /// A topic and partitions of the same name cannot be there together: why a new topic cannot have
  /// a name, nil when it can.
  func partitionConflict(of name: [UInt8]) -> String? {
    if let base = TopicName.partitionBase(of: name), topic(named: Array(base)) != nil {
      return "topic \(shown(Array(base))) exists without partitions"
    }
    return partitionTopics[name] == nil ? nil : "topic \(shown(name)) exists with partitions"
  }

  /// Appends the message of a client and tells the request id to echo; nil when the call is
  /// answered later, when the message is durable.
  mutating func publish(
    _ message: RawSpan, from call: ConsumerStream
  ) throws(Refusal) -> UInt64? {
    let view: StreamMessageView
    do throws(DanubeProtocolError) {
      view = try StreamMessageView(decoding: message)
    } catch {
      throw .malformed
    }
    guard view.hasMessageID else { throw .missingMessageID }
    guard message.byteCount <= limits.messageBytes else {
      throw Refusal(
        .outOfRange,
        "message of \(message.byteCount) bytes is larger than \(limits.messageBytes)")
    }
    guard let slot = producer(view.producerID) else {
      throw Refusal(.notFound, "producer \(view.producerID) not found")
    }
    let topic = producers[slot].topic
    guard view.topicName.isEqual(to: topics[topic].name) else {
      let asked = shown(Array(copying: view.topicName))
      throw Refusal(
        .permissionDenied, "producer \(view.producerID) is not attached to topic \(asked)")
    }
    if isSpooled(topic) {
      try spoolMessage(message, topic: topic, requestID: view.requestID, from: call)
      return nil
    }
    append(topic: topic, isLocal: false, body: message)
    queueSubscriptions(of: topic)
    return view.requestID
  }

  /// Whether the client of an id is there.
  func health(_ request: HealthCheckRequest) -> HealthCheckResponse {
    let isAlive =
      switch request.client {
      case .producer: producer(request.id) != nil
      case .consumer: consumer(request.id).map { consumers[$0].isActive } ?? false
      case .unrecognized: false
      }
    return HealthCheckResponse(status: isAlive ? .ok : .close)
  }
}
