import Bytes
import DanubeProtocol

/// The first byte says what the rest is: one of the messages, or a name and an address.
enum ProtobufCheck {
  static func run(_ input: [UInt8]) throws(Finding) {
    guard let kind = input.first else { return }
    let bytes = Array(input.dropFirst())
    try walk(bytes)
    if EdgeMessagesCheck.isMeant(by: kind) { return try EdgeMessagesCheck.run(kind, bytes) }
    switch kind % 18 {
    case 0: try again(bytes, StreamMessage.init(decoding:), { $0.encode(into: &$1) })
    case 1: try again(bytes, AckRequest.init(decoding:), { $0.encode(into: &$1) })
    case 2: try again(bytes, NackRequest.init(decoding:), { $0.encode(into: &$1) })
    case 3: try again(bytes, ConsumerRequest.init(decoding:), { $0.encode(into: &$1) })
    case 4: try again(bytes, ConsumerResponse.init(decoding:), { $0.encode(into: &$1) })
    case 5: try again(bytes, HealthCheckRequest.init(decoding:), { $0.encode(into: &$1) })
    case 6: try again(bytes, HealthCheckResponse.init(decoding:), { $0.encode(into: &$1) })
    case 7: try again(bytes, MessageID.init(decoding:), { $0.encode(into: &$1) })
    case 8: try again(bytes, ProducerRequest.init(decoding:), { $0.encode(into: &$1) })
    case 9: try again(bytes, ProducerResponse.init(decoding:), { $0.encode(into: &$1) })
    case 10: try again(bytes, ReceiveRequest.init(decoding:), { $0.encode(into: &$1) })
    case 11: try again(bytes, RequestEcho.init(decoding:), { $0.encode(into: &$1) })
    case 12: try again(bytes, TopicLookupRequest.init(decoding:), { $0.encode(into: &$1) })
    case 13: try again(bytes, TopicLookupResponse.init(decoding:), { $0.encode(into: &$1) })
    case 14: try again(bytes, TopicPartitionsResponse.init(decoding:), { $0.encode(into: &$1) })
    case 15: try ackViews(bytes)
    case 16: try streamView(bytes)
    default: try names(bytes)
    }
  }

  /// Decodes, encodes, decodes: the second message is the first, and encodes to the same bytes.
  static func again<Message: Equatable>(
    _ bytes: [UInt8], _ decode: (RawSpan) throws(DanubeProtocolError) -> Message,
    _ encode: (Message, inout GrowableBytes) -> Void
  ) throws(Finding) {
    let message: Message
    do throws(DanubeProtocolError) { message = try decode(bytes.rawBytes) } catch { return }
    var encoded = GrowableBytes()
    encode(message, &encoded)
    let second: Message
    do throws(DanubeProtocolError) {
      second = try decode(encoded.bytes)
    } catch {
      throw Finding("\(message) is encoded so that it cannot be decoded: \(error)")
    }
    try require(second == message, "\(message) is encoded as \(second)")
    var encodedAgain = GrowableBytes()
    encode(second, &encodedAgain)
    try require(encoded.bytes.isEqual(to: encodedAgain.bytes), "\(message) is encoded two ways")
  }

  /// Passes over all fields; their parts lie within the bytes.
  private static func walk(_ bytes: [UInt8]) throws(Finding) {
    var reader = ProtobufReader(bytes.rawBytes)
    var left = bytes.count
    do throws(DanubeProtocolError) {
      while let field = try reader.nextField() {
        left -= 1
        if field.wireType == .lengthDelimited {
          left -= 1 + (try reader.readLengthDelimited()).byteCount
        } else {
          try reader.skip(field)
        }
        if left < 0 { break }
      }
    } catch { return }
    try require(left >= 0, "more was read than there is")
  }

  /// The view and the message that owns its memory read the same.
  private static func ackViews(_ bytes: [UInt8]) throws(Finding) {
    let isSame: Bool
    do throws(DanubeProtocolError) {
      let ack = try AckRequest(decoding: bytes.rawBytes)
      let view = try AckRequestView(decoding: bytes.rawBytes)
      isSame =
        view.requestID == ack.requestID && view.hasMessageID == (ack.messageID != nil)
        && view.topicName.isEqual(to: ack.messageID?.topicName ?? [])
        && view.topicOffset == ack.messageID?.topicOffset ?? 0
        && view.subscriptionName.isEqual(to: ack.subscriptionName)
    } catch { return }
    try require(isSame, "an AckRequest and its view differ")
  }

  /// Reads a message in place. All attributes that were checked are found again.
  private static func streamView(_ bytes: [UInt8]) throws(Finding) {
    let fields: Int
    let attributes: Int
    do throws(DanubeProtocolError) {
      let view = try StreamMessageView(decoding: bytes.rawBytes)
      attributes = StreamMessage(copying: view).attributes.count
      fields = try attributeFields(bytes)
    } catch { return }
    try require(attributes == fields, "\(attributes) attributes are read, \(fields) are there")
  }

  private static func attributeFields(_ bytes: [UInt8]) throws(DanubeProtocolError) -> Int {
    var reader = ProtobufReader(bytes.rawBytes)
    var count = 0
    while let field = try reader.nextField() {
      if field.number == 7, field.wireType == .lengthDelimited { count += 1 }
      try reader.skip(field)
    }
    return count
  }

  private static func names(_ bytes: [UInt8]) throws(Finding) {
    let isValid = TopicName.isValid(bytes)
    try require(isValid == TopicName.isValid(bytes.rawBytes), "a name is valid in one form only")
    if isValid {
      let namespace = TopicName.namespace(of: bytes)
      try require(!namespace.isEmpty && namespace.count < bytes.count, "a name without namespace")
      if let base = TopicName.partitionBase(of: bytes) {
        try require(bytes.starts(with: base) && base.count < bytes.count, "a base of its own")
      }
    }
    guard let address = AdvertisedAddress(bytes) else { return }
    let text = "\(address.isTLS ? "https" : "http")://"
    let host = address.host.contains(":") ? "[\(address.host)]" : address.host
    let again = AdvertisedAddress(Array("\(text)\(host):\(address.port)".utf8))
    try require(again == address, "\(address) written as a URL is \(String(describing: again))")
  }
}
