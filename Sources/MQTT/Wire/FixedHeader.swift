/// The first two to five bytes of a packet (MQTT 5.0 §2.1.1).
///
/// | byte | bits | meaning |
/// |---|---|---|
/// | 1 | 7–4 | packet type |
/// | 1 | 3–0 | flags |
/// | 2–5 | | remaining length, a variable byte integer |
struct FixedHeader: BitwiseCopyable {
  let type: PacketType
  let flags: UInt8
  /// Bytes after the header.
  let remainingLength: Int
  /// Bytes of the header itself, 2 to 5.
  let byteCount: Int

  /// The size of the whole packet in bytes.
  var packetBytes: Int { byteCount + remainingLength }

  /// The type and the flags in the first byte; their reserved values are malformed.
  static func typeAndFlags(_ first: UInt8) throws(MQTTError) -> (PacketType, UInt8) {
    guard let type = PacketType(rawValue: first >> 4) else { throw .unknownPacketType }
    let flags = first & 0x0F
    if type == .publish {
      // [MQTT-3.3.1-4] Both QoS bits set is no QoS.
      if flags & 0b0110 == 0b0110 { throw .invalidQoS }
      // [MQTT-3.3.1-2] What is sent at most once is never sent again.
      if flags & 0b1110 == 0b1000 { throw .duplicateWithoutQoS }
    } else if flags != type.reservedFlags {
      // [MQTT-2.1.3-1] (3.1.1: [MQTT-2.2.2-2])
      throw .reservedFlags
    }
    return (type, flags)
  }

  /// The header at the front of `bytes`; nil while it is not complete.
  ///
  /// [MQTT-1.5.5-1] MQTT 5.0 wants the shortest form of a length. MQTT 3.1.1 has no such rule, and
  /// there are devices that always send four bytes.
  static func parse(
    _ bytes: RawSpan, mustBeShortest: Bool
  ) throws(MQTTError) -> FixedHeader? {
    guard bytes.byteCount >= 1 else { return nil }
    let (type, flags) = try typeAndFlags(bytes.byte(at: 0))
    var length = 0
    for index in 0..<4 {
      guard index + 1 < bytes.byteCount else { return nil }
      let byte = bytes.byte(at: index + 1)
      length |= Int(byte & 0x7F) << (7 * index)
      if byte & 0x80 == 0 {
        if mustBeShortest, index > 0, byte == 0 { throw .malformedLength }
        return FixedHeader(
          type: type, flags: flags, remainingLength: length, byteCount: index + 2)
      }
    }
    throw .malformedLength
  }
}
