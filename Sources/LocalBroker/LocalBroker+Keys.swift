import Bytes
import GRPC
import IOPort

// KeyShared subscriptions: one record of a key that is not acknowledged at a time, so that a key's
// records stay in order, and all of a key go to one consumer while the same ones are there.
extension LocalBroker {
  /// What became of an attempt.
  private enum Attempt {
    case given
    /// Its consumer takes nothing now, or there is none.
    case waits
    /// Its bytes have to come from the disk first.
    case isNotAtHand
  }

  /// Looks at everything that the window holds, and then at what is new. A record that waits keeps
  /// the later ones of its key waiting; there is room for as many as may be unacknowledged.
  mutating func deliverByKey(_ subscription: SlotID, at now: Instant) {
    guard state.isReliable(subscription) else { return deliverFleetingByKey(subscription, at: now) }
    state.giveUpDropped(subscription)
    passedKeys.removeAll(keepingCapacity: true)
    var place = 0
    while place < state.subscriptions[subscription].window.span {
      let entry = state.subscriptions[subscription].window.entries[place]
      defer { place += 1 }
      if entry.state == .acknowledged { continue }
      let isFirst = passedKeys.insert(entry.key).inserted
      guard isFirst, entry.state == .ready, entry.choice != .nobody else { continue }
      var choice = entry.choice
      let attempt = give(
        entry.offset, key: entry.key, of: subscription, choice: &choice, at: now)
      switch attempt {
      case .given: break
      case .waits: state.subscriptions[subscription].window.choose(choice, at: place)
      case .isNotAtHand: return
      }
    }
    while let offset = state.nextNew(subscription) {
      guard state.isAtHand(offset, of: subscription) else { return }
      let key = keyHash(offset, of: subscription)
      var choice = KeyChoice.open
      if passedKeys.insert(key).inserted,
        give(offset, key: key, of: subscription, choice: &choice, at: now) == .given
      {
        continue
      }
      state.subscriptions[subscription].window.setAside(offset, key: key, choice: choice)
    }
  }

  private mutating func keyHash(_ offset: UInt64, of subscription: SlotID) -> UInt64 {
    var hash: UInt64 = 0
    state.withRecord(offset, of: subscription, tail: &tail) { bytes, _ in
      hash = BrokerState.keyHash(of: bytes)
    }
    return hash
  }

  private mutating func choice(_ offset: UInt64, of subscription: SlotID) -> KeyChoice {
    Self.choice(offset, of: subscription, state: state, tail: &tail)
  }

  private static func choice(
    _ offset: UInt64, of subscription: SlotID, state: borrowing BrokerState,
    tail: inout GrowableBytes
  ) -> KeyChoice {
    var choice = KeyChoice.nobody
    state.withRecord(offset, of: subscription, tail: &tail) { bytes, _ in
      choice = state.choice(for: bytes, of: subscription)
    }
    return choice
  }

  /// Gives a record to the consumer of its key, if that takes it now. Who that is is told in
  /// `choice`.
  private mutating func give(
    _ offset: UInt64, key: UInt64, of subscription: SlotID, choice: inout KeyChoice,
    at now: Instant
  ) -> Attempt {
    if choice == .open {
      guard state.isAtHand(offset, of: subscription) else { return .isNotAtHand }
      choice = self.choice(offset, of: subscription)
    }
    guard case .consumer(let consumer) = choice, let stream = state.consumers[consumer].stream,
      canTake(stream)
    else { return .waits }
    guard state.isAtHand(offset, of: subscription) else { return .isNotAtHand }
    Self.send(
      offset, of: subscription, to: stream, state: state, connections: &connections, tail: &tail)
    state.delivered(offset, of: subscription, to: consumer, key: key, at: now)
    touch(stream.connection)
    return .given
  }

  /// Of a non-reliable topic nothing is acknowledged: what its consumer does not take now is gone.
  private mutating func deliverFleetingByKey(_ subscription: SlotID, at now: Instant) {
    while let offset = state.nextToDeliver(subscription) {
      var choice = KeyChoice.open
      if give(offset, key: 0, of: subscription, choice: &choice, at: now) != .given {
        state.drop(offset, of: subscription)
      }
    }
  }
}
