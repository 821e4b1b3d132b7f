import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics

// Edges that send batches. Acks go back in the order of the batches of a call.
extension LocalBroker {
  /// Bytes of batches of edges that wait for room on the disk.
  public var heldReplicationBytes: Int { heldBatchBytes }

  /// A call whose request is a stream of messages begins.
  mutating func opened(_ stream: Int32, on id: SlotID) {
    touch(id)
    guard admits(stream, on: id) else { return }
    guard state.isOpen else {
      return refuse(
        stream, on: id, Refusal(.unavailable, "the broker is starting: it reads its disk"))
    }
    guard replicateCallCount < state.limits.replicateCalls else {
      return refuse(
        stream, on: id,
        Refusal(
          .resourceExhausted, "no more than \(state.limits.replicateCalls) ReplicateData calls"))
    }
    replicateCallCount += 1
    connections[id].replicateCalls.append(ReplicateCall(stream: stream))
    connections[id].session.openStream(stream)
  }

  /// A batch came.
  mutating func batchReceived(_ stream: Int32, on id: SlotID) {
    touch(id)
    guard connections[id].replicateCall(stream) != nil else { return }
    let call = ConsumerStream(connection: id, stream: stream)
    if connections[id].session.queuedBytes(stream) > state.limits.queuedBytesPerStream {
      return endReplication(
        call, Refusal(.resourceExhausted, "acks are not read as fast as batches come"))
    }
    if isReplicationHeld { return hold(call) }
    do throws(Refusal) {
      let isFirst = connections[id].unansweredBatches(of: stream) == 0
      let verdict = try Self.replicate(
        from: call, isFirst: isFirst, on: &connections[id], state: &state)
      taken(verdict, from: call)
    } catch {
      endReplication(call, error)
    }
  }

  private static func replicate(
    from call: ConsumerStream, isFirst: Bool, on connection: inout BrokerConnection,
    state: inout BrokerState
  ) throws(Refusal) -> BrokerState.BatchAnswer {
    try connection.withCurrentMessage { message throws(Refusal) in
      try state.replicate(message, from: call, isFirst: isFirst)
    }
  }

  private mutating func taken(_ verdict: BrokerState.BatchAnswer, from call: ConsumerStream) {
    switch verdict {
    case .none: break
    case .now(let topic, let number):
      connections[call.connection].countBatch(of: call.stream)
      acknowledge(call, topic: topic, number: number)
    case .later: connections[call.connection].countBatch(of: call.stream)
    }
  }

  /// The edge sends no further batch.
  mutating func finished(_ stream: Int32, on id: SlotID) {
    guard let place = connections[id].replicateCall(stream) else { return }
    connections[id].replicateCalls[place].isFinished = true
    endIfAnswered(ConsumerStream(connection: id, stream: stream))
  }

  // MARK: Acks

  /// Answers what is durable.
  mutating func answerBatches() {
    while let held = state.nextAck() {
      acknowledge(held.call, topic: held.topic, number: held.number)
    }
  }

  /// Sends an ack, if the call is there.
  private mutating func acknowledge(_ call: ConsumerStream, topic: Int, number: UInt64) {
    guard isThere(call), let place = connections[call.connection].replicateCall(call.stream) else {
      return
    }
    answer.removeAll(keepingCapacityUpTo: 64 << 10)
    ReplicateAck(topicName: state.topics[topic].name, ackedOffset: number).encode(into: &answer)
    Self.send(call.stream, on: &connections[call.connection], answer: answer)
    connections[call.connection].replicateCalls[place].unanswered -= 1
    touch(call.connection)
    endIfAnswered(call)
  }

  private static func send(
    _ stream: Int32, on connection: inout BrokerConnection, answer: borrowing GrowableBytes
  ) {
    connection.session.send(stream, head: answer.bytes, body: RawSpan(), tail: RawSpan())
  }

  private func isThere(_ call: ConsumerStream) -> Bool {
    connections.contains(call.connection) && !connections[call.connection].isClosing
  }

  private mutating func endIfAnswered(_ call: ConsumerStream) {
    guard let place = connections[call.connection].replicateCall(call.stream),
      connections[call.connection].replicateCalls[place].isFinished,
      connections[call.connection].replicateCalls[place].unanswered == 0,
      !heldBatches.contains(where: { $0.call == call })
    else { return }
    connections[call.connection].session.endStream(call.stream, status: .ok, message: "")
    forget(call)
    touch(call.connection)
  }

  /// Ends a call for a fault, or because nothing is taken now. Batches that are on their way to the
  /// disk stay so: a repeat of one is noticed.
  mutating func endReplication(_ call: ConsumerStream, _ refusal: Refusal) {
    guard isThere(call), connections[call.connection].replicateCall(call.stream) != nil else {
      return
    }
    state.metrics.callsRefused.add()
    connections[call.connection].session.endStream(
      call.stream, status: refusal.status, message: refusal.message)
    forget(call)
    touch(call.connection)
  }

  /// Forgets a call, and what of it waits for room.
  mutating func forget(_ call: ConsumerStream) {
    guard let place = connections[call.connection].replicateCall(call.stream) else { return }
    connections[call.connection].replicateCalls.remove(at: place)
    replicateCallCount -= 1
    dropHeld { $0 == call }
  }

  /// A connection ended with all its calls.
  mutating func forgetReplication(on id: SlotID) {
    replicateCallCount -= connections[id].replicateCalls.count
    connections[id].replicateCalls = []
    dropHeld { $0.connection == id }
  }

  // MARK: Batches that wait for room

  /// Whether batches have to wait: those of the gateway itself come first.
  private var isReplicationHeld: Bool {
    !heldBatches.isEmpty || !state.hasSpoolRoom || state.isBatchWaiting
  }

  /// Keeps a batch, and stops its edge from sending more. An edge that goes on all the same, which
  /// it may for a flow-control window, fills what there is for all of them.
  private mutating func hold(_ call: ConsumerStream) {
    let bytes = connections[call.connection].copyOfCurrentMessage
    guard heldBatchBytes + bytes.count <= state.limits.heldBatchBytes else {
      return endReplication(call, .noSpace)
    }
    heldBatchBytes += bytes.count
    heldBatches.append(HeldBatch(call: call, bytes: bytes))
    connections[call.connection].session.setReading(call.stream, isPaused: true)
  }

  private mutating func dropHeld(where isMeant: (ConsumerStream) -> Bool) {
    guard !heldBatches.isEmpty else { return }
    heldBatches.removeAll { isMeant($0.call) }
    heldBatchBytes = heldBatches.reduce(0) { $0 + $1.bytes.count }
  }

  /// Takes what waited for room, and lets edges send on.
  mutating func takeHeldBatches() {
    while state.isOpen, state.hasSpoolRoom, !state.isBatchWaiting, let held = heldBatches.first {
      heldBatches.removeFirst()
      heldBatchBytes -= held.bytes.count
      let call = held.call
      do throws(Refusal) {
        let isFirst = connections[call.connection].unansweredBatches(of: call.stream) == 0
        taken(
          try state.replicate(held.bytes.rawBytes, from: call, isFirst: isFirst), from: call)
      } catch {
        endReplication(call, error)
        continue
      }
      endIfAnswered(call)
      guard connections[call.connection].replicateCall(call.stream) != nil,
        !heldBatches.contains(where: { $0.call == call })
      else { continue }
      connections[call.connection].session.setReading(call.stream, isPaused: false)
      touch(call.connection)
    }
  }
}

extension BrokerConnection {
  /// Where a ReplicateData call is in the list; nil when it is over.
  func replicateCall(_ stream: Int32) -> Int? {
    replicateCalls.firstIndex { $0.stream == stream }
  }

  /// Batches of a call that have no ack yet.
  func unansweredBatches(of stream: Int32) -> Int {
    replicateCall(stream).map { replicateCalls[$0].unanswered } ?? 0
  }

  mutating func countBatch(of stream: Int32) {
    if let place = replicateCall(stream) { replicateCalls[place].unanswered += 1 }
  }

  var copyOfCurrentMessage: [UInt8] { Array(copying: session.currentMessage) }
}
