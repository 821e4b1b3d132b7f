import Bytes
public import IOPort
public import Records

// Records of the gateway itself, which need no connection.
extension LocalBroker {
  /// Appends every record of a sealed batch to the topic of its lane. They are accepted when this
  /// returns: the batch's memory is not needed any more.
  public mutating func append(_ batch: BatchID, from store: BatchStore, at now: Instant) {
    let lane = store.lane(of: batch)
    for index in 0..<store.recordCount(of: batch) {
      let record = RecordRef(batch: batch, index: UInt32(index))
      unsafe store.messageBody(of: record).withBytes { body in
        state.append(topic: state.laneTopics[Int(lane.rawValue)], isLocal: true, body: body)
      }
    }
    state.queueSubscriptions(of: state.laneTopics[Int(lane.rawValue)])
  }

  /// Appends one record, a `StreamMessage` with its topic, to the topic of a lane.
  public mutating func append(lane: LaneID, body: RawSpan) {
    state.append(topic: state.laneTopics[Int(lane.rawValue)], isLocal: true, body: body)
    state.queueSubscriptions(of: state.laneTopics[Int(lane.rawValue)])
  }
}
