import Bytes
import MQTT

/// A message that was read, written again and read again.
enum MQTTRoundTrip {
  /// Throws unless the client's encoder writes the message so that it is read as it was.
  static func check(_ view: borrowing PublishView, version: ProtocolVersion) throws(Finding) {
    // An empty name stands for an alias, which only its connection knows.
    if view.topic.isEmpty { return }
    var output = GrowableBytes()
    var writer = ClientSession(version: version)
    writer.writePublish(
      topic: view.topic, payload: view.payload, qos: view.qos, retain: view.isRetained,
      properties: properties(of: view.properties), into: &output)
    let written = try read(output.bytes, version: version)
    var expected = EventLog()
    describe(view, &expected)
    try written.requireEqual(to: expected, "a PUBLISH that was written again is another")
  }

  private static func read(
    _ bytes: RawSpan, version: ProtocolVersion
  ) throws(Finding) -> EventLog {
    var log = EventLog()
    var reader = ClientSession(version: version)
    var consumed = 0
    do throws(MQTTError) {
      let event = try reader.next(in: bytes, consumed: &consumed)
      if case .publish(let view) = event { describe(view, &log) }
    } catch {
      throw Finding("a PUBLISH that was written again is not read: \(error)")
    }
    try require(consumed == bytes.byteCount, "a PUBLISH was written with too many bytes")
    return log
  }

  /// Without its identifier, which the writer chooses, and DUP, which it does not say.
  private static func describe(_ view: borrowing PublishView, _ log: inout EventLog) {
    log.begin("publish")
    log.add(view.topic)
    log.add(view.payload)
    log.add(view.qos.rawValue)
    log.add(view.isRetained)
    for id in [PropertyID.payloadFormatIndicator, .messageExpiryInterval] {
      if let number = view.properties.number(id) { log.add(number) }
    }
    for id in [PropertyID.contentType, .responseTopic, .correlationData] {
      if let data = view.properties.data(id) { log.add(data) }
    }
    var iterator = view.properties.makeIterator()
    while let property = iterator.next() {
      guard property.id == .userProperty else { continue }
      log.add(property.data)
      log.add(property.value)
    }
  }

  static func properties(of view: borrowing PropertiesView) -> PublishProperties {
    var properties = PublishProperties()
    properties.isUTF8 = view.number(.payloadFormatIndicator).map { $0 == 1 }
    properties.messageExpirySeconds = view.number(.messageExpiryInterval)
    if let data = view.data(.contentType) { properties.contentType = Array(copying: data) }
    if let data = view.data(.responseTopic) { properties.responseTopic = Array(copying: data) }
    if let data = view.data(.correlationData) { properties.correlationData = Array(copying: data) }
    properties.userProperties = userProperties(of: view)
    return properties
  }

  static func userProperties(of view: borrowing PropertiesView) -> [UserProperty] {
    var properties: [UserProperty] = []
    var iterator = view.makeIterator()
    while let property = iterator.next() {
      guard property.id == .userProperty else { continue }
      var user = UserProperty(name: "", value: "")
      user.name = Array(copying: property.data)
      user.value = Array(copying: property.value)
      properties.append(user)
    }
    return properties
  }
}
