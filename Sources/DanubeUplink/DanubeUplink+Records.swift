import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics
public import Records

// Records: from the batch into calls, and from the answers to progress.
extension DanubeUplink {
  /// Calls a lane starts in a row before the next lane's turn.
  private static var callsInARow: Int { 64 }

  /// Takes all records of a sealed batch. O(records).
  public mutating func submit(_ batch: BatchID) {
    let lane = place(of: store.lane(of: batch))
    precondition(!lanes[lane].isWithdrawn, "records of the lane are still in calls")
    let place = Int(batch.rawValue)
    if place >= pins.count {
      pins.append(contentsOf: repeatElement(Pins(), count: place + 1 - pins.count))
    }
    pins[place].takenBackCount = 0
    let count = store.recordCount(of: batch)
    if count == 0 { progress.append(.released(batch)) }
    recordsUnderWay += count
    lanes[lane].recordsUnderWay += count
    for index in 0..<count {
      let record = RecordRef(batch: batch, index: UInt32(index))
      store.setNext(nil, of: record)
      let previous = lanes[lane].keys.append(record.packed, hash: store.keyHash(of: record))
      if let previous = previous.flatMap(RecordRef.init(packed:)) {
        store.setNext(record, of: previous)
      } else {
        keysInFlight += 1
        lanes[lane].sendable.append(record, in: store)
      }
    }
    enqueue(lane)
  }

  /// Takes over the smaller block of a batch that was submitted before. Links and calls stay as
  /// they are: records keep their references. Sends under way may still name the old block.
  public mutating func compact(_ batch: BatchID) {
    // A batch may have been settled while this was on its way.
    if store.unsettledCount(of: batch) > 0 { store.takeCompaction(of: batch) }
    if pins[Int(batch.rawValue)].count == 0 {
      progress.append(.compacted(batch))
    } else {
      pins[Int(batch.rawValue)].awaitsCompaction = true
    }
  }

  /// Lets a lane have its turn if it has something to send.
  mutating func enqueue(_ lane: Int) {
    guard !lanes[lane].isQueued, !lanes[lane].sendable.isEmpty, lanes[lane].isReady else { return }
    lanes[lane].isQueued = true
    runnable.append(lane)
  }

  // MARK: Sending

  private enum Turn {
    /// Nothing to send, or nothing that can be sent before something else happens.
    case done
    /// The connection takes no more calls now.
    case full
    /// There is more.
    case more
  }

  /// Starts as many calls as the windows allow, the lanes in turn.
  mutating func startSends() {
    var withoutProgress = 0
    while withoutProgress < runnable.count, let lane = runnable.popFirst() {
      switch sendSome(lane) {
      case .done:
        lanes[lane].isQueued = false
      case .full:
        runnable.append(lane)
        withoutProgress += 1
      case .more:
        runnable.append(lane)
        withoutProgress = 0
      }
    }
  }

  /// A lane without an answer for so long counts as one that the broker lets hang.
  private static var hangingMilliseconds: Int { 1_000 }

  private enum Share {
    case call
    /// Its own calls have to end first, or to grow old.
    case later
    /// Calls have to end first.
    case full
  }

  /// Whether a lane may start one more call. Topics that the broker lets hang must not stop the
  /// others: a lane holds at most three times what it leaves free, which is three quarters of the
  /// window for one, and of any number of lanes that fill their share the next one still finds
  /// something. A lane that has had no answer yet, or none lately, begins only a few at a time,
  /// and lanes that are known to hang leave a quarter to those that are not.
  ///
  /// Calls that are old do not count for those few: with some stuck keys, and others that publish
  /// seldom, a lane looks like one that hangs, and yet its next record is answered at once.
  private mutating func share(of lane: Int, on id: SlotID) -> Share {
    if lanes.count == 1 { return .call }
    let free = connections[id].freeSends
    let window = connections[id].sendLimit
    let isHanging = lanes[lane].isHanging(at: now, afterMilliseconds: Self.hangingMilliseconds)
    guard lanes[lane].callsInFlight < 3 * free else { return .full }
    if !lanes[lane].isTrusted {
      let few = max(window / 64, lanes[lane].wasAnswered ? 4 : 1)
      guard lanes[lane].youngCalls.count(at: now) < few else { return .later }
    }
    return isHanging && free <= window / 4 ? .full : .call
  }

  /// Lets a lane go on when its calls have grown older, if none of them ends before.
  private mutating func sendsLater(_ lane: Int) {
    guard !lanes[lane].isWaitingForTime else { return }
    lanes[lane].isWaitingForTime = true
    waitingForTime.append(lane)
    turnOfCalls = min(turnOfCalls, YoungCalls.nextTurn(after: now))
  }

  /// Lets lanes go on whose calls have grown older.
  mutating func resumeSends() {
    guard turnOfCalls <= now else { return }
    turnOfCalls = .distantFuture
    let waiting = waitingForTime
    waitingForTime.removeAll(keepingCapacity: true)
    for lane in waiting {
      lanes[lane].isWaitingForTime = false
      enqueue(lane)
    }
  }

  private mutating func usedUp(_ id: SlotID) -> Turn {
    connections[id].window.usedUp()
    return .full
  }

  private mutating func sendSome(_ lane: Int) -> Turn {
    guard case .ready(let broker) = lanes[lane].phase, let id = brokers[broker].current,
      connections[id].isOpen
    else { return .done }
    for _ in 0..<Self.callsInARow {
      guard let record = lanes[lane].sendable.first else { return .done }
      guard connections[id].freeSends > 0 else { return usedUp(id) }
      switch share(of: lane, on: id) {
      case .call: break
      case .later:
        sendsLater(lane)
        return .done
      case .full: return usedUp(id)
      }
      guard startSend(record, lane, id) else { return .full }
      lanes[lane].sendable.removeFirst(in: store)
      lanes[lane].callsInFlight += 1
      lanes[lane].youngCalls.began(at: now)
      if lanes[lane].unansweredSince == nil { lanes[lane].unansweredSince = now }
      sendsInFlight += 1
    }
    return .more
  }

  /// The request is head, body and, where the clock had to be corrected, a tail: protobuf merges
  /// the head's `msg_id` with the one in the body, and takes the last publish time, so that stored
  /// bytes never change.
  private mutating func startSend(_ record: RecordRef, _ lane: Int, _ id: SlotID) -> Bool {
    scratch.removeAll()
    scratch.appendField(1, varint: takeRequestID(lane))
    scratch.append(contentsOf: lanes[lane].head)
    let body = store.messageBody(of: record)
    let isReferenced = body.count >= ClientSession.referenceThresholdBytes
    let attempts = lanes[lane].keys.attempts(hash: store.keyHash(of: record))
    let patience = min(attempts + lanes[lane].attemptsBefore, CallTable.maximumPatience)
    writeTail(of: record, body)
    let requestBytes = UInt64(scratch.count + body.count + tail.count)
    let tag = calls.insert(
      Call(
        .send, lane: lane, epoch: lanes[lane].epoch, record: record, connection: id,
        patience: patience, requestBytes: requestBytes,
        sentMark: connections[id].sentMark(requestBytes: requestBytes),
        isQueued: connections[id].isBackedUp, startedAt: now))
    let isStarted = connections[id].startSend(
      tag: tag, timeoutMilliseconds: deadlineMilliseconds(patience: patience), head: scratch,
      body: body, bodyTag: isReferenced ? record.batch.rawValue : nil, tail: tail, at: now)
    if !isStarted {
      calls.remove(tag)
    } else if isReferenced {
      pins[Int(record.batch.rawValue)].count += 1
    }
    return isStarted
  }

  /// Records that are sent again from the disk were corrected when they were read.
  private mutating func writeTail(of record: RecordRef, _ body: MemorySlice) {
    tail.removeAll()
    guard clockCorrection.publishTimes != nil, !store.isReplay(record.batch),
      let times = clockCorrection.publishTimes(
        receivedNanoseconds: store.receivedNanoseconds(of: record)),
      let time = store.withElement(
        of: record,
        { times.corrected(in: $0.extracting(droppingFirst: $0.byteCount - body.count)) })
    else { return }
    PublishTimes.field(time, into: &tail)
  }

  // MARK: Answers

  /// A response message is complete; look-ups and creations are read here, while it is at hand.
  mutating func messageArrived(_ tag: UInt64, _ id: SlotID) {
    guard let call = calls[tag], call.connection == id else { return }
    switch call.kind {
    case .send: calls.setHasMessage(tag)
    case .lookup:
      let answer = connections[id].lookupAnswer
      calls.remove(tag)
      controlCallsInFlight -= 1
      lookupEnded(call.lane, .ok, [], answer, id)
    case .create:
      let answer = connections[id].producerAnswer
      calls.remove(tag)
      controlCallsInFlight -= 1
      createEnded(call.lane, .ok, [], answer)
    case .replicate: replicateAcknowledged(tag, call, connections[id].replicateAnswer)
    case .check, .register, .heartbeat:
      calls.remove(tag)
      controlCallsInFlight -= 1
      switch call.kind {
      case .check: checkEnded(call, .ok, [], connections[id].lookupAnswer)
      case .register: registrationEnded(.ok, [], connections[id].registrationAnswer)
      default: heartbeatEnded(.ok, [], connections[id].heartbeatAnswer)
      }
    }
  }

  /// A call ended.
  mutating func completed(_ tag: UInt64, _ status: StatusCode, _ id: SlotID) {
    guard let call = calls[tag], call.connection == id else { return }
    // It has no place for more: that says nothing of the topic.
    let isUntouched = connections[id].session.currentCallWasUntouched
    let status = isUntouched ? .resourceExhausted : status
    let text = status == .ok ? [] : withoutToken(connections[id].statusText)
    finish(call, tag, status, text, isUntouched: isUntouched)
    if call.kind == .send { lanes[call.lane].answered(at: now) }
  }

  /// A call ended without an answer that can be used; `isUntouched` when the broker had no place
  /// for it, as good as any.
  private mutating func finish(
    _ call: Call, _ tag: UInt64, _ status: StatusCode, _ text: [UInt8], isUntouched: Bool = false
  ) {
    calls.remove(tag)
    let leavesSeed = !isUntouched && (call.kind == .lookup || call.kind == .register)
    if leavesSeed, status != .notFound { leaveSeed(connections[call.connection].broker) }
    switch call.kind {
    case .lookup:
      controlCallsInFlight -= 1
      lookupEnded(call.lane, status, text, nil, call.connection)
    case .create:
      controlCallsInFlight -= 1
      createEnded(call.lane, status, text, nil)
    case .replicate: streamEnded(tag, call, status, text)
    case .check:
      controlCallsInFlight -= 1
      checkEnded(call, status, text, nil)
    case .register:
      controlCallsInFlight -= 1
      registrationEnded(status, text, nil)
    case .heartbeat:
      controlCallsInFlight -= 1
      heartbeatEnded(status, text, nil)
    case .send:
      leaveCall(call)
      let verdict = SendVerdict(
        status: status, hasMessage: call.hasMessage, text: text,
        topic: lanes[call.lane].lane.topic,
        names: status == .permissionDenied
          ? [edge.name, lanes[call.lane].lane.producerName] : [])
      judge(verdict, call, status, text)
      enqueue(call.lane)
    }
  }

  private mutating func judge(
    _ verdict: SendVerdict, _ call: Call, _ status: StatusCode, _ text: [UInt8]
  ) {
    if verdict != .accepted {
      lastError = UplinkError(.send, status: status, text: text)
    }
    switch verdict {
    case .accepted:
      metrics.accepted.add()
      let nanoseconds = now.nanoseconds(since: call.startedAt)
      metrics.sendDuration.record(nanoseconds)
      roundTrip.add(nanoseconds)
      followAnswer(call)
      if lanes[call.lane].failures > 0 { lanes[call.lane].failures = 0 }
      lanes[call.lane].backoff.reset()
      lanes[call.lane].attemptsBefore = 0
      settle(call.record, call.lane, .accepted(call.record))
      endTrouble(call.lane)
    case .refused(let reason):
      metrics.refused[Int(reason.rawValue)].add()
      lanes[call.lane].lastError = lastError
      noteRefusal(of: call.record)
      settle(call.record, call.lane, .refused(call.record, reason))
    case .retryRecord(let reason):
      if lanes[call.lane].isWithdrawn { return giveBack(call.record, call.lane) }
      metrics.retried[Int(reason.rawValue)].add()
      if status == .deadlineExceeded { followAnswer(call) }
      noteTrouble(call.lane)
      backOff(call.record, call.lane)
    case .retryLane(let reason):
      // A connection that is going away refuses calls: the next one takes them.
      let isGoingAway =
        status == .unavailable && connections.contains(call.connection)
        && connections[call.connection].session.isDraining
      sendAgain(call, reason, isFault: !isGoingAway)
      if !isGoingAway, lanes[call.lane].isReady, lanes[call.lane].epoch == call.epoch {
        lanes[call.lane].lastError = lastError
        loseProducer(call.lane)
      }
    }
  }

  /// A call's connection is gone.
  mutating func lose(_ call: Call, _ tag: UInt64) {
    calls.remove(tag)
    switch call.kind {
    case .lookup, .create:
      controlCallsInFlight -= 1
      lanes[call.lane].lastError = lastError
      pause(call.lane)
    case .replicate: streamEnded(tag, call, .unavailable, Array("the connection ended".utf8))
    case .check:
      controlCallsInFlight -= 1
      checkEnded(call, .unavailable, Array("the connection ended".utf8), nil)
    case .register, .heartbeat:
      controlCallsInFlight -= 1
      edgeCallLost(call.kind)
    case .send:
      leaveCall(call)
      sendAgain(call, .connectionLost)
      enqueue(call.lane)
    }
  }

  private mutating func leaveCall(_ call: Call) {
    lanes[call.lane].callsInFlight -= 1
    lanes[call.lane].youngCalls.ended(startedAt: call.startedAt)
    sendsInFlight -= 1
  }

  /// How long an answer is waited for. It doubles with the failures of a record: a large one on a
  /// slow line must get through some time, and not be cut off and sent again for ever.
  func deadlineMilliseconds(patience: Int) -> Int { limits.callDeadlineMilliseconds << patience }

  /// Gives calls up that have had no answer in time. The time begins again, within bounds, as long
  /// as the request has not left for want of room in a network that takes bytes, and once when it
  /// has: to cancel it and send it again would only make things worse.
  mutating func expireCalls() {
    for patience in 0...CallTable.maximumPatience {
      let limit = deadlineMilliseconds(patience: patience)
      while let tag = calls.oldestTag(patience: patience), let call = calls[tag],
        now >= call.waitsSince.advanced(milliseconds: limit)
      {
        if call.kind == .replicate {
          streamExpired(tag, call)
          continue
        }
        let isLeaving = connections[call.connection].isLeaving(call)
        if isLeaving || call.isQueued, isWithinBounds(call) {
          calls.renew(tag, at: now, isQueued: isLeaving)
        } else {
          connections[call.connection].cancel(call, tag: tag)
          finish(call, tag, .deadlineExceeded, Array("no answer in time".utf8))
        }
      }
    }
  }

  private func isWithinBounds(_ call: Call) -> Bool {
    let longest = deadlineMilliseconds(patience: CallTable.maximumPatience)
    return now < call.startedAt.advanced(milliseconds: longest)
  }
}
