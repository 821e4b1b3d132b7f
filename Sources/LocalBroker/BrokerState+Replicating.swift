import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Spool

// Batches of edges. A batch whose number is not above the highest that its topic has is a repeat:
// it is answered, and not written.
extension BrokerState {
  /// What is to be done about a batch that was taken.
  enum BatchAnswer {
    /// Nothing: it has no message.
    case none
    /// It is answered now.
    case now(topic: Int, number: UInt64)
    /// It is answered when it is durable.
    case later
  }

  /// Takes a batch: all of it, or nothing. It is written behind everything that its topic has, its
  /// messages as they are. There must be room. `isFirst` says that no earlier one of its call waits
  /// for its ack.
  mutating func replicate(
    _ bytes: RawSpan, from call: ConsumerStream, isFirst: Bool
  ) throws(Refusal) -> BatchAnswer {
    let batch: ReplicateBatchView
    do throws(DanubeProtocolError) {
      batch = try ReplicateBatchView(decoding: bytes)
    } catch {
      throw .malformed
    }
    guard batch.messageCount > 0 else { return .none }
    try check(batch)
    let number = batch.lastOffset
    let topic = try topic(of: batch)
    guard isSpooled(topic) else {
      if topics[topic].receivedThrough.map({ $0 >= number }) ?? false {
        return .now(topic: topic, number: number)
      }
      topics[topic].receivedThrough = number
      write(batch, to: topic)
      queueSubscriptions(of: topic)
      return .now(topic: topic, number: number)
    }
    if topics[topic].receivedThrough.map({ $0 >= number }) ?? false {
      // It may be on its way to the disk still: its ack follows those before.
      if isFirst, isKept(number, topic: topic) { return .now(topic: topic, number: number) }
      // With nothing on its way to the disk only the number may not be there yet.
      if awaited.isEmpty {
        received(through: number, topic: topic, from: call)
        return .later
      }
    } else {
      topics[topic].receivedThrough = number
      topics[topic].receivedTicket = write(batch, to: topic)
    }
    awaited.append(
      Awaited(
        ticket: topics[topic].receivedTicket, topic: topic,
        waiter: .replicated(call, number: number)))
    return .later
  }

  /// Whether a crash would not forget that a topic has a batch.
  private func isKept(_ number: UInt64, topic: Int) -> Bool {
    topics[topic].savedThrough.map { $0 >= number } ?? false
  }

  /// Every message is one, with an id, and not too large to be delivered.
  private func check(_ batch: borrowing ReplicateBatchView) throws(Refusal) {
    var messages = batch.messages
    while let message = messages.next() {
      guard message.byteCount <= limits.messageBytes else {
        throw Refusal(
          .outOfRange,
          "message of \(message.byteCount) bytes is larger than \(limits.messageBytes)")
      }
      let hasID: Bool
      do throws(DanubeProtocolError) {
        hasID = try StreamMessageView(decoding: message).hasMessageID
      } catch {
        throw .malformed
      }
      guard hasID else { throw .missingMessageID }
    }
  }

  /// The topic of a batch, made if it is missing. Danube writes to any name whatever, and nobody
  /// can read what it wrote under an impossible one: here that is an error.
  private mutating func topic(of batch: borrowing ReplicateBatchView) throws(Refusal) -> Int {
    if let topic = topic(named: batch.topicName), topics[topic].strategy == .reliable {
      return topic
    }
    do throws(Refusal) {
      return try reliableTopic(Array(copying: batch.topicName)).topic
    } catch {
      throw Refusal(.internalError, "failed to ingest batch: \(error.message)")
    }
  }

  /// Appends the messages of a batch, and tells the spool's ticket of the last one.
  @discardableResult
  private mutating func write(_ batch: borrowing ReplicateBatchView, to topic: Int) -> UInt64 {
    var ticket: UInt64 = 0
    var scratch = GrowableBytes()
    swap(&scratch, &element)
    var messages = batch.messages
    while let message = messages.next() {
      scratch.removeAll(keepingCapacityUpTo: 64 << 10)
      let bodyStart = appendElement(message, of: topic, to: &scratch)
      let body = scratch.bytes.extracting(droppingFirst: bodyStart)
      if isSpooled(topic) {
        ticket = spoolRecord(topic: topic, isLocal: false, element: scratch.bytes, body: body)
      } else {
        append(topic: topic, isLocal: false, body: body)
      }
    }
    swap(&scratch, &element)
    return ticket
  }

  /// Appends a message as an element of a batch, and tells where it begins. A field follows it that
  /// merges into its `msg_id`: a producer id that is written though it is 0 tells a record that
  /// came from elsewhere from one of this gateway, and the topic is the one that it is in, which
  /// consumers send back with their acks.
  private func appendElement(
    _ message: RawSpan, of topic: Int, to bytes: inout GrowableBytes
  ) -> Int {
    let (hasProducer, hasTopic) = facts(of: message, topic)
    let name = topics[topic].name
    let size = (hasProducer ? 0 : 2) + (hasTopic ? 0 : Protobuf.fieldSize(2, bytes: name))
    let total =
      message.byteCount + (size > 0 ? Protobuf.fieldSize(2, byteCount: size) : 0)
    bytes.appendLength(2, total)
    let start = bytes.count
    bytes.append(message)
    if size > 0 { bytes.appendLength(2, size) }
    if !hasProducer { bytes.appendPresentField(1, varint: 0) }
    if !hasTopic { bytes.appendField(2, bytes: name) }
    return start
  }

  private func facts(of message: RawSpan, _ topic: Int) -> (hasProducer: Bool, hasTopic: Bool) {
    do throws(DanubeProtocolError) {
      let view = try StreamMessageView(decoding: message)
      return (view.hasProducerID, view.topicName.isEqual(to: topics[topic].name))
    } catch {
      preconditionFailure("the batch was checked")
    }
  }

  // MARK: What becomes durable

  /// The records of a batch are durable: its number may be, too.
  mutating func received(through number: UInt64, topic: Int, from call: ConsumerStream) {
    guard let lane = topics[topic].lane else { return }
    spool?.setReceived(through: number, of: lane, now: now)
    spool?.hurry(at: now)
    heldAcks.append(
      HeldAck(change: spool?.changeCount ?? 0, call: call, topic: topic, number: number))
  }

  /// The next batch whose number is on the disk.
  mutating func nextAck() -> HeldAck? {
    guard let held = heldAcks.first, isSaved(held.change) else { return nil }
    heldAcks.popFirst()
    topics[held.topic].savedThrough = max(topics[held.topic].savedThrough ?? 0, held.number)
    return held
  }
}
