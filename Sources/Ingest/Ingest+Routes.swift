import Bytes
import IOPort
import MQTT
import Metrics
import Records
import Settings

// What MQTT messages and webhooks have in common once they have a route.
extension Ingest {
  /// Counts a message that has a route and no topic.
  mutating func count(_ refusal: RouteRefusal, peer: SocketAddress, subject: RawSpan) {
    metrics.refused(IngestMetrics.Refusal(refusal)).add(1)
    note(
      .topicRefused, refusal.text, peer: peer, subject: shortText(subject, limit: 64))
  }

  /// Appends a record to the open batch of its lane; false without memory for it.
  mutating func append(
    _ record: borrowing RecordPieces, to lane: ResolvedLane, at now: Instant
  ) -> Bool {
    guard batcher.append(record, to: lane.lane, at: now) != nil else { return false }
    if lane.isMapped { metrics.topicsMapped.add(1) }
    if record.source == .answered { answeredEarly += 1 }
    return true
  }

  /// What is under way will not be heard of any more: the time to stop is over.
  mutating func countLost() {
    guard answeredEarly > 0 else { return }
    metrics.dropped(.shutdown).add(UInt64(answeredEarly))
    note(
      .recordsLost, "records are lost that were answered when they came (ack = \"received\")",
      peer: nil, subject: "\(answeredEarly) records")
    answeredEarly = 0
  }

  /// The source of a record whose answer is the connection's next.
  func nextSource(of id: SlotID) -> RecordSource {
    RecordSource(
      index: id.index, generation: id.generation,
      sequence: connections[id].answers.nextSequence,
      // MQTT 3.1.1 has no way to refuse one message.
      takesRefusals: connections[id].kind != .mqtt || connections[id].session.version != .v3_1_1)
  }
}

extension SlotID {
  /// A number of the connection's own.
  var sender: UInt64 { UInt64(generation) << 32 | UInt64(index) }
}

extension RecordSource {
  /// Nobody waits for an answer, because it was given when the record came.
  static var answered: RecordSource { RecordSource(index: .max, generation: 1, sequence: 0) }
}
