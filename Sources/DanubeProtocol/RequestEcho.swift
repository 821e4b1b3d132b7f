public import Bytes

/// `danube.MessageResponse`, `AckResponse` and `NackResponse`: all are 1 request_id alone.
public struct RequestEcho: Equatable, Sendable {
  /// The request it answers.
  public var requestID: UInt64

  /// A message.
  public init(requestID: UInt64 = 0) {
    self.requestID = requestID
  }

  /// Appends the encoded message.
  public func encode(into bytes: inout GrowableBytes) {
    bytes.appendField(1, varint: requestID)
  }

  /// Reads a message.
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .varint): requestID = try reader.readVarint()
      default: try reader.skip(field)
      }
    }
  }
}

/// The answer to SendMessage: accepted. The offset is not told.
public typealias MessageResponse = RequestEcho
/// The answer to Ack.
public typealias AckResponse = RequestEcho
/// The answer to Nack.
public typealias NackResponse = RequestEcho
