import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics

// Calls: started with a deadline, matched with their answers, given up.
extension DanubeConsumer {
  /// Starts a call with the message in `scratch`; nil when the connection takes none now.
  mutating func startCall(
    _ kind: ConsumerCall.Kind, _ method: DanubeMethod, session: UInt32, on connection: SlotID
  ) -> UInt64? {
    guard !calls.isFull else { return nil }
    let timeout = method == .receiveMessages ? nil : limits.callDeadlineMilliseconds
    let deadline = timeout.map { now.advanced(milliseconds: $0) } ?? .distantFuture
    let slot = calls.insert(
      ConsumerCall(kind: kind, session: session, connection: connection, deadline: deadline))
    let tag = Self.tag(of: slot)
    let isStarted = connections[connection].startCall(
      method, tag: tag, timeoutMilliseconds: timeout, message: scratch, at: now)
    if isStarted { return tag }
    _ = calls.remove(slot)
    return nil
  }

  /// The broker only echoes request ids; they tell calls apart in its logs.
  mutating func takeRequestID() -> UInt64 {
    requestID &+= 1
    return requestID
  }

  private static func tag(of slot: SlotID) -> UInt64 {
    UInt64(slot.generation) << 32 | UInt64(slot.index)
  }

  private func slot(of tag: UInt64) -> SlotID? {
    let slot = SlotID(
      index: UInt32(truncatingIfNeeded: tag), generation: UInt32(truncatingIfNeeded: tag >> 32))
    return calls.contains(slot) ? slot : nil
  }

  /// A response message came over `id`.
  mutating func responseArrived(_ tag: UInt64, _ id: SlotID) {
    guard let slot = slot(of: tag) else { return }
    let kind = calls[slot].kind
    if case .receive(let partition) = kind {
      if calls[slot].session == partitions[partition].session {
        messageArrived(partition, session: calls[slot].session, id)
      }
    } else {
      calls[slot].answer = connections[id].answer(to: kind)
    }
  }

  /// A call ended.
  mutating func completed(_ tag: UInt64, _ status: StatusCode, _ id: SlotID) {
    guard let slot = slot(of: tag) else { return }
    let call = calls.remove(slot)
    let outcome: CallEnd.Outcome
    if status == .ok {
      outcome = .success(call.answer)
    } else {
      let text = connections[id].statusText
      let shown = text.isEmpty ? "\(status)" : "\(status): \(text)"
      outcome = status == .notFound ? .notFound(shown) : .failure(shown)
    }
    ended(CallEnd(call: call, outcome: outcome))
  }

  private mutating func ended(_ end: CallEnd) {
    if let partition = end.call.partition, partitions[partition].session != end.call.session {
      return
    }
    switch end.call.kind {
    case .partitions: partitionsEnded(end)
    case .lookup(let partition): lookupEnded(partition, end)
    case .subscribe(let partition): subscribeEnded(partition, end)
    case .receive(let partition): streamEnded(partition, end.outcome)
    case .health(let partition): healthEnded(partition, end.outcome)
    case .settle(let place): settlementEnded(place, end.outcome)
    }
  }

  /// Ends a call without its answer.
  mutating func cancelCall(_ tag: UInt64) {
    guard let slot = slot(of: tag) else { return }
    let call = calls.remove(slot)
    if connections.contains(call.connection), connections[call.connection].isOpen {
      connections[call.connection].session.cancelCall(tag: tag)
    }
  }

  /// Calls that had no answer in time have failed.
  mutating func expireCalls() {
    for index in 0..<calls.upperBound {
      guard let slot = calls.tenant(at: index), calls[slot].deadline <= now else { continue }
      let id = calls[slot].connection
      guard connections[id].isListening else { continue }
      let call = calls.remove(slot)
      connections[id].session.cancelCall(tag: Self.tag(of: slot))
      connections[id].keepalive.doubt()
      ended(CallEnd(call: call, outcome: .failure("no answer in time")))
    }
  }

  /// When the next call has to be given up.
  var callDeadline: Instant {
    var deadline = Instant.distantFuture
    for index in 0..<calls.upperBound {
      guard let slot = calls.tenant(at: index), connections[calls[slot].connection].isListening
      else { continue }
      deadline = min(deadline, calls[slot].deadline)
    }
    return deadline
  }

  /// Answers could not be heard while receiving paused: their time begins again.
  mutating func extendCalls(on id: SlotID) {
    let deadline = now.advanced(milliseconds: limits.callDeadlineMilliseconds)
    for index in 0..<calls.upperBound {
      guard let slot = calls.tenant(at: index), calls[slot].connection == id,
        calls[slot].deadline != .distantFuture
      else { continue }
      calls[slot].deadline = max(calls[slot].deadline, deadline)
    }
  }

  /// The connection is gone: whether the broker got its calls is not known.
  mutating func loseCalls(on id: SlotID, _ text: String) {
    for index in 0..<calls.upperBound {
      guard let slot = calls.tenant(at: index), calls[slot].connection == id else { continue }
      let call = calls.remove(slot)
      switch call.kind {
      case .settle(let place):
        messages.settlementFailed(place, counts: false, retryAt: now)
      case .partitions: discoveryFailed(text)
      case .lookup(let partition):
        if partitions[partition].session == call.session {
          failed(partition, "looking \(partitions[partition].name) up: \(text)")
        }
      // The broker's partitions are told on their own.
      case .subscribe, .receive, .health: break
      }
    }
  }
}
