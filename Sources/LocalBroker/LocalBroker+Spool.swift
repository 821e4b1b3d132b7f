import Bytes
import DanubeProtocol
import GRPC
public import IOPort
public import Records
public import Spool

// The broker's part in what becomes of records on the disk.
extension LocalBroker {
  /// The log that reliable topics live in; nil when they are kept in memory alone. To look at: what
  /// is to be done with it the broker does.
  public var spool: Spool? {
    _read { yield state.spool }
    _modify { yield &state.spool }
  }

  /// Whether it has a spool.
  public var isSpooling: Bool {
    switch state.spool {
    case .some: return true
    case .none: return false
    }
  }

  /// What the spool holds; nil without one, or before it is ready. Allocates.
  public var spoolListing: SpoolListing? {
    switch state.spool {
    case .some(let spool): return spool.isReady ? spool.listing : nil
    case .none: return nil
    }
  }

  /// What a later version of the program wrote to the spool; nil when there is nothing of the kind,
  /// or it is not known yet. Then no client is ever served.
  public var spoolLaterVersion: SpoolLaterVersion? {
    switch state.spool {
    case .some(let spool): return spool.laterVersion
    case .none: return nil
    }
  }

  /// Sets a subscription of a topic back: what is still in the spool from `sequence` on is
  /// delivered again. What its consumers hold at this moment may come twice more.
  public mutating func replay(
    _ topic: [UInt8], subscription: [UInt8], from sequence: UInt64, at now: Instant
  ) throws(SpoolChangeError) -> SpoolChange {
    state.now = now
    return try state.replay(topic, subscription: subscription, from: sequence)
  }

  /// Gives up the records of a topic below `end`, or all; with `isTrial` only tells what that would
  /// come to. No subscription misses them.
  public mutating func drop(
    _ topic: [UInt8], before end: UInt64?, isTrial: Bool, at now: Instant
  ) throws(SpoolChangeError) -> SpoolChange {
    state.now = now
    return try state.drop(topic, before: end, isTrial: isTrial)
  }

  /// Changes of cursors so far, and how many of them are on the disk.
  public var spoolChanges: (made: UInt64, saved: UInt64) {
    switch state.spool {
    case .some(let spool): return (spool.changeCount, spool.savedChangeCount)
    case .none: return (0, 0)
    }
  }

  /// Whether clients are served: it has no spool, or the spool knows what it holds.
  public var isReady: Bool { state.isOpen }

  /// Whether what is on the disk could not be read, and is about to be tried again.
  public var isStartDelayed: Bool {
    switch state.spool {
    case .some(let spool): return spool.isStartDelayed
    case .none: return false
    }
  }

  /// Whether records wait that the disk did not take: it is full, or fails.
  public var isDiskStuck: Bool {
    switch state.spool {
    case .some(let spool): return spool.isStuck
    case .none: return false
    }
  }

  /// The oldest batch of the gateway that waits for the disk; nil when there is none. O(calls of
  /// clients that came before it).
  public var oldestUnsettledBatch: BatchID? {
    for place in 0..<state.awaited.count {
      if case .batch(let batch) = state.awaited[place].waiter { return batch }
    }
    return waitingBatches.first
  }

  /// Takes a completion whose token has the spool's owner.
  public mutating func handleSpool(
    _ completion: consuming Completion, at now: Instant, operations: inout OperationQueue
  ) {
    state.now = now
    state.spool?.handle(completion, at: now, operations: &operations)
    takeSpoolEvents(at: now)
  }

  /// Commits what is due, and answers who waited for what has become durable.
  mutating func flushSpool(
    at now: Instant, clock: SpoolClock, operations: inout OperationQueue
  ) {
    guard isSpooling else { return }
    appendWaitingBatches()
    if isStopping { state.spool?.saveSoon(at: now) }
    state.spool?.flush(at: now, clock: clock, operations: &operations)
    takeSpoolEvents(at: now)
    answerSubscribes()
    answerBatches()
    // The disk took something: what waited for that is committed in the next turn.
    appendWaitingBatches()
    appendHeldMessages()
    takeHeldBatches()
    state.noticeDrops()
  }

  mutating func takeSpoolEvents(at now: Instant) {
    while let event = state.spool?.nextEvent() ?? nil {
      switch event {
      case .ready:
        state.spoolIsReady()
        appendWaitingBatches()
        opensSoon = true
      case .durable(let ticket): durable(ticket)
      // The spool tries again by itself; its `lastError` says so.
      case .failed: diskFailures += 1
      case .readable(let read): state.readable(read)
      case .missing(let read, let next): state.missing(read, next: next)
      case .unreadable(let read, _):
        diskFailures += 1
        state.unreadable(read)
      }
    }
    // Clients wait in the listener's queue until their first record can be taken, or never will.
    if opensSoon, state.spool?.isStarting != true {
      opensSoon = false
      if !isStopping { acceptAgainAt = now }
    }
  }

  /// Everything up to a ticket is durable: consumers may have it, and whoever sent it is told.
  private mutating func durable(_ ticket: UInt64) {
    while let first = state.awaited.first, first.ticket <= ticket {
      state.awaited.popFirst()
      state.queueSubscriptions(of: first.topic)
      switch first.waiter {
      case .nobody: break
      case .batch(let batch): settled.append(SettledBatch(batch: batch))
      case .call(let call, let requestID):
        answer.removeAll(keepingCapacityUpTo: 64 << 10)
        RequestEcho(requestID: requestID).encode(into: &answer)
        sendAnswer(to: call)
      case .replicated(let call, let number):
        state.received(through: number, topic: first.topic, from: call)
      }
    }
  }

  /// Answers Subscribe calls whose subscriptions are on the disk: one that is not would, after a
  /// crash, begin behind records that were answered meanwhile.
  private mutating func answerSubscribes() {
    while let held = state.heldSubscribes.first, state.isSaved(held.change) {
      state.heldSubscribes.removeFirst()
      answer.removeAll(keepingCapacityUpTo: 64 << 10)
      held.response.encode(into: &answer)
      sendAnswer(to: held.call)
    }
  }

  /// Answers a call with what was encoded, if its client still waits.
  private mutating func sendAnswer(to call: ConsumerStream) {
    guard connections.contains(call.connection), !connections[call.connection].isClosing else {
      return
    }
    Self.respond(call.stream, on: &connections[call.connection], answer: answer)
    touch(call.connection)
  }

  private static func respond(
    _ stream: Int32, on connection: inout BrokerConnection, answer: borrowing GrowableBytes
  ) {
    connection.session.respond(stream, message: answer.bytes)
  }

  /// Whether everything that came is on the disk, and everybody knows.
  var isSpoolSettled: Bool {
    switch state.spool {
    case .some(let spool):
      return waitingBatches.isEmpty && state.awaited.isEmpty && settled.isEmpty && spool.isSettled
        && state.heldAcks.isEmpty && state.heldMessages.isEmpty
    case .none: return true
    }
  }

  /// When the spool, or what waits for it, needs a turn.
  var spoolDeadline: Instant {
    switch state.spool {
    case .some(let spool):
      let isWaiting =
        !waitingBatches.isEmpty || !heldBatches.isEmpty || !state.heldMessages.isEmpty
      let isDue = spool.hasEvents || (isWaiting && state.hasSpoolRoom)
      return isDue ? Instant(nanoseconds: 0) : spool.nextDeadline
    case .none: return .distantFuture
    }
  }
}
