public import Bytes

// What a client sends.
extension ClientSession {
  private var encoder: PacketEncoder { PacketEncoder(version: version) }

  /// The first packet.
  public func writeConnect(_ options: ClientOptions, into output: inout GrowableBytes) {
    encoder.connect(options, into: &output)
  }

  /// A message. With QoS 1 or 2 it gets `packetID`, or the next free one, which is the result; with
  /// QoS 0 the result is 0. Properties are left out in MQTT 3.1.1.
  @discardableResult
  public mutating func writePublish(
    topic: RawSpan, payload: RawSpan, qos: QoS, retain: Bool = false, duplicate: Bool = false,
    packetID: UInt16? = nil, properties: PublishProperties = PublishProperties(),
    into output: inout GrowableBytes
  ) -> UInt16 {
    let identifier = qos == .atMostOnce ? 0 : packetID ?? nextPacketID()
    if qos != .atMostOnce, !duplicate { startedPublish() }
    encoder.publish(
      topic: topic, payload: payload, qos: qos, retain: retain, duplicate: duplicate,
      packetID: identifier, properties: properties.list, into: &output)
    return identifier
  }

  /// The answer to a PUBLISH with QoS 1 from the server.
  public func writePuback(_ packetID: UInt16, into output: inout GrowableBytes) {
    encoder.acknowledgement(.puback, packetID, into: &output)
  }

  /// A sign of life.
  public func writePingreq(into output: inout GrowableBytes) {
    encoder.pingreq(into: &output)
  }

  /// Subscribes to filters with a largest QoS each.
  public func writeSubscribe(
    _ packetID: UInt16, filters: [(filter: [UInt8], qos: QoS)], into output: inout GrowableBytes
  ) {
    let subscriptions = filters.map {
      Subscription(filter: $0.filter, options: SubscriptionOptions(maximumQoS: $0.qos))
    }
    encoder.subscribe(packetID, subscriptions, into: &output)
  }

  /// Ends subscriptions.
  public func writeUnsubscribe(
    _ packetID: UInt16, filters: [[UInt8]], into output: inout GrowableBytes
  ) {
    encoder.unsubscribe(packetID, filters, into: &output)
  }

  /// The last packet; a reason other than success is told in MQTT 5.0 only.
  public func writeDisconnect(
    _ reason: ReasonCode = .success, into output: inout GrowableBytes
  ) {
    encoder.disconnect(reason, into: &output)
  }
}
