import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics
import Records

// Lanes on their way to a producer.
extension DanubeUplink {
  /// Lets every lane go on that can.
  mutating func driveLanes(operations: inout OperationQueue) {
    guard lanesAreDue || now >= laneDeadline else { return }
    lanesAreDue = false
    laneDeadline = .distantFuture
    for lane in lanes.indices { drive(lane, operations: &operations) }
    retireUnused()
    forgetUnused()
    metrics.lanesReady.set(lanes.count(where: \.isReady))
  }

  private mutating func drive(_ lane: Int, operations: inout OperationQueue) {
    switch lanes[lane].phase {
    case .waiting(let until):
      if now < until {
        laneDeadline = min(laneDeadline, until)
      } else {
        lanes[lane].phase = .wantsSeed
        startLookup(lane, operations: &operations)
      }
    case .wantsSeed: startLookup(lane, operations: &operations)
    case .attaching(let broker): attach(lane, broker, operations: &operations)
    case .idle, .lookingUp, .resolving, .creating, .ready: break
    }
  }

  private mutating func startLookup(_ lane: Int, operations: inout OperationQueue) {
    guard let id = seedConnection(operations: &operations) else { return }
    scratch.removeAll()
    TopicLookupRequest(requestID: takeRequestID(lane), topic: lanes[lane].lane.topic)
      .encode(into: &scratch)
    guard startControlCall(.lookup, .topicLookup, lane, id) else { return }
    lanes[lane].phase = .lookingUp
    metrics.lookups.add()
  }

  private mutating func attach(_ lane: Int, _ broker: Int, operations: inout OperationQueue) {
    guard let id = brokers[broker].current else {
      if now >= brokers[broker].retryAt {
        brokers[broker].current = connect(broker, operations: &operations)
      }
      if brokers[broker].current == nil {
        laneDeadline = min(laneDeadline, brokers[broker].retryAt)
      }
      return
    }
    guard connections[id].isOpen else { return }
    connections[id].isRetired = false
    scratch.removeAll()
    let request = ProducerRequest(
      requestID: takeRequestID(lane), producerName: lanes[lane].lane.producerName,
      topicName: lanes[lane].lane.topic, accessMode: .shared, dispatchStrategy: .reliable)
    request.encode(into: &scratch)
    guard startControlCall(.create, .createProducer, lane, id) else { return }
    lanes[lane].phase = .creating(broker: broker)
  }

  /// Starts a call with the message in `scratch`; false when the connection takes none now: then
  /// the lanes are looked at again in the next turn.
  private mutating func startControlCall(
    _ kind: Call.Kind, _ method: DanubeMethod, _ lane: Int, _ id: SlotID
  ) -> Bool {
    let record = RecordRef(batch: BatchID(rawValue: 0), index: 0)
    let call = Call(
      kind, lane: lane, epoch: lanes[lane].epoch, record: record, connection: id,
      startedAt: now)
    let tag = calls.insert(call)
    let isStarted = connections[id].startCall(
      method, tag: tag, timeoutMilliseconds: limits.callDeadlineMilliseconds, message: scratch,
      at: now)
    if !isStarted {
      calls.remove(tag)
      lanesAreDue = true
    }
    return isStarted
  }

  /// The broker only echoes request ids; they tell calls apart in its logs.
  mutating func takeRequestID(_ lane: Int) -> UInt64 {
    defer { lanes[lane].nextRequestID &+= 1 }
    return lanes[lane].nextRequestID
  }

  // MARK: Answers

  /// The look-up of a lane ended; `answer` is there when it succeeded.
  mutating func lookupEnded(
    _ lane: Int, _ status: StatusCode, _ text: [UInt8], _ answer: TopicLookupResponse?,
    _ id: SlotID
  ) {
    guard case .lookingUp = lanes[lane].phase else { return }
    lanesAreDue = true
    switch status {
    case .ok:
      if let answer, answer.lookupType != .failed {
        follow(answer, lane, id)
      } else if answer != nil {
        createOnSeed(lane, id)
      } else {
        failed(lane, UplinkError(.lookup, "the answer is not a TopicLookupResponse"))
      }
    case .notFound: createOnSeed(lane, id)
    default:
      leaveSeed(connections[id].broker)
      failed(lane, UplinkError(.lookup, status: status, text: text))
    }
  }

  /// Nobody serves the topic yet: CreateProducer creates it, on any broker.
  private mutating func createOnSeed(_ lane: Int, _ id: SlotID) {
    let broker = connections[id].broker
    lanes[lane].brokerURL = Array("http://\(brokers[broker].authority)".utf8)
    lanes[lane].phase = .attaching(broker: broker)
  }

  /// CreateProducer of a lane ended; `answer` is there when it succeeded.
  mutating func createEnded(
    _ lane: Int, _ status: StatusCode, _ text: [UInt8], _ answer: ProducerResponse?
  ) {
    guard case .creating(let broker) = lanes[lane].phase else { return }
    lanesAreDue = true
    switch status {
    case .ok:
      if let answer {
        becomeReady(lane, broker, producerID: answer.producerID)
      } else {
        failed(lane, UplinkError(.create, "the answer is not a ProducerResponse"))
      }
    case .failedPrecondition, .invalidArgument:
      // Another dispatch strategy or schema, or a bad name: only a person can change that.
      failed(lane, UplinkError(.create, status: status, text: text))
      lanes[lane].isBlocked = true
      lanes[lane].phase = .waiting(
        until: now.advanced(milliseconds: limits.blockedMilliseconds))
    default:
      // In a cluster the first answer for a new topic is UNAVAILABLE: it is assigned soon.
      failed(lane, UplinkError(.create, status: status, text: text))
    }
  }

  private mutating func becomeReady(_ lane: Int, _ broker: Int, producerID: UInt64) {
    metrics.producersCreated.add()
    let id = MessageID(producerID: producerID, brokerAddress: lanes[lane].brokerURL)
    scratch.removeAll()
    id.encode(asField: 2, into: &scratch)
    lanes[lane].head = Array(copying: scratch.bytes)
    lanes[lane].epoch &+= 1
    lanes[lane].isBlocked = false
    lanes[lane].lastError = UplinkError()
    lanes[lane].phase = .ready(broker: broker)
    enqueue(lane)
  }

  // MARK: Failures

  /// A step of a lane failed: it starts over after a back-off.
  mutating func failed(_ lane: Int, _ error: UplinkError) {
    lanes[lane].lastError = error
    lastError = error
    pause(lane)
  }

  /// Lets a lane look its topic up again after a back-off.
  mutating func pause(_ lane: Int) {
    lanes[lane].isBlocked = false
    lanes[lane].phase = .waiting(
      until: now.advanced(milliseconds: lanes[lane].backoff.next()))
    lanesAreDue = true
  }

  /// The lane's broker or producer is gone. The first time since a record was accepted the topic
  /// is looked up at once.
  mutating func loseProducer(_ lane: Int) {
    if lanes[lane].failures == 0 {
      lanes[lane].phase = .wantsSeed
    } else {
      pause(lane)
    }
    lanes[lane].failures += 1
    lanesAreDue = true
  }

  /// The broker of a lane has no connection any more.
  mutating func loseBroker(_ lane: Int) {
    switch lanes[lane].phase {
    case .ready: loseProducer(lane)
    case .attaching:
      lanes[lane].lastError = lastError
      pause(lane)
    // The call's own end does the rest.
    case .creating: break
    case .idle, .waiting, .wantsSeed, .lookingUp, .resolving: break
    }
  }
}
