import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics
public import Records

// Registration with the cluster, without which no topic is replicated.
extension DanubeUplink {
  /// Registrations that fail in a row before lanes go on without.
  private static var registrationAttempts: Int { 3 }
  /// When it is tried again to make a call that could not start.
  private static var retryMilliseconds: Int { 10 }
  /// Declarations may take so many bytes: what a broker takes as one message, less some room.
  private static var declarationBytes: Int { 3 << 20 }

  /// Whether a lane can be replicated. One with batches that may have been sent before the start
  /// waits longer for a registration that fails: nobody would tell a repetition.
  public func replicationState(of lane: LaneID, hasPlans: Bool = false) -> ReplicationState {
    let lane = place(of: lane)
    guard wantsReplication(lane) else { return .unavailable }
    let patience = limits.replicationPatienceMilliseconds
    // One has to fail after the wait: nobody may have been there to be asked.
    let isLeftAlone =
      !hasPlans || edge.failedAt >= edge.failingSince.advanced(milliseconds: patience)
    if edge.phase == .unavailable { return isLeftAlone ? .unavailable : .unknown }
    switch lanes[lane].replication.permission {
    // Until the cluster says otherwise.
    case .granted: return .available
    case .denied: return .unavailable
    case .unknown:
      let isRegistered = edge.phase == .registered || edge.phase == .beating
      let isFailing = !isRegistered && edge.failures >= Self.registrationAttempts
      return isFailing && isLeftAlone ? .unavailable : .unknown
    }
  }

  /// Whether a lane is to be replicated if the cluster lets it.
  func wantsReplication(_ lane: Int) -> Bool {
    let policy = lanes[lane].lane.policy
    guard policy.path != .publish, lanes[lane].lane.isReliable, !edge.name.isEmpty else {
      return false
    }
    return policy.isSoleWriter || edge.owns(lanes[lane].lane.topic)
  }

  /// A lane has its producer: its topic exists, so that a registration does not create it.
  mutating func noteReady(_ lane: Int) {
    lanes[lane].replication.isOwnerKnown = false
    guard wantsReplication(lane) else { return }
    if !lanes[lane].replication.isDeclared {
      edge.isOutdated = true
      if edge.phase == .registered {
        edge.nextAt = min(edge.nextAt, now.advanced(milliseconds: limits.ownerCheckMilliseconds))
      }
    }
    resumeReplication(lane)
  }

  /// Makes the calls of the registration that are due.
  mutating func keepRegistered(operations: inout OperationQueue) {
    guard !edge.name.isEmpty, !edge.isCalling, now >= edge.dueAt, !isShuttingDown else { return }
    if now >= edge.refusedAgainAt {
      edge.refusedAgainAt = .distantFuture
      edge.isOutdated = true
    }
    let isDue: Bool
    switch edge.phase {
    case .unregistered: isDue = edge.isOutdated
    case .unavailable: isDue = true
    case .registered: isDue = true
    case .registering, .beating: isDue = false
    }
    guard isDue, readyLaneCount > 0 else { return }
    if let id = seedConnection(operations: &operations) {
      if edge.phase == .registered, !edge.isOutdated {
        beat(id)
      } else {
        register(id)
      }
    }
    // No connection to a seed is open now, or the broker takes no more calls.
    if !edge.isCalling { edge.nextAt = now.advanced(milliseconds: Self.retryMilliseconds) }
  }

  /// When the next such call is due.
  var edgeDeadline: Instant {
    guard !edge.name.isEmpty, !edge.isCalling, readyLaneCount > 0,
      edge.phase != .unregistered || edge.isOutdated
    else { return .distantFuture }
    return edge.dueAt
  }

  private mutating func register(_ id: SlotID) {
    var declared: [Int] = []
    var left: [Int] = []
    var request = RegisterEdgeRequest(edgeName: edge.name, topics: [])
    var bytes = 0
    for lane in lanes.indices where lanes[lane].isReady && wantsReplication(lane) {
      // A sole writer replicates what nobody registers.
      guard edge.owns(lanes[lane].lane.topic) else {
        declared.append(lane)
        continue
      }
      bytes += lanes[lane].lane.topic.count + 16
      guard bytes <= Self.declarationBytes else {
        left.append(lane)
        continue
      }
      declared.append(lane)
      request.topics.append(EdgeTopicDeclaration(topicName: lanes[lane].lane.topic))
    }
    scratch.removeAll()
    request.encode(into: &scratch)
    guard startControlCall(.register, .registerEdge, nil, id) else { return }
    // Those that are not ready now are declared when they are.
    for lane in lanes.indices { lanes[lane].replication.isDeclared = false }
    for lane in declared { lanes[lane].replication.isDeclared = true }
    for lane in left {
      lanes[lane].replication.permission = .denied
      lanes[lane].replication.note = UplinkError(.register, "there are too many topics")
      abandonReplication(lane)
    }
    edge.isOutdated = false
    edge.phase = .registering
    metrics.registrations.add()
  }

  private mutating func beat(_ id: SlotID) {
    scratch.removeAll()
    EdgeHeartbeatRequest(edgeName: edge.name, configVersion: edge.configVersion)
      .encode(into: &scratch)
    if startControlCall(.heartbeat, .edgeHeartbeat, nil, id) { edge.phase = .beating }
  }

  // MARK: Answers

  /// RegisterEdge ended; `answer` is there when it succeeded. It says that it did even if it
  /// failed for all topics: each has an error of its own.
  mutating func registrationEnded(
    _ status: StatusCode, _ text: [UInt8], _ answer: RegisterEdgeResponse?
  ) {
    guard edge.phase == .registering else { return }
    guard let answer else {
      return registrationFailed(UplinkError(.register, status: status, text: text))
    }
    edge.phase = .registered
    edge.failures = 0
    edge.refusals = 0
    edge.lastError = UplinkError()
    edge.configVersion = answer.configVersion
    edge.nextAt = now.advanced(milliseconds: limits.edgeHeartbeatMilliseconds)
    if edge.isOutdated { edge.nextAt = now.advanced(milliseconds: limits.ownerCheckMilliseconds) }
    edge.refusedAgainAt = .distantFuture
    var results: [[UInt8]: [UInt8]] = [:]
    for topic in answer.topics { results[topic.topicName] = topic.error }
    for lane in lanes.indices where lanes[lane].replication.isDeclared {
      let topic = lanes[lane].lane.topic
      let isForeign = !edge.owns(topic)
      let error = isForeign ? [] : results[topic] ?? Array("the answer leaves it out".utf8)
      let isGranted = error.isEmpty
      lanes[lane].replication.permission = isGranted ? .granted : .denied
      lanes[lane].replication.note =
        isGranted ? UplinkError() : UplinkError(.register, text: withoutToken(error))
      if isGranted {
        resumeReplication(lane)
      } else {
        abandonReplication(lane)
        // What was wrong may be right by then.
        edge.refusedAgainAt = now.advanced(milliseconds: limits.edgeRetryMilliseconds)
      }
    }
  }

  private mutating func registrationFailed(_ error: UplinkError) {
    edge.lastError = error
    edge.isOutdated = true
    if edge.failures == 0 { edge.failingSince = now }
    edge.failedAt = now
    edge.failures += 1
    if error.status == .unimplemented { edge.refusals += 1 }
    let pause = limits.backoffMinimumMilliseconds << min(edge.failures, 16)
    let isGranted = lanes.indices.contains { lanes[$0].replication.permission == .granted }
    if edge.refusals >= (isGranted ? Self.registrationAttempts : 1) {
      // A broker without the service, or a proxy without the broker: it may be another one later.
      edge.phase = .unavailable
      edge.nextAt = now.advanced(milliseconds: min(pause, limits.edgeRetryMilliseconds))
      for lane in lanes.indices { abandonReplication(lane) }
      return
    }
    edge.phase = .unregistered
    edge.nextAt = now.advanced(milliseconds: min(pause, limits.backoffMaximumMilliseconds))
  }

  /// EdgeHeartbeat ended; `answer` is there when it succeeded.
  mutating func heartbeatEnded(
    _ status: StatusCode, _ text: [UInt8], _ answer: EdgeHeartbeatResponse?
  ) {
    guard edge.phase == .beating else { return }
    edge.nextAt = now.advanced(milliseconds: limits.edgeHeartbeatMilliseconds)
    edge.phase = .registered
    if let answer {
      edge.lastError = UplinkError()
      // The version may have moved although nothing changed for us.
      edge.configVersion = answer.configVersion
      return
    }
    edge.lastError = UplinkError(.heartbeat, status: status, text: text)
    if status == .notFound || status == .unimplemented {
      // The cluster has forgotten this edge. What was granted stays so until it says no.
      edge.isOutdated = true
      edge.nextAt = now
    }
  }

  /// A call of the registration was lost with its connection.
  mutating func edgeCallLost(_ kind: Call.Kind) {
    if kind == .register {
      registrationEnded(.unavailable, Array("the connection ended".utf8), nil)
    } else {
      heartbeatEnded(.unavailable, Array("the connection ended".utf8), nil)
    }
  }
}
