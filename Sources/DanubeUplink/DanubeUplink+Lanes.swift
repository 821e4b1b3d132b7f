import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics
public import Records

// Lanes on their way to a producer.
extension DanubeUplink {
  /// The first lanes are those of the configuration: they keep memory for many keys at a time.
  private static var busyLanes: Int { 256 }

  /// Adds a lane; without an `id` its `LaneID` is the number of lanes so far. Its topic is looked
  /// up, and its producer created, as soon as the uplink has started. Takes 4 bytes for each number
  /// up to the highest id.
  public mutating func addLane(_ lane: LaneDescription, id: LaneID? = nil) {
    let number = id.map { Int($0.rawValue) } ?? lanes.count
    while lanePlaces.count <= number { lanePlaces.append(-1) }
    precondition(lanePlaces[number] < 0, "there is a lane with this id")
    lanePlaces[number] = Int32(lanes.count)
    let backoff = Backoff(
      minimumMilliseconds: limits.backoffMinimumMilliseconds,
      maximumMilliseconds: limits.backoffMaximumMilliseconds, seed: random.next())
    let keptCapacity = lanes.count < Self.busyLanes ? 1024 : 64
    lanes.append(
      LaneState(
        id: LaneID(rawValue: UInt32(number)), lane: lane, backoff: backoff,
        keys: KeyTable(seed: random.next(), keptCapacity: keptCapacity)))
    if isStarted { setPhase(.wantsSeed, of: lanes.count - 1) }
  }

  /// Gives a lane one more id, which batches may have.
  public mutating func addID(_ id: LaneID, of lane: LaneID) {
    let number = Int(id.rawValue)
    while lanePlaces.count <= number { lanePlaces.append(-1) }
    precondition(lanePlaces[number] < 0, "there is a lane with this id")
    lanePlaces[number] = Int32(place(of: lane))
  }

  /// The place among the lanes of the lane with this id.
  func place(of lane: LaneID) -> Int {
    let number = Int(lane.rawValue)
    precondition(
      number < lanePlaces.count && lanePlaces[number] >= 0, "a lane that the uplink does not have")
    return Int(lanePlaces[number])
  }

  /// Moves a lane to a phase and into the queue where it waits there.
  mutating func setPhase(_ phase: LanePhase, of lane: Int) {
    if let broker = lanes[lane].broker {
      brokers[broker].laneCount -= 1
      if brokers[broker].laneCount == 0 { brokersAreDue = true }
    }
    if lanes[lane].isReady { readyLaneCount -= 1 }
    lanes[lane].phase = phase
    if let broker = lanes[lane].broker { brokers[broker].laneCount += 1 }
    switch phase {
    case .wantsSeed: seeking.append(lane)
    case .attaching(let broker): brokers[broker].attaching.append(lane)
    case .waiting(let until), .resolving(_, _, let until):
      laneTimers.schedule(Token(rawValue: UInt64(lane)), at: until)
    case .ready: readyLaneCount += 1
    case .idle, .lookingUp, .creating: break
    }
  }

  /// Lets lanes go on that have waited long enough.
  mutating func resumeLanes() {
    while let token = laneTimers.popDue(at: now) {
      if token.rawValue & Self.replicationTimer != 0 {
        replicationTimerFired(Int(token.rawValue & ~Self.replicationTimer))
        continue
      }
      let lane = Int(token.rawValue)
      switch lanes[lane].phase {
      case .waiting(let until) where until <= now: setPhase(.wantsSeed, of: lane)
      case .resolving(let host, _, let until) where until <= now: resolvingEnded(host, of: lane)
      // A timer of an earlier wait, which something else ended.
      default: break
      }
    }
  }

  /// Lets every lane go on that can, within the limit on calls.
  mutating func driveLanes(operations: inout OperationQueue) {
    brokerDeadline = .distantFuture
    attachLanes(operations: &operations)
    seekLanes(operations: &operations)
    keepRegistered(operations: &operations)
    driveReplication()
    if brokersAreDue {
      brokersAreDue = false
      retireUnused()
      forgetUnused()
    }
    metrics.lanesReady.set(readyLaneCount)
  }

  /// Look-ups and new producers leave most of a connection's calls to records.
  private var controlCallLimit: Int {
    max(limits.maximumCallsInFlight / 4, min(limits.maximumCallsInFlight, 16))
  }

  // MARK: Look-ups

  /// Starts look-ups. Without any lane a connection to a seed is kept, so that it is known whether
  /// there is a broker.
  private mutating func seekLanes(operations: inout OperationQueue) {
    if isStarted, lanes.isEmpty { _ = seedConnection(operations: &operations) }
    while controlCallsInFlight < controlCallLimit, let lane = seeking.first {
      if case .wantsSeed = lanes[lane].phase {
        guard let id = seedConnection(operations: &operations), startLookup(lane, id) else {
          return
        }
      }
      seeking.popFirst()
    }
  }

  private mutating func startLookup(_ lane: Int, _ id: SlotID) -> Bool {
    scratch.removeAll()
    TopicLookupRequest(requestID: takeRequestID(lane), topic: lanes[lane].lane.topic)
      .encode(into: &scratch)
    guard startControlCall(.lookup, .topicLookup, lane, id) else { return false }
    setPhase(.lookingUp, of: lane)
    metrics.lookups.add()
    return true
  }

  // MARK: Producers

  private mutating func attachLanes(operations: inout OperationQueue) {
    for broker in brokers.indices where !brokers[broker].attaching.isEmpty {
      attachLanes(of: broker, operations: &operations)
    }
  }

  private mutating func attachLanes(of broker: Int, operations: inout OperationQueue) {
    while controlCallsInFlight < controlCallLimit, let lane = brokers[broker].attaching.first {
      if case .attaching(broker) = lanes[lane].phase {
        guard let id = attachConnection(broker, operations: &operations),
          startCreate(lane, broker, id)
        else { return }
      }
      brokers[broker].attaching.popFirst()
    }
  }

  /// A broker's open connection. Otherwise one is being opened, or `brokerDeadline` says when to
  /// try again.
  private mutating func attachConnection(
    _ broker: Int, operations: inout OperationQueue
  ) -> SlotID? {
    if brokers[broker].current == nil, now >= brokers[broker].retryAt {
      brokers[broker].current = connect(broker, operations: &operations)
    }
    guard let id = brokers[broker].current else {
      brokerDeadline = min(brokerDeadline, brokers[broker].retryAt)
      return nil
    }
    return connections[id].isOpen ? id : nil
  }

  private mutating func startCreate(_ lane: Int, _ broker: Int, _ id: SlotID) -> Bool {
    connections[id].isRetired = false
    scratch.removeAll()
    let request = ProducerRequest(
      requestID: takeRequestID(lane), producerName: lanes[lane].lane.producerName,
      topicName: lanes[lane].lane.topic, accessMode: .shared,
      dispatchStrategy: lanes[lane].lane.isReliable ? .reliable : .nonReliable)
    request.encode(into: &scratch)
    guard startControlCall(.create, .createProducer, lane, id) else { return false }
    setPhase(.creating(broker: broker), of: lane)
    return true
  }

  /// Starts a call with the message in `scratch`; false when the connection takes none now: then
  /// the lane is looked at again in the next turn. Without a lane the call is the gateway's.
  mutating func startControlCall(
    _ kind: Call.Kind, _ method: DanubeMethod, _ lane: Int?, _ id: SlotID
  ) -> Bool {
    guard connections[id].session.canStartCall else { return false }
    let record = RecordRef(batch: BatchID(rawValue: 0), index: 0)
    let call = Call(
      kind, lane: lane ?? -1, epoch: lane.map { lanes[$0].epoch } ?? 0, record: record,
      connection: id, sentMark: connections[id].linkMark, startedAt: now)
    let tag = calls.insert(call)
    let isStarted = connections[id].startCall(
      method, tag: tag, timeoutMilliseconds: limits.callDeadlineMilliseconds, message: scratch,
      at: now)
    if isStarted { controlCallsInFlight += 1 } else { calls.remove(tag) }
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
    switch status {
    case .ok:
      if let answer, answer.lookupType != .failed {
        lanes[lane].replication.boundOwner = TopicOwner(answer).brokerURL
        follow(answer, lane, id)
      } else if answer != nil {
        createOnSeed(lane, id)
      } else {
        failed(lane, UplinkError(.lookup, "the answer is not a TopicLookupResponse"))
      }
    case .notFound: createOnSeed(lane, id)
    default:
      failed(lane, .lookup, status, text)
    }
  }

  /// Nobody serves the topic yet: CreateProducer creates it, on any broker.
  private mutating func createOnSeed(_ lane: Int, _ id: SlotID) {
    let broker = connections[id].broker
    lanes[lane].replication.boundOwner = []
    let scheme = brokers[broker].usesTLS ? "https" : "http"
    lanes[lane].brokerURL = Array("\(scheme)://\(brokers[broker].authority)".utf8)
    setPhase(.attaching(broker: broker), of: lane)
  }

  /// CreateProducer of a lane ended; `answer` is there when it succeeded.
  mutating func createEnded(
    _ lane: Int, _ status: StatusCode, _ text: [UInt8], _ answer: ProducerResponse?
  ) {
    guard case .creating(let broker) = lanes[lane].phase else { return }
    switch status {
    case .ok:
      if let answer {
        becomeReady(lane, broker, producerID: answer.producerID)
      } else {
        failed(lane, UplinkError(.create, "the answer is not a ProducerResponse"))
      }
    default:
      // In a cluster the first answer for a new topic is UNAVAILABLE: it is assigned soon. A seed
      // that was asked because nobody has the topic may also be one that can't make it.
      if lanes[lane].replication.boundOwner.isEmpty { leaveSeed(broker) }
      failed(lane, .create, status, text)
    }
  }

  private mutating func becomeReady(_ lane: Int, _ broker: Int, producerID: UInt64) {
    metrics.producersCreated.add()
    let id = MessageID(producerID: producerID, brokerAddress: lanes[lane].brokerURL)
    scratch.removeAll()
    id.encode(asField: 2, into: &scratch)
    lanes[lane].head = Array(copying: scratch.bytes)
    lanes[lane].brokerURL = []
    lanes[lane].epoch &+= 1
    lanes[lane].unansweredSince = nil
    lanes[lane].isBlocked = false
    lanes[lane].replication.isCheckFailing = false
    lanes[lane].strayRedirects = 0
    let isInTrouble = lanes[lane].hasTrouble && lanes[lane].keys.hasFailing
    if !isInTrouble { lanes[lane].lastError = UplinkError() }
    setPhase(.ready(broker: broker), of: lane)
    noteReady(lane)
    enqueue(lane)
  }

  // MARK: Failures

  /// A step of a lane failed: it starts over after a back-off.
  mutating func failed(_ lane: Int, _ error: UplinkError) {
    lanes[lane].lastError = error
    lastError = error
    pause(lane)
  }

  /// A call of a lane failed: what the broker says decides how long the lane rests.
  private mutating func failed(
    _ lane: Int, _ source: UplinkError.Source, _ status: StatusCode, _ text: [UInt8]
  ) {
    let error = UplinkError(source, status: status, text: text)
    switch LaneVerdict(status: status, text: text, topic: lanes[lane].lane.topic) {
    case .again: failed(lane, error)
    case .blocked:
      lanes[lane].lastError = error
      lastError = error
      lanes[lane].isBlocked = true
      wait(lane, milliseconds: limits.blockedMilliseconds)
    }
  }

  /// Lets a lane look its topic up again after a back-off.
  mutating func pause(_ lane: Int) {
    lanes[lane].isBlocked = false
    wait(lane, milliseconds: lanes[lane].backoff.next())
  }

  private mutating func wait(_ lane: Int, milliseconds: Int) {
    setPhase(.waiting(until: now.advanced(milliseconds: milliseconds)), of: lane)
  }

  /// The lane's broker or producer is gone. The first time since a record was accepted the topic
  /// is looked up at once.
  mutating func loseProducer(_ lane: Int) {
    if lanes[lane].failures == 0 {
      setPhase(.wantsSeed, of: lane)
    } else {
      pause(lane)
    }
    lanes[lane].failures += 1
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
