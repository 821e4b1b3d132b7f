public import Bytes

/// `danube.StreamMessage` with memory of its own; its fields are listed at ``StreamMessageView``.
public struct StreamMessage: Equatable, Sendable {
  /// One attribute.
  public struct Attribute: Equatable, Sendable {
    /// The name.
    public var key: [UInt8]
    /// The value.
    public var value: [UInt8]
    /// An attribute.
    public init(key: [UInt8], value: [UInt8]) {
      self.key = key
      self.value = value
    }
  }

  /// Chosen by the producer.
  public var requestID: UInt64 = 0
  /// Where it belongs; always present on the wire, as brokers break without.
  public var messageID = MessageID()
  /// What is sent.
  public var payload: [UInt8] = []
  /// Unix milliseconds.
  public var publishTimeMilliseconds: UInt64 = 0
  /// The producer's name.
  public var producerName: [UInt8] = []
  /// The subscription it is delivered for.
  public var subscriptionName: [UInt8] = []
  /// The attributes in the order written.
  public var attributes: [Attribute] = []
  /// The id of the schema's subject.
  public var schemaID: UInt64?
  /// The version of the schema.
  public var schemaVersion: UInt32?
  /// The routing key.
  public var routingKey: [UInt8]?

  /// An empty message.
  public init() {}

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, varint: requestID)
    messageID.encode(asField: 2, into: &bytes)
    bytes.appendField(3, bytes: payload)
    bytes.appendField(4, varint: publishTimeMilliseconds)
    bytes.appendField(5, bytes: producerName)
    bytes.appendField(6, bytes: subscriptionName)
    for attribute in attributes {
      bytes.appendMapEntry(7, key: attribute.key.rawBytes, value: attribute.value.rawBytes)
    }
    if let schemaID { bytes.appendPresentField(8, varint: schemaID) }
    if let schemaVersion { bytes.appendPresentField(9, varint: UInt64(schemaVersion)) }
    if let routingKey { bytes.appendLengthDelimited(10, routingKey) }
  }

  /// Reads a message and copies it. A missing `msg_id` becomes an empty one.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init(copying: try StreamMessageView(decoding: bytes))
  }

  /// A copy of what was read.
  public init(copying view: borrowing StreamMessageView) {
    requestID = view.requestID
    messageID = view.messageID
    payload = Array(copying: view.payload)
    publishTimeMilliseconds = view.publishTimeMilliseconds
    producerName = Array(copying: view.producerName)
    subscriptionName = Array(copying: view.subscriptionName)
    schemaID = view.schemaID
    schemaVersion = view.schemaVersion
    routingKey = view.hasRoutingKey ? Array(copying: view.routingKey) : nil
    var entries = view.attributes
    while let entry = entries.next() {
      attributes.append(
        Attribute(key: Array(copying: entry.key), value: Array(copying: entry.value)))
    }
  }
}
