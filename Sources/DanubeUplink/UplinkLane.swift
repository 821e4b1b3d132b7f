/// A Danube topic that the gateway publishes to. Its `LaneID` is its index in the list of lanes.
public struct UplinkLane: Sendable, Equatable {
  /// The topic, `/namespace/topic`.
  public var topic: [UInt8]
  /// The name of its producer. Danube never forgets a name: use the same one after every restart.
  public var producerName: [UInt8]

  /// The lane of a topic.
  public init(topic: [UInt8], producerName: [UInt8]) {
    self.topic = topic
    self.producerName = producerName
  }
}
