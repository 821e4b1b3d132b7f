import Bytes

/// Reads the fields of one packet; what reaches beyond its end is malformed.
struct PacketReader: ~Escapable {
  private var reader: ByteReader

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) {
    reader = ByteReader(bytes)
  }

  var isAtEnd: Bool { reader.isAtEnd }

  /// Everything not read yet.
  var rest: RawSpan {
    @_lifetime(copy self)
    get { reader.rest }
  }

  mutating func uint8() throws(MQTTError) -> UInt8 {
    guard let value = reader.readUInt8() else { throw .truncatedPacket }
    return value
  }

  mutating func uint16() throws(MQTTError) -> UInt16 {
    guard let value = reader.readUInt16BigEndian() else { throw .truncatedPacket }
    return value
  }

  mutating func uint32() throws(MQTTError) -> UInt32 {
    guard let value = reader.readUInt32BigEndian() else { throw .truncatedPacket }
    return value
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
    guard let bytes = reader.readBytes(count) else { throw .truncatedPacket }
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
    if !reader.isAtEnd { throw .trailingBytes }
  }
}
