import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics
import Records

// The owner of a topic that is replicated. A broker acknowledges and writes whatever it gets, also
// of a topic that was moved away. So what is acknowledged counts only when a look-up that began
// later still names the same owner.
extension DanubeUplink {
  /// So many acknowledged batches are confirmed at once, fewer when the next look-up is due.
  private static var batchesToConfirm: Int { 16 }

  /// Tells owners of topics apart: FNV-1a of 64 bits of the broker's URL, and never 0.
  private static func ownerNumber(_ url: [UInt8]) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in url {
      hash ^= UInt64(byte)
      hash &*= 0x0000_0100_0000_01b3
    }
    return max(hash, 1)
  }

  /// Whether batches may go to the owner; else says who it is.
  mutating func isOwnerAllowed(_ lane: Int) -> Bool {
    let owner = Self.ownerNumber(lanes[lane].replication.owner)
    if lanes[lane].replication.allowedOwner == owner { return true }
    if lanes[lane].replication.toldOwner != owner {
      lanes[lane].replication.toldOwner = owner
      progress.append(.replicationOwner(lanes[lane].id, owner))
    }
    return false
  }

  /// Asks who owns the topic: before the first batch, and again after acknowledgements.
  mutating func checkOwner(_ lane: Int, _ id: SlotID) {
    let replication = lanes[lane].replication
    guard !replication.isChecking,
      !replication.isOwnerKnown || replication.isUnsettled
    else { return }
    // Batches that are not confirmed hold up those behind them: with many there is no time to wait.
    guard now >= replication.checkAt || replication.unconfirmed >= Self.batchesToConfirm else {
      return waitForReplication(lane, until: replication.checkAt)
    }
    scratch.removeAll()
    TopicLookupRequest(requestID: takeRequestID(lane), topic: lanes[lane].lane.topic)
      .encode(into: &scratch)
    guard startControlCall(.check, .topicLookup, lane, id) else {
      // Where the broker takes one call at a time the stream has it.
      if replication.sentCount == 0 { finishStream(of: lane) }
      return waitForReplication(lane, until: now.advanced(milliseconds: 10))
    }
    metrics.lookups.add()
    lanes[lane].replication.isChecking = true
    lanes[lane].replication.unconfirmed = 0
    lanes[lane].replication.acknowledgedBeforeCheck = replication.acknowledged
    lanes[lane].replication.checkAt = now.advanced(milliseconds: limits.ownerCheckMilliseconds)
  }

  /// A look-up of the owner ended; `answer` is there when it succeeded.
  mutating func checkEnded(
    _ call: Call, _ status: StatusCode, _ text: [UInt8], _ answer: TopicLookupResponse?
  ) {
    let lane = call.lane
    guard lanes[lane].replication.isChecking else { return }
    lanes[lane].replication.isChecking = false
    resumeReplication(lane)
    guard call.epoch == lanes[lane].epoch, lanes[lane].isReady else { return }
    noteCheck(lane, answer == nil ? UplinkError(.lookup, status: status, text: text) : nil)
    guard let answer, answer.lookupType != .failed else {
      // Nobody owns it now, or nobody says: records wait for that.
      let isGone = status == .notFound || answer != nil
      if isGone, lanes[lane].replication.isUnsettled {
        // Who had it may have acknowledged since what nobody will read, also if it comes back.
        metrics.replicationMoved.add()
        lanes[lane].replication.note = UplinkError(.replicate, "nobody owns the topic")
        abandonReplication(lane)
      }
      lanes[lane].replication.isOwnerKnown = false
      if status == .notFound { loseProducer(lane) }
      return
    }
    let url = TopicOwner(answer).brokerURL
    let isNameless = Self.isNameless(url)
    // Brokers of one such name are told apart by where they are.
    let place = isNameless ? Array(" at \(connections[call.connection].address)".utf8) : []
    let owner = url + place
    let before = lanes[lane].replication.owner
    let bound = lanes[lane].replication.boundOwner
    // Where the producer was made without a look-up, or all brokers may have this name, the one
    // that was asked is the owner if it says so.
    let isHere = answer.lookupType == .connect
    let isBound = bound.isEmpty || isNameless ? isHere : owner == bound
    lanes[lane].replication.owner = owner
    if lanes[lane].replication.isUnsettled, owner != before || isNameless && !isHere {
      // What the last owner wrote since it was not the owner nobody will read, and the next one
      // would drop it as a repetition.
      metrics.replicationMoved.add()
      lanes[lane].replication.note = UplinkError(.replicate, "the topic was moved")
      abandonReplication(lane)
    }
    lanes[lane].replication.isOwnerKnown = isBound
    if isBound { confirm(lane) } else { loseProducer(lane) }
  }

  /// Says of a lane that its owner can't be looked up, without which nothing of it is delivered; or
  /// no more.
  private mutating func noteCheck(_ lane: Int, _ error: UplinkError?) {
    if let error, !lanes[lane].replication.isIdle {
      let topic = lanes[lane].lane.topic
      let verdict = LaneVerdict(status: error.status ?? .ok, text: error.text, topic: topic)
      lanes[lane].lastError = error
      lanes[lane].isBlocked = verdict == .blocked
      lanes[lane].replication.isCheckFailing = true
      lastError = error
    } else {
      endCheckTrouble(lane)
    }
  }

  /// The owner of a lane is known again, or nobody asks for it any more.
  mutating func endCheckTrouble(_ lane: Int) {
    guard lanes[lane].replication.isCheckFailing else { return }
    lanes[lane].replication.isCheckFailing = false
    lanes[lane].isBlocked = false
    let isInTrouble = lanes[lane].hasTrouble && lanes[lane].keys.hasFailing
    if !isInTrouble { lanes[lane].lastError = UplinkError() }
  }

  /// What was acknowledged before a look-up began is where it belongs.
  private mutating func confirm(_ lane: Int) {
    guard let number = lanes[lane].replication.acknowledgedBeforeCheck,
      let last = lanes[lane].replication.acknowledged
    else { return }
    if last == number { lanes[lane].replication.acknowledged = nil }
    progress.append(.replicated(lanes[lane].id, through: number))
  }
}
