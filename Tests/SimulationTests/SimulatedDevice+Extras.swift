import MQTT

// What is settled, and what some devices do besides publishing: topic aliases and wills.
extension SimulatedDevice {
  /// What is known of the will of a connection.
  enum WillState {
    /// CONNECT was sent.
    case offered
    /// CONNACK came.
    case held
    /// DISCONNECT was sent.
    case withdrawn
    /// A connection with CONNACK ended without DISCONNECT.
    case ended
  }

  /// What is sent in place of a topic.
  func aliased(_ topic: [UInt8], _ properties: inout PublishProperties) -> [UInt8] {
    let maximum = session.serverTopicAliasMaximum
    guard habits.usesAliases, maximum > 0 else { return topic }
    if let alias = aliases[topic], Int.random(in: 0..<4, using: &random) > 0 {
      properties.topicAlias = alias
      aliasedCount += 1
      return []
    }
    // Few numbers, so that they change their meaning now and then.
    let alias = UInt16.random(in: 1...UInt16(min(maximum, 3)), using: &random)
    for (other, number) in aliases where number == alias { aliases[other] = nil }
    aliases[topic] = alias
    properties.topicAlias = alias
    return topic
  }

  /// What it leaves with CONNECT.
  func setWill(_ options: inout ClientOptions) {
    guard habits.will != .none else { return }
    let number = Int(name.split(separator: "-").last ?? "") ?? 0
    var will = ClientOptions.Will(
      topic: WillOracle.mqttTopic,
      payload: WillOracle.payload(device: number, connection: attempt))
    will.qos = .atLeastOnce
    if habits.will == .delayed {
      will.delaySeconds = WillOracle.delaySeconds
      options.sessionExpirySeconds = 700
      options.isCleanStart = false
    }
    options.will = will
    wills[attempt] = .offered
  }

  /// CONNACK came.
  func noteWill(isSessionPresent: Bool) {
    if wills[attempt] != nil { wills[attempt] = .held }
    if isSessionPresent { resumedCount += 1 }
  }

  /// The connection ends, with DISCONNECT or without.
  func noteWillAtEnd(says: Bool) {
    guard let state = wills[attempt] else { return }
    if says { wills[attempt] = .withdrawn } else if state == .held { wills[attempt] = .ended }
  }

  func settle() {
    while firstOpen < messages.count, isSettled(firstOpen) { firstOpen += 1 }
  }

  func isSettled(_ index: Int) -> Bool {
    messages[index].qos == .atMostOnce ? sentCounts[index] > 0 : answers[index] != nil
  }
}
