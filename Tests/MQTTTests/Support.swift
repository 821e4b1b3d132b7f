import Bytes
import MQTT
import Testing

/// Bytes from hexadecimal digits; text between single quotes stands for itself.
func hex(_ text: String) -> [UInt8] {
  var bytes: [UInt8] = []
  var digits: UInt8?
  var isText = false
  for character in text.utf8 {
    if character == UInt8(ascii: "'") {
      isText.toggle()
    } else if isText {
      bytes.append(character)
    } else if let digit = Character(UnicodeScalar(character)).hexDigitValue {
      if let high = digits {
        bytes.append(high << 4 | UInt8(digit))
        digits = nil
      } else {
        digits = UInt8(digit)
      }
    }
  }
  precondition(digits == nil && !isText, "odd hex: \(text)")
  return bytes
}

/// A packet with the right remaining length before its body.
func packet(_ first: UInt8, _ body: String) -> [UInt8] {
  let bytes = hex(body)
  var length: [UInt8] = []
  var rest = bytes.count
  repeat {
    length.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
    rest >>= 7
  } while rest > 0
  return [first] + length + bytes
}

func array(_ span: RawSpan) -> [UInt8] {
  span.withUnsafeBytes { Array($0) }
}

func array(_ bytes: borrowing GrowableBytes) -> [UInt8] { array(bytes.bytes) }

func string(_ span: RawSpan) -> String { String(decoding: array(span), as: UTF8.self) }

/// A server event as a value that can be kept and compared.
enum Heard: Equatable {
  struct Message: Equatable {
    var topic: String
    var payload: [UInt8]
    var qos: QoS = .atMostOnce
    var isRetained = false
    var isDuplicate = false
    var packetID: UInt16 = 0
    var properties: [String] = []
  }

  case needMore(Int?)
  case connect(ProtocolVersion, clientID: String, will: Message?, details: [String])
  case publish(Message)
  case pingRequest
  case subscribe(UInt16, Int)
  case unsubscribe(UInt16, Int)
  case unexpected(PacketType, UInt16)
  case disconnect(ReasonCode, [String])

  init(_ event: borrowing ServerEvent) {
    switch event {
    case .needMore(let expected): self = .needMore(expected)
    case .connect(let view): self = Heard(view)
    case .publish(let view): self = .publish(Message(view))
    case .pingRequest: self = .pingRequest
    case .subscribe(let id, let count): self = .subscribe(id, count)
    case .unsubscribe(let id, let count): self = .unsubscribe(id, count)
    case .unexpectedAcknowledgement(let type, let id): self = .unexpected(type, id)
    case .disconnect(let view): self = .disconnect(view.reason, describe(view.properties))
    }
  }

  private init(_ view: ConnectView) {
    var details = ["clean \(view.isCleanStart)", "keep alive \(view.keepAliveSeconds)"]
    if let name = view.userName { details.append("user \(string(name))") }
    if let password = view.password { details.append("password \(array(password))") }
    details += describe(view.properties)
    var will: Message?
    if let view = view.will {
      will = Message(
        topic: string(view.topic), payload: array(view.payload), qos: view.qos,
        isRetained: view.isRetained, properties: describe(view.properties))
    }
    self = .connect(view.version, clientID: string(view.clientID), will: will, details: details)
  }
}

extension Heard.Message {
  init(_ view: PublishView) {
    self.init(
      topic: string(view.topic), payload: array(view.payload), qos: view.qos,
      isRetained: view.isRetained, isDuplicate: view.isDuplicate, packetID: view.packetID,
      properties: describe(view.properties))
  }
}

/// Each property as text, in the order of the packet.
func describe(_ properties: PropertiesView) -> [String] {
  var texts: [String] = []
  var iterator = properties.makeIterator()
  while let property = iterator.next() {
    texts.append(
      "\(property.id) \(property.number) \(array(property.data)) \(array(property.value))")
  }
  return texts
}

/// A string property as ``describe(_:)-(PropertiesView)`` shows it.
func describe(_ id: PropertyID, _ text: StaticString) -> String {
  "\(id) 0 \(Array("\(text)".utf8)) []"
}

/// A client event as a value that can be kept and compared.
enum Answer: Equatable {
  case needMore(Int?)
  case connack(UInt8, [String])
  case publish(Heard.Message)
  case acknowledgement(PacketType, UInt16, ReasonCode)
  case suback(UInt16, [UInt8])
  case unsuback(UInt16, [UInt8])
  case pingResponse
  case disconnect(ReasonCode, [String])
  case authentication(ReasonCode, [String])

  init(_ event: borrowing ClientEvent) {
    switch event {
    case .needMore(let expected): self = .needMore(expected)
    case .connack(let view): self = .connack(view.code, describe(view.properties))
    case .publish(let view): self = .publish(Heard.Message(view))
    case .acknowledgement(let view):
      self = .acknowledgement(view.type, view.packetID, view.reason)
    case .suback(let view): self = .suback(view.packetID, array(view.codes))
    case .unsuback(let view): self = .unsuback(view.packetID, array(view.codes))
    case .pingResponse: self = .pingResponse
    case .disconnect(let view): self = .disconnect(view.reason, describe(view.properties))
    case .authentication(let view):
      self = .authentication(view.reason, describe(view.properties))
    }
  }
}

/// A server session and what it wrote; it accepts every CONNECT.
struct Server: ~Copyable {
  var session: ServerSession
  var output = GrowableBytes()
  /// Packets that were accepted.
  private(set) var acceptedCount = 0
  var assignedClientID: [UInt8] = Array("assigned".utf8)

  init(_ limits: ServerLimits = ServerLimits()) {
    session = ServerSession(limits: limits)
  }

  /// A server that a client of `version` is connected to.
  init(connected version: ProtocolVersion, _ limits: ServerLimits = ServerLimits()) {
    self.init(limits)
    let heard = try? feed(connect(version)).events
    precondition(heard?.count == 2 && session.state == .connected)
    output.removeAll()
  }

  /// Reads all packets of `bytes`; the events end with the first `.needMore`.
  mutating func feed(
    _ bytes: [UInt8]
  ) throws(MQTTError) -> (events: [Heard], consumed: Int) {
    var events: [Heard] = []
    var consumed = 0
    while true {
      let event = Heard(try session.next(in: bytes.span.bytes, consumed: &consumed))
      events.append(event)
      if case .needMore = event { return (events, consumed) }
      acceptedCount += 1
      answer(event)
    }
  }

  /// Reads one packet and leaves it unanswered.
  mutating func read(_ bytes: [UInt8]) throws(MQTTError) {
    var consumed = 0
    _ = try session.next(in: bytes.span.bytes, consumed: &consumed)
    #expect(consumed == bytes.count)
  }

  mutating func answer(_ event: Heard) {
    switch event {
    case .connect(_, let clientID, _, _):
      if clientID.isEmpty {
        let assigned = assignedClientID
        session.writeConnack(assignedClientID: assigned.span.bytes, into: &output)
      } else {
        session.writeConnack(into: &output)
      }
    case .publish(let message):
      if message.qos == .atLeastOnce { session.writePuback(message.packetID, into: &output) }
    case .pingRequest: session.writePingresp(into: &output)
    case .subscribe(let id, let count):
      session.writeSuback(id, filterCount: count, into: &output)
    case .unsubscribe(let id, let count):
      session.writeUnsuback(id, filterCount: count, into: &output)
    case .unexpected(let type, let id):
      session.writeAnswer(toUnexpected: type, id, into: &output)
    case .needMore, .disconnect: break
    }
  }

  /// What was written since the last call.
  mutating func takeOutput() -> [UInt8] {
    defer { output.removeAll() }
    return array(output)
  }

  /// The error of the first packet that is not accepted, and the bytes that answer it.
  mutating func rejection(of bytes: [UInt8]) -> (error: MQTTError?, answer: [UInt8]) {
    do throws(MQTTError) {
      _ = try feed(bytes)
      return (nil, takeOutput())
    } catch {
      output.removeAll()
      session.writeRejection(error, into: &output)
      return (error, takeOutput())
    }
  }
}

/// A plain CONNECT of client "c" with clean start and a keep alive of 60 s.
func connect(_ version: ProtocolVersion) -> [UInt8] {
  switch version {
  case .v3_1_1: packet(0x10, "0004'MQTT' 04 02 003C 0001'c'")
  case .v5: packet(0x10, "0004'MQTT' 05 02 003C 00 0001'c'")
  }
}

/// Pseudo-random numbers that a printed seed repeats (SplitMix64).
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}

/// `#expect(_ == _)` for values of what cannot be copied, which the macro cannot look into.
func expectEqual<Value: Equatable>(
  _ value: Value, _ expected: Value, sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(value == expected, sourceLocation: sourceLocation)
}

extension TopicFilter {
  func match(_ topic: [UInt8]) -> Captures? { match(topic.span.bytes) }

  func matches(_ topic: [UInt8]) -> Bool { matches(topic.span.bytes) }
}
