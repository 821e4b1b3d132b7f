import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Spool
import TLS

// Records to consumers.
extension LocalBroker {
  mutating func deliverQueued(at now: Instant, operations: inout OperationQueue) {
    repeat {
      while let subscription = state.nextQueued() {
        deliver(subscription, at: now)
        state.releaseReadyRead(of: subscription)
      }
      // What is in the cache of the spool can go out in this turn.
      state.spool?.flushReads(operations: &operations)
      takeSpoolEvents(at: now)
    } while !state.queued.isEmpty
  }

  private mutating func deliver(_ subscription: SlotID, at now: Instant) {
    if state.subscriptions[subscription].type == .keyShared {
      return deliverByKey(subscription, at: now)
    }
    while let offset = state.nextToDeliver(subscription) {
      guard let (consumer, turn) = nextConsumer(of: subscription),
        let stream = state.consumers[consumer].stream
      else {
        let hasConsumer = state.subscriptions[subscription].consumers.contains {
          state.consumers[$0].stream != nil
        }
        state.blocked(subscription, hasConsumer: hasConsumer)
        return
      }
      guard state.isAtHand(offset, of: subscription) else { return }
      state.subscriptions[subscription].turn = turn
      Self.send(
        offset, of: subscription, to: stream, state: state, connections: &connections, tail: &tail)
      state.delivered(offset, of: subscription, to: consumer, at: now)
      touch(stream.connection)
    }
  }

  /// The next consumer in turn that can take a record now, and whose turn it is then.
  private mutating func nextConsumer(of subscription: SlotID) -> (consumer: SlotID, turn: Int)? {
    if state.subscriptions[subscription].type == .failover {
      guard let active = state.activeConsumer(of: subscription),
        let stream = state.consumers[active].stream, canTake(stream)
      else { return nil }
      return (active, 0)
    }
    let count = state.subscriptions[subscription].consumers.count
    for step in 0..<count {
      let index = (state.subscriptions[subscription].turn + step) % count
      let consumer = state.subscriptions[subscription].consumers[index]
      guard let stream = state.consumers[consumer].stream, canTake(stream) else { continue }
      return (consumer, (index + 1) % count)
    }
    return nil
  }

  func canTake(_ stream: ConsumerStream) -> Bool {
    let id = stream.connection
    guard connections.contains(id), !connections[id].isClosing, connections[id].closeAt == nil
    else { return false }
    return connections[id].outbox.pendingBytes < state.limits.queuedBytesPerConnection
      && connections[id].session.queuedBytes(stream.stream) < state.limits.queuedBytesPerStream
  }

  static func send(
    _ offset: UInt64, of subscription: SlotID, to stream: ConsumerStream,
    state: borrowing BrokerState, connections: inout SlotTable<BrokerConnection>,
    tail: inout GrowableBytes
  ) {
    state.withRecord(offset, of: subscription, tail: &tail) { bytes, tail in
      connections[stream.connection].session.send(
        stream.stream, head: RawSpan(), body: bytes, tail: tail)
    }
  }
}
