/// Reads the fields of one packet; what reaches beyond its end is malformed.
///
/// ``ByteReader`` would do; this one is part of the module, so that the compiler makes one piece of
/// reading a PUBLISH.
struct PacketReader: ~Escapable {
  private let packet: RawSpan
  private var offset = 0

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) {
    packet = bytes
  }

  var isAtEnd: Bool { offset == packet.byteCount }

  /// Bytes read so far.
  var position: Int { offset }

  /// Everything not read yet.
  var rest: RawSpan {
    @_lifetime(copy self)
    get { packet.extracting(offset..<packet.byteCount) }
  }

  mutating func uint8() throws(MQTTError) -> UInt8 {
    guard offset < packet.byteCount else { throw .truncatedPacket }
    defer { offset += 1 }
    return packet.byte(at: offset)
  }

  mutating func uint16() throws(MQTTError) -> UInt16 {
    guard packet.byteCount - offset >= 2 else { throw .truncatedPacket }
    defer { offset += 2 }
    return packet.uint16(at: offset)
  }

  mutating func uint32() throws(MQTTError) -> UInt32 {
    guard packet.byteCount - offset >= 4 else { throw .truncatedPacket }
    defer { offset += 4 }
    return packet.uint32(at: offset)
  }

  /// A packet identifier, which is never 0 [MQTT-2.2.1-3].
  mutating func packetID() throws(MQTTError) -> UInt16 {
    let value = try uint16()
    if value == 0 { throw .zeroPacketID }
    return value
  }

  /// A variable byte integer in its shortest form [MQTT-1.5.5-1], as MQTT 5.0 has it after the
  /// fixed header.
  mutating func variableByteInteger() throws(MQTTError) -> Int {
    var value = 0
    for index in 0..<4 {
      let byte = try uint8()
      value |= Int(byte & 0x7F) << (7 * index)
      if byte & 0x80 == 0 {
        if index > 0, byte == 0 { throw .malformedLength }
        return value
      }
    }
    throw .malformedLength
  }

  @_lifetime(copy self)
  mutating func bytes(_ count: Int) throws(MQTTError) -> RawSpan {
    guard count <= packet.byteCount - offset else { throw .truncatedPacket }
    let bytes = packet.extracting(offset..<(offset + count))
    offset += count
    return bytes
  }

  /// Binary data: two bytes of length before it.
  @_lifetime(copy self)
  mutating func binary() throws(MQTTError) -> RawSpan {
    let count = try uint16()
    return try bytes(Int(count))
  }

  /// A UTF-8 string: two bytes of length before it.
  @_lifetime(copy self)
  mutating func string() throws(MQTTError) -> RawSpan {
    let string = try binary()
    if string.textContent() == .invalid { throw .invalidString }
    return string
  }

  /// The properties of MQTT 5.0: their length before them.
  @_lifetime(copy self)
  mutating func properties(of holder: PropertyHolder) throws(MQTTError) -> PropertiesView {
    let count = try variableByteInteger()
    if count == 0 { return PropertiesView() }
    return try PropertiesView(checking: try bytes(count), of: holder)
  }

  /// The end of the packet: anything left is malformed.
  func end() throws(MQTTError) {
    if !isAtEnd { throw .trailingBytes }
  }
}
