import Bytes
import DanubeProtocol
import IOPort
import Records

// The topics that the gateway itself publishes to.
extension BrokerState {
  /// Adds the next lane; its topic is made unless it is there.
  mutating func addLane(_ lane: LaneDescription) {
    let count = laneTopics.count + pendingLanes.count
    precondition(count < limits.lanes, "more lanes than the broker has places for")
    guard isOpen else { return pendingLanes.append(lane) }
    let topic = topicOfLane(lane)
    if topic == nil { note(LocalBrokerNotice(.laneRefused, topic: lane.topic)) }
    laneTopics.append(topic)
  }

  /// Nil when the topic is there in a form that does not keep what the lane promises.
  private mutating func topicOfLane(_ lane: LaneDescription) -> Int? {
    let strategy: DispatchStrategy = lane.isReliable ? .reliable : .nonReliable
    let topic: Int
    if let known = self.topic(named: lane.topic) {
      if topics[known].isFromDisk {
        topics[known].isFromDisk = false
        laneTopicCount += 1
        if lane.isReliable, topics[known].strategy != .reliable { makeReliable(known) }
      }
      guard topics[known].strategy == strategy else { return nil }
      topic = known
    } else {
      guard partitionConflict(of: lane.topic) == nil else { return nil }
      namespaces.insert(Array(TopicName.namespace(of: lane.topic)))
      topic = makeTopic(lane.topic, strategy: strategy)
      laneTopicCount += 1
    }
    if topics[topic].localProducer == nil {
      topics[topic].localProducer = producers.insert(
        Producer(name: Array("danube-gateway".utf8), topic: topic))
      laneProducerCount += 1
    }
    return topic
  }

  /// The topic that a lane's records go to; nil when they are refused.
  func topic(of lane: LaneID) -> Int? { laneTopics[Int(lane.rawValue)] }
}
