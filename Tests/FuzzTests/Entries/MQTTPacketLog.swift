import Bytes
import MQTT

/// A packet of any type, as text to compare and as bytes of the encoder.
enum MQTTPacketLog {
  static func log(of view: borrowing PacketView) -> EventLog {
    var log = EventLog()
    switch view {
    case .connect(let view): note(view, &log)
    case .connack(let view):
      log.begin("connack")
      log.add(view.isSessionPresent)
      log.add(view.code)
      note(view.properties, &log)
    case .publish(let view):
      log.begin("publish")
      log.add(view.topic)
      log.add(view.payload)
      log.add(view.qos.rawValue)
      log.add(view.isRetained)
      log.add(view.isDuplicate)
      log.add(view.packetID)
      log.add(view.topicAlias ?? 0)
      log.add(view.matchesPayloadFormat)
      note(view.properties, &log)
    case .acknowledgement(let view):
      log.begin("\(view.type)")
      log.add(view.packetID)
      log.add(view.reason.rawValue)
      note(view.properties, &log)
    case .subscribe(let view):
      note(view.packetID, view.filterCount, view.makeIterator(), view.properties, &log)
    case .unsubscribe(let view):
      note(view.packetID, view.filterCount, view.makeIterator(), view.properties, &log)
    case .suback(let view): note(view, &log)
    case .unsuback(let view): note(view, &log)
    case .pingreq: log.begin("pingreq")
    case .pingresp: log.begin("pingresp")
    case .disconnect(let view):
      log.begin("disconnect")
      log.add(view.reason.rawValue)
      note(view.properties, &log)
    case .auth(let view):
      log.begin("auth")
      log.add(view.reason.rawValue)
      note(view.properties, &log)
    }
    return log
  }

  private static func note(_ view: borrowing ConnectView, _ log: inout EventLog) {
    log.begin("connect")
    log.add(view.version.rawValue)
    log.add(view.clientID)
    log.add(view.keepAliveSeconds)
    log.add(view.isCleanStart)
    if let name = view.userName { log.add(name) } else { log.begin("nobody") }
    if let password = view.password { log.add(password) } else { log.begin("no password") }
    sorted(view.properties, &log)
    guard let will = view.will else { return }
    log.begin("will")
    log.add(will.topic)
    log.add(will.payload)
    log.add(will.qos.rawValue)
    log.add(will.isRetained)
    log.add(will.delaySeconds)
    log.add(will.matchesPayloadFormat)
    sorted(will.properties, &log)
    // What is kept of a will is read as the will it was.
    let kept = WillView(
      will.encoded, version: view.version, qos: will.qos, isRetained: will.isRetained)
    guard let kept else {
      log.begin("a kept will that is none")
      return
    }
    if !kept.topic.isEqual(to: will.topic) || !kept.payload.isEqual(to: will.payload) {
      log.begin("a kept will that is another")
    }
  }

  private static func note(_ view: borrowing SubackView, _ log: inout EventLog) {
    log.begin("codes")
    log.add(view.packetID)
    log.add(view.codes)
    note(view.properties, &log)
  }

  private static func note(
    _ packetID: UInt16, _ count: Int, _ filters: consuming FilterIterator,
    _ properties: borrowing PropertiesView, _ log: inout EventLog
  ) {
    log.begin("filters")
    log.add(packetID)
    log.add(count)
    while let element = filters.next() {
      log.add(element.filter)
      log.add(element.options.rawValue)
    }
    note(properties, &log)
  }

  private static func note(_ properties: borrowing PropertiesView, _ log: inout EventLog) {
    var iterator = properties.makeIterator()
    while let property = iterator.next() { note(property, &log) }
  }

  private static func note(_ property: borrowing Property, _ log: inout EventLog) {
    log.begin("\(property.id)")
    log.add(property.number)
    log.add(property.data)
    log.add(property.value)
  }

  /// A CONNECT's options have no order but that of user properties.
  private static func sorted(_ properties: borrowing PropertiesView, _ log: inout EventLog) {
    for id in PropertyID.allCases {
      var iterator = properties.makeIterator()
      while let property = iterator.next() {
        if property.id == id { note(property, &log) }
      }
    }
  }
}

// Writing.
extension MQTTPacketLog {
  /// The packet at the front, by the encoder; nil for what only a mistake would write: a reason
  /// that the packet may not have.
  static func written(_ bytes: RawSpan, _ version: ProtocolVersion) -> [UInt8]? {
    var byteCount = 0
    var output = GrowableBytes()
    do throws(MQTTError) {
      guard let view = try PacketView.first(in: bytes, version: version, byteCount: &byteCount),
        write(view, version, &output)
      else { return nil }
    } catch {
      return nil
    }
    return Array(copying: output.bytes)
  }

  private static func write(
    _ view: borrowing PacketView, _ version: ProtocolVersion, _ output: inout GrowableBytes
  ) -> Bool {
    let encoder = PacketEncoder(version: version)
    switch view {
    case .connect(let view):
      PacketEncoder(version: view.version).connect(options(of: view), into: &output)
    case .connack(let view):
      if view.isSessionPresent, view.code != 0 { return false }
      encoder.connack(
        view.code, isSessionPresent: view.isSessionPresent,
        properties: PropertyList(view.properties), into: &output)
    case .publish(let view):
      encoder.publish(
        topic: view.topic, payload: view.payload, qos: view.qos, retain: view.isRetained,
        duplicate: view.isDuplicate, packetID: view.packetID,
        properties: PropertyList(view.properties), into: &output)
    case .acknowledgement(let view):
      if !view.reason.isAllowed(in: view.type) { return false }
      encoder.acknowledgement(
        view.type, view.packetID, view.reason, properties: PropertyList(view.properties),
        into: &output)
    case .subscribe(let view):
      encoder.subscribe(
        view.packetID, subscriptions(view.makeIterator()),
        properties: PropertyList(view.properties), into: &output)
    case .unsubscribe(let view):
      encoder.unsubscribe(
        view.packetID, subscriptions(view.makeIterator()).map(\.filter),
        properties: PropertyList(view.properties), into: &output)
    case .suback(let view):
      encoder.suback(
        view.packetID, view.codes, properties: PropertyList(view.properties), into: &output)
    case .unsuback(let view):
      encoder.unsuback(
        view.packetID, view.codes, properties: PropertyList(view.properties), into: &output)
    case .pingreq: encoder.pingreq(into: &output)
    case .pingresp: encoder.pingresp(into: &output)
    case .disconnect(let view):
      if !view.reason.isAllowed(in: .disconnect) { return false }
      encoder.disconnect(
        view.reason, properties: PropertyList(view.properties), into: &output)
    case .auth(let view):
      encoder.auth(view.reason, properties: PropertyList(view.properties), into: &output)
    }
    return true
  }

  private static func subscriptions(_ filters: consuming FilterIterator) -> [Subscription] {
    var subscriptions: [Subscription] = []
    while let element = filters.next() {
      subscriptions.append(
        Subscription(filter: Array(copying: element.filter), options: element.options))
    }
    return subscriptions
  }

  private static func options(of view: borrowing ConnectView) -> ClientOptions {
    var options = ClientOptions(clientID: "")
    options.clientID = Array(copying: view.clientID)
    options.isCleanStart = view.isCleanStart
    options.keepAliveSeconds = view.keepAliveSeconds
    if let name = view.userName { options.userName = Array(copying: name) }
    if let password = view.password { options.password = Array(copying: password) }
    let list = view.properties
    options.sessionExpirySeconds = list.number(.sessionExpiryInterval)
    options.receiveMaximum = list.number(.receiveMaximum).map { UInt16(truncatingIfNeeded: $0) }
    options.maximumPacketBytes = list.number(.maximumPacketSize)
    options.topicAliasMaximum = list.number(.topicAliasMaximum)
      .map { UInt16(truncatingIfNeeded: $0) }
    options.requestsResponseInformation = list.number(.requestResponseInformation)
      .map { $0 == 1 }
    options.requestsProblemInformation = list.number(.requestProblemInformation).map { $0 == 1 }
    if let data = list.data(.authenticationMethod) {
      options.authenticationMethod = Array(copying: data)
    }
    if let data = list.data(.authenticationData) {
      options.authenticationData = Array(copying: data)
    }
    options.userProperties = MQTTRoundTrip.userProperties(of: list)
    if let will = view.will {
      var own = ClientOptions.Will(topic: "", payload: Array(copying: will.payload))
      own.topic = Array(copying: will.topic)
      own.qos = will.qos
      own.isRetained = will.isRetained
      own.delaySeconds = will.properties.number(.willDelayInterval)
      own.properties = MQTTRoundTrip.properties(of: will.properties)
      options.will = own
    }
    return options
  }
}
