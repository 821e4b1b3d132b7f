public import Bytes

/// `danube.ProducerRequest`: 1 request_id, 2 producer_name, 3 topic_name, 4 schema_ref,
/// 5 producer_access_mode, 6 dispatch_strategy.
public struct ProducerRequest: Equatable, Sendable {
  /// Chosen by the client, echoed by the broker.
  public var requestID: UInt64
  /// The identity of the producer on the topic.
  public var producerName: [UInt8]
  /// The topic, which is created when it is missing.
  public var topicName: [UInt8]
  /// The schema of what will be sent, if any.
  public var schemaReference: SchemaReference?
  /// Stored by Danube, not enforced.
  public var accessMode: ProducerAccessMode
  /// A property of the topic: must be the one it was created with.
  public var dispatchStrategy: DispatchStrategy

  /// A message.
  public init(
    requestID: UInt64 = 0, producerName: [UInt8] = [], topicName: [UInt8] = [],
    schemaReference: SchemaReference? = nil, accessMode: ProducerAccessMode = .shared,
    dispatchStrategy: DispatchStrategy = .nonReliable
  ) {
    self.requestID = requestID
    self.producerName = producerName
    self.topicName = topicName
    self.schemaReference = schemaReference
    self.accessMode = accessMode
    self.dispatchStrategy = dispatchStrategy
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, varint: requestID)
    bytes.appendField(2, bytes: producerName)
    bytes.appendField(3, bytes: topicName)
    if let schemaReference { schemaReference.encode(asField: 4, into: &bytes) }
    bytes.appendField(5, varint: UInt64(accessMode.rawValue))
    bytes.appendField(6, varint: UInt64(dispatchStrategy.rawValue))
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint): requestID = try reader.readVarint()
      case (2, .lengthDelimited): producerName = Array(copying: try reader.readLengthDelimited())
      case (3, .lengthDelimited): topicName = Array(copying: try reader.readLengthDelimited())
      case (4, .lengthDelimited):
        var merged = schemaReference ?? SchemaReference()
        try merged.merge(try reader.readLengthDelimited())
        schemaReference = merged
      case (5, .varint): accessMode = ProducerAccessMode(wire: try reader.readVarint())
      case (6, .varint): dispatchStrategy = DispatchStrategy(wire: try reader.readVarint())
      default: try reader.skip(field)
      }
    }
  }
}
