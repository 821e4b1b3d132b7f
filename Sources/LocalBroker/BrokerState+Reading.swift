import Bytes
import DanubeProtocol
import IOPort
import Records
import Spool

// Records that are not in memory any more, for subscriptions that lag.
extension BrokerState {
  /// How long the disk rests after it did not give a record, milliseconds.
  private static var readPauseMilliseconds: Int { 1_000 }
  /// After so many failures in a row a record counts as damaged.
  private static var readAttempts: Int { 10 }

  /// Whether the bytes of a record can be looked at. When they are on the disk they are asked for,
  /// and the subscription is queued again when they have come.
  mutating func isAtHand(_ offset: UInt64, of subscription: SlotID) -> Bool {
    let topic = subscriptions[subscription].topic
    guard let lane = topics[topic].lane, offset < topics[topic].firstOffset else { return true }
    if var read = subscriptions[subscription].read {
      guard read.isReady else { return false }
      if seek(offset, of: &read) {
        subscriptions[subscription].read = read
        return true
      }
      releaseRead(of: subscription)
    }
    if subscriptions[subscription].readAgainAt > now { return false }
    let skips = subscriptions[subscription].readFailures >= Self.readAttempts
    guard let read = spool?.read(lane, from: offset, skipsUnreadable: skips) else { return false }
    subscriptions[subscription].read = SubscriptionRead(
      read: read, offset: offset, end: visibleEnd(of: topic))
    readers[read] = subscription
    return false
  }

  private func seek(_ offset: UInt64, of read: inout SubscriptionRead) -> Bool {
    switch spool {
    case .some(let spool): return spool.seek(offset, of: read.read, from: &read.place)
    case .none: return false
    }
  }

  /// Gives back what a subscription has at hand, so that its memory can serve others. It is to be
  /// done whenever the subscription cannot go on at once: the block stays in the reader's cache
  /// while there is space.
  mutating func releaseReadyRead(of subscription: SlotID) {
    if subscriptions[subscription].read?.isReady == true { releaseRead(of: subscription) }
  }

  mutating func releaseRead(of subscription: SlotID) {
    guard let read = subscriptions[subscription].read else { return }
    subscriptions[subscription].read = nil
    readers[read.read] = nil
    spool?.release(read.read)
  }

  /// Records that were asked for are at hand.
  mutating func readable(_ read: SpoolRead) {
    guard let subscription = readers[read] else { return }
    subscriptions[subscription].read?.isReady = true
    subscriptions[subscription].readFailures = 0
    queue(subscription)
  }

  /// There is no record with the offset asked for: nothing up to `next`.
  mutating func missing(_ read: SpoolRead, next: UInt64) {
    guard let subscription = readers[read], let asked = subscriptions[subscription].read else {
      return
    }
    releaseRead(of: subscription)
    subscriptions[subscription].readFailures = 0
    queue(subscription)
    let topic = subscriptions[subscription].topic
    // What was dropped meanwhile is missed, as `nextToDeliver` will find; the rest is a hole.
    let start = max(asked.offset, firstOffset(of: topic))
    let end = min(next, asked.end)
    guard start < end else { return }
    if let lane = topics[topic].lane {
      damaged(spool?.lostRecords(of: lane, in: start..<end) ?? 0, missedBy: subscription)
    }
    subscriptions[subscription].window.pass(over: start..<end)
    guard let lane = topics[topic].lane else { return }
    spool?.pass(start..<end, to: subscriptions[subscription].cursor, of: lane, now: now)
  }

  /// The disk failed to give records; they are asked for again after a while.
  mutating func unreadable(_ read: SpoolRead) {
    guard let subscription = readers[read] else { return }
    releaseRead(of: subscription)
    subscriptions[subscription].readFailures += 1
    let again = now.advanced(milliseconds: Self.readPauseMilliseconds)
    subscriptions[subscription].readAgainAt = again
    nextDue = min(nextDue, again)
  }

  /// Looks at a record that is on the disk and at hand, with the fields that are to follow it.
  func withSpooledRecord(
    _ offset: UInt64, of subscription: SlotID, tail: inout GrowableBytes,
    _ body: (_ bytes: RawSpan, _ tail: RawSpan) -> Void
  ) {
    guard let read = subscriptions[subscription].read, read.isReady else {
      preconditionFailure("the record is not at hand")
    }
    switch spool {
    case .some(let spool):
      spool.withRecord(at: read.place, of: read.read) { element in
        // What was appended was an element, and what was read is what was appended.
        guard let record = RecordElement(element) else {
          preconditionFailure("a record of the log is no record")
        }
        let isLocal = Self.isLocal(record.body)
        writeTail(offset, of: subscription, isLocal: isLocal, to: &tail)
        if isLocal { correct(spool.publishTimes(of: read.read), of: record.body, to: &tail) }
        body(record.body, tail.bytes)
      }
    case .none: preconditionFailure("there is no spool")
    }
  }

  /// Records of the gateway itself name no producer, not even 0.
  private static func isLocal(_ bytes: RawSpan) -> Bool {
    do throws(DanubeProtocolError) {
      let view = try StreamMessageView(decoding: bytes)
      return !view.hasProducerID
    } catch {
      return false
    }
  }
}
