import Bytes
import MQTT

/// The first byte says the version (odd: 5.0), the rest is packets of any type, one after another.
enum MQTTPacketCheck {
  static func run(_ input: [UInt8], effort: FuzzTarget.Effort) throws(Finding) {
    guard let first = input.first else { return }
    let version = first & 1 == 0 ? ProtocolVersion.v3_1_1 : .v5
    var rest = input.dropFirst()
    while !rest.isEmpty {
      let bytes = Array(rest)
      guard let found = try read(bytes.rawBytes, version) else { return }
      let packet = Array(bytes[..<found.byteCount])
      try checkCuts(packet, version, found.log, effort: effort)
      try checkAgain(packet, version, found.log)
      rest = rest.dropFirst(found.byteCount)
    }
  }

  /// What stands at the front of the bytes; nil where it is no packet, or not all of one.
  private static func read(
    _ bytes: RawSpan, _ version: ProtocolVersion
  ) throws(Finding) -> (log: EventLog, byteCount: Int)? {
    var byteCount = -1
    var log: EventLog?
    do throws(MQTTError) {
      if let view = try PacketView.first(in: bytes, version: version, byteCount: &byteCount) {
        log = MQTTPacketLog.log(of: view)
      }
    } catch {
      try require(byteCount == -1, "an error that consumes")
      return nil
    }
    guard let log else {
      try require(byteCount == -1, "nothing, and it consumes")
      return nil
    }
    try require(byteCount >= 2 && byteCount <= bytes.byteCount, "a packet of \(byteCount) bytes")
    return (log, byteCount)
  }

  /// It is there when its last byte is, and not before; what follows it does not matter.
  private static func checkCuts(
    _ packet: [UInt8], _ version: ProtocolVersion, _ log: EventLog, effort: FuzzTarget.Effort
  ) throws(Finding) {
    let alone = try read(packet.rawBytes, version)
    try require(alone?.byteCount == packet.count, "alone it is another packet")
    try (alone?.log ?? EventLog()).requireEqual(to: log, "alone it is another packet")
    let lengths = effort == .thorough ? Array(0..<packet.count) : [1, packet.count - 1]
    for length in lengths {
      let part = packet.rawBytes.extracting(first: length)
      var byteCount = -1
      var isThere = false
      do throws(MQTTError) {
        isThere = try PacketView.first(in: part, version: version, byteCount: &byteCount) != nil
      } catch {
        throw Finding("the first \(length) of \(packet.count) bytes are an error: \(error)")
      }
      try require(!isThere && byteCount == -1, "a packet is there before its last byte is")
    }
  }

  /// Written by the encoder it is read as it was, and written the same once more.
  private static func checkAgain(
    _ packet: [UInt8], _ version: ProtocolVersion, _ log: EventLog
  ) throws(Finding) {
    guard let once = MQTTPacketLog.written(packet.rawBytes, version) else { return }
    guard let second = try read(once.rawBytes, version) else {
      throw Finding("a packet that was written again is none: \(once)")
    }
    try require(second.byteCount == once.count, "a packet was written with too many bytes")
    try second.log.requireEqual(to: log, "a packet that was written again is another")
    let twice = MQTTPacketLog.written(once.rawBytes, version)
    try require(twice == once, "written twice it is \(twice ?? []), not \(once)")
  }
}
