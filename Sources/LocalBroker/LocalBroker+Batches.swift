import Bytes
public import IOPort
public import Records

// Records of the gateway itself, which need no connection.
extension LocalBroker {
  /// Adds the next lane, whose `LaneID` is the number of lanes so far; no more than the limits say.
  /// Its topic is made unless it is there. When a client made it with the other dispatch strategy,
  /// or partitions of it, the lane's records are refused, and a notice says so.
  public mutating func addLane(_ lane: LaneDescription) { state.addLane(lane) }

  /// Appends every record of a sealed batch to the topic of its lane. They are accepted when this
  /// returns true: the batch's memory is not needed any more. False: all of them are refused.
  public mutating func append(
    _ batch: BatchID, from store: BatchStore, at now: Instant
  ) -> Bool {
    guard let topic = state.topic(of: store.lane(of: batch)) else { return false }
    for index in 0..<store.recordCount(of: batch) {
      let record = RecordRef(batch: batch, index: UInt32(index))
      unsafe store.messageBody(of: record).withBytes { body in
        state.append(topic: topic, isLocal: true, body: body)
      }
    }
    state.queueSubscriptions(of: topic)
    return true
  }

  /// Appends one record, a `StreamMessage` with its topic, to the topic of a lane; false when it is
  /// refused.
  @discardableResult
  public mutating func append(lane: LaneID, body: RawSpan) -> Bool {
    guard let topic = state.topic(of: lane) else { return false }
    state.append(topic: topic, isLocal: true, body: body)
    state.queueSubscriptions(of: topic)
    return true
  }

  /// Something for the log; nil when there is nothing.
  public mutating func nextNotice() -> LocalBrokerNotice? { state.nextNotice() }
}
