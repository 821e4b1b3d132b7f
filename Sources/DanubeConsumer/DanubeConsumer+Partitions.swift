import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics

// From the topic's name to sessions: discovery, look-ups, Subscribe, the stream, its health.
extension DanubeConsumer {
  /// When a connection has no room for another call, a health check waits so long.
  private static var fullConnectionPauseMilliseconds: Int { 100 }

  /// Lets discovery and every partition go on that can.
  mutating func drive(operations: inout OperationQueue) {
    driveDiscovery(operations: &operations)
    for partition in partitions.indices { drive(partition, operations: &operations) }
  }

  private mutating func drive(_ partition: Int, operations: inout OperationQueue) {
    if now >= partitions[partition].redeliveryDeadline {
      // What earlier sessions delivered and was not seen again is not waited for any more.
      partitions[partition].redeliveryDeadline = .distantFuture
      partitions[partition].mayRepeat = false
    }
    switch partitions[partition].phase {
    case .waiting(let until):
      guard now >= until else { return }
      partitions[partition].phase = .wantsSeed
      startLookup(partition, operations: &operations)
    case .wantsSeed: startLookup(partition, operations: &operations)
    case .resolving(let host, _, let until):
      guard now >= until else { return }
      book.stopWanting(host)
      failed(partition, "no address for \(host.name)")
    case .attaching(let broker): attach(partition, broker, operations: &operations)
    case .consuming(let broker, let consumerID): keep(partition, broker, consumerID)
    case .missing, .lookingUp, .subscribing: break
    }
  }

  // MARK: Discovery

  private mutating func driveDiscovery(operations: inout OperationQueue) {
    if case .waiting(let until) = discovery, now >= until { discovery = .due }
    guard case .due = discovery, let id = seedConnection(operations: &operations) else { return }
    scratch.removeAll()
    TopicLookupRequest(requestID: takeRequestID(), topic: topic).encode(into: &scratch)
    guard startCall(.partitions, .topicPartitions, session: 0, on: id) != nil else { return }
    discovery = .asking
  }

  mutating func partitionsEnded(_ end: CallEnd) {
    switch end.outcome {
    case .success(.partitions(let answer)): found(answer.partitions)
    case .success: discoveryFailed("the answer is not a TopicPartitionsResponse")
    case .notFound: found([])
    case .failure(let text):
      leaveSeed(connections[end.call.connection].broker)
      discoveryFailed(text)
    }
  }

  mutating func discoveryFailed(_ text: String) {
    notices.append(.problem("looking for \(String(decoding: topic, as: UTF8.self)): \(text)"))
    discovery = .waiting(until: now.advanced(milliseconds: discoveryBackoff.next()))
  }

  /// The broker knows these topics, all of whose names begin with the one asked for.
  private mutating func found(_ names: [[UInt8]]) {
    discoveryBackoff.reset()
    let own = names.filter { $0 == topic || TopicName.partitionBase(of: $0) == topic[...] }
    for name in own {
      if let known = partitions.firstIndex(where: { $0.topic == name }) {
        if partitions[known].isMissing { partitions[known].phase = .wantsSeed }
      } else if partitions.count < limits.maximumPartitions {
        partitions.append(Partition(topic: name, backoff: makeBackoff()))
      } else {
        notices.append(.problem("more than \(limits.maximumPartitions) partitions"))
      }
    }
    if own.isEmpty, partitions.allSatisfy(\.isMissing) {
      waitForTopic()
    } else if own == [topic] {
      discovery = .over
    } else {
      // Whoever creates partitions creates them one after the other.
      discovery = .waiting(until: now.advanced(milliseconds: refreshMilliseconds))
      refreshMilliseconds = min(refreshMilliseconds * 2, limits.partitionRefreshMilliseconds)
    }
  }

  private mutating func waitForTopic() {
    notices.append(.waitingForTopic(topic: String(decoding: topic, as: UTF8.self)))
    refreshMilliseconds = limits.topicRetryMilliseconds
    discovery = .waiting(until: now.advanced(milliseconds: limits.topicRetryMilliseconds))
  }

  /// A partition is not there: discovery finds it when it comes back.
  private mutating func missing(_ partition: Int) {
    leaveSession(partition)
    partitions[partition].phase = .missing
    beginRedeliveryWait(partition)
    if partitions.allSatisfy(\.isMissing) {
      waitForTopic()
    } else if case .asking = discovery {
      return
    } else {
      refreshMilliseconds = limits.topicRetryMilliseconds
      let retry = now.advanced(milliseconds: limits.topicRetryMilliseconds)
      if case .waiting(let until) = discovery, until <= retry { return }
      discovery = .waiting(until: retry)
    }
  }

  // MARK: Look-up

  private mutating func startLookup(_ partition: Int, operations: inout OperationQueue) {
    guard let id = seedConnection(operations: &operations) else { return }
    scratch.removeAll()
    TopicLookupRequest(requestID: takeRequestID(), topic: partitions[partition].topic)
      .encode(into: &scratch)
    let session = partitions[partition].session
    guard
      startCall(.lookup(partition: partition), .topicLookup, session: session, on: id) != nil
    else { return }
    partitions[partition].phase = .lookingUp
  }

  mutating func lookupEnded(_ partition: Int, _ end: CallEnd) {
    guard case .lookingUp = partitions[partition].phase else { return }
    let name = partitions[partition].name
    switch end.outcome {
    case .success(.lookup(let answer)):
      if answer.lookupType == .failed {
        missing(partition)
      } else {
        follow(answer, partition, end.call.connection)
      }
    case .success: failed(partition, "looking \(name) up: the answer can't be read")
    case .notFound: missing(partition)
    case .failure(let text):
      leaveSeed(connections[end.call.connection].broker)
      failed(partition, "looking \(name) up: \(text)")
    }
  }

  // MARK: Subscribe

  private mutating func attach(
    _ partition: Int, _ broker: Int, operations: inout OperationQueue
  ) {
    guard let id = connection(to: broker, operations: &operations) else { return }
    scratch.removeAll()
    let request = ConsumerRequest(
      requestID: takeRequestID(), topicName: partitions[partition].topic,
      consumerName: consumerName, subscription: subscription, subscriptionType: subscriptionType)
    request.encode(into: &scratch)
    let session = partitions[partition].session
    guard
      startCall(.subscribe(partition: partition), .subscribe, session: session, on: id) != nil
    else { return }
    partitions[partition].phase = .subscribing(broker: broker)
  }

  mutating func subscribeEnded(_ partition: Int, _ end: CallEnd) {
    guard case .subscribing(let broker) = partitions[partition].phase else { return }
    let name = partitions[partition].name
    switch end.outcome {
    case .success(.consumer(let answer)):
      partitions[partition].phase = .consuming(broker: broker, consumerID: answer.consumerID)
      partitions[partition].nextHealthCheck = now.advanced(
        milliseconds: limits.healthIntervalMilliseconds)
      beginRedeliveryWait(partition)
      metrics.subscribed.add()
      notices.append(.subscribed(topic: name, broker: brokers[broker].authority))
    case .success: failed(partition, "subscribing to \(name): the answer can't be read")
    case .notFound: missing(partition)
    case .failure(let text): failed(partition, "subscribing to \(name): \(text)")
    }
  }

  // MARK: The session

  /// Opens the stream of a session, and asks now and then whether it is alive.
  private mutating func keep(_ partition: Int, _ broker: Int, _ consumerID: UInt64) {
    guard let id = brokers[broker].connection, connections[id].isOpen else { return }
    let session = partitions[partition].session
    if partitions[partition].receiveTag == nil {
      scratch.removeAll()
      ReceiveRequest(requestID: takeRequestID(), consumerID: consumerID).encode(into: &scratch)
      partitions[partition].receiveTag = startCall(
        .receive(partition: partition), .receiveMessages, session: session, on: id)
    }
    guard partitions[partition].healthTag == nil, connections[id].isListening,
      now >= partitions[partition].nextHealthCheck
    else { return }
    scratch.removeAll()
    HealthCheckRequest(requestID: takeRequestID(), client: .consumer, id: consumerID)
      .encode(into: &scratch)
    partitions[partition].healthTag = startCall(
      .health(partition: partition), .healthCheck, session: session, on: id)
    if partitions[partition].healthTag == nil {
      partitions[partition].nextHealthCheck = now.advanced(
        milliseconds: Self.fullConnectionPauseMilliseconds)
    }
  }

  mutating func streamEnded(_ partition: Int, _ outcome: CallEnd.Outcome) {
    partitions[partition].receiveTag = nil
    switch outcome {
    case .success: lost(partition, "the broker ended the stream")
    case .notFound(let text), .failure(let text): lost(partition, text)
    }
  }

  mutating func healthEnded(_ partition: Int, _ outcome: CallEnd.Outcome) {
    partitions[partition].healthTag = nil
    guard partitions[partition].isConsuming else { return }
    switch outcome {
    case .success(.health(.close)): lost(partition, "the broker closed the session")
    case .success:
      // Only a session that lasts shows that all is well.
      partitions[partition].backoff.reset()
      partitions[partition].nextHealthCheck = now.advanced(
        milliseconds: limits.healthIntervalMilliseconds)
    case .notFound(let text), .failure(let text): lost(partition, "health check: \(text)")
    }
  }

  // MARK: Failures

  /// A session ended unasked.
  mutating func lost(_ partition: Int, _ reason: String) {
    metrics.lost.add()
    notices.append(.lost(topic: partitions[partition].name, reason: reason))
    pause(partition)
  }

  /// A step on the way to a session failed.
  mutating func failed(_ partition: Int, _ text: String) {
    notices.append(.problem(text))
    pause(partition)
  }

  private mutating func pause(_ partition: Int) {
    leaveSession(partition)
    let pause = partitions[partition].backoff.next()
    partitions[partition].phase = .waiting(until: now.advanced(milliseconds: pause))
  }

  /// What is under way for a partition belongs to the past from here on.
  private mutating func leaveSession(_ partition: Int) {
    if let tag = partitions[partition].receiveTag { cancelCall(tag) }
    if let tag = partitions[partition].healthTag { cancelCall(tag) }
    partitions[partition].receiveTag = nil
    partitions[partition].healthTag = nil
    partitions[partition].nextHealthCheck = .distantFuture
    partitions[partition].session &+= 1
    partitions[partition].redeliveryDeadline = .distantFuture
    partitions[partition].mayRepeat = messages.hasOthers(
      than: partitions[partition].session, of: partition)
  }

  private mutating func beginRedeliveryWait(_ partition: Int) {
    partitions[partition].redeliveryDeadline = now.advanced(
      milliseconds: limits.redeliveryWaitMilliseconds)
  }

  mutating func makeBackoff() -> Backoff {
    Backoff(
      minimumMilliseconds: limits.backoffMinimumMilliseconds,
      maximumMilliseconds: limits.backoffMaximumMilliseconds, seed: random.next())
  }
}
