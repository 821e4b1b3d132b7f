import Bytes

/// The topics that a client's topic aliases stand for (MQTT 5.0 §3.3.2.3.4).
///
/// Of one connection only [MQTT-3.3.2-7]. Memory is taken for the aliases that are used.
struct TopicAliases: ~Copyable {
  /// What the memory of a topic costs beside its bytes.
  static let overheadBytes = 48

  private var topics: [[UInt8]] = []
  /// The memory held, in bytes, about.
  private(set) var byteCount = 0

  /// The topic of an alias from 1; nil while there is none.
  subscript(alias: UInt16) -> [UInt8]? {
    guard alias > 0, Int(alias) <= topics.count, !topics[Int(alias) - 1].isEmpty else { return nil }
    return topics[Int(alias) - 1]
  }

  /// Lets an alias from 1 stand for a topic from now on; false where that would take more than
  /// `limitBytes`, and nothing changes.
  mutating func set(_ alias: UInt16, to topic: RawSpan, limitBytes: Int) -> Bool {
    let index = Int(alias) - 1
    let known = index < topics.count ? topics[index].count : 0
    if known == topic.byteCount, known > 0, topic.isEqual(to: topics[index]) { return true }
    let added = max(index + 1 - topics.count, 0) * Self.overheadBytes
    let larger = byteCount + added + topic.byteCount - known
    guard larger <= limitBytes else { return false }
    while topics.count <= index { topics.append([]) }
    topics[index] = [UInt8](copying: topic)
    byteCount = larger
    return true
  }
}

extension ServerSession {
  /// Takes the topic alias of a PUBLISH.
  mutating func noteAlias(_ alias: UInt16, _ topic: RawSpan) throws(MQTTError) {
    // [MQTT-3.2.2-17] [MQTT-3.2.2-18] [MQTT-3.3.2-9]
    if alias > topicAliasMaximum { throw .topicAliasNotSupported }
    if topic.isEmpty {
      // §3.3.4: an alias that stands for nothing is a protocol error.
      if topicAliases[alias] == nil { throw .unknownTopicAlias }
    } else if !topicAliases.set(alias, to: topic, limitBytes: limits.topicAliasBytes) {
      throw .topicAliasMemory
    }
  }

  /// The topic that an alias stands for; nil while there is none.
  public func topic(ofAlias alias: UInt16) -> [UInt8]? { topicAliases[alias] }

  /// The memory of the topics behind topic aliases, in bytes, about.
  public var topicAliasBytes: Int { topicAliases.byteCount }

  /// Tells the client, in the CONNACK that is due, that it may use no topic aliases.
  public mutating func withholdTopicAliases() {
    precondition(state == .deciding, "there is no CONNECT to answer")
    topicAliasMaximum = 0
  }
}
