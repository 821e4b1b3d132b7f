import MQTT

/// What a device reads from the gateway.
enum DevicePacket {
  case connack(code: UInt8, isSessionPresent: Bool)
  case puback(UInt16, reason: UInt8)
  case pingResponse
  case disconnect(reason: UInt8)
  case unwanted(String)

  /// The next packet, nil when it is not complete.
  static func next(
    in bytes: RawSpan, consumed: inout Int, session: inout ClientSession
  ) -> DevicePacket? {
    do {
      switch try session.next(in: bytes, consumed: &consumed) {
      case .needMore: return nil
      case .connack(let view):
        return .connack(code: view.code, isSessionPresent: view.isSessionPresent)
      case .acknowledgement(let view):
        return view.type == .puback
          ? .puback(view.packetID, reason: view.reason.rawValue) : .unwanted("\(view.type)")
      case .pingResponse: return .pingResponse
      case .disconnect(let view): return .disconnect(reason: view.reason.rawValue)
      case .publish: return .unwanted("PUBLISH")
      case .suback: return .unwanted("SUBACK")
      case .unsuback: return .unwanted("UNSUBACK")
      case .authentication: return .unwanted("AUTH")
      }
    } catch {
      return .unwanted("\(error)")
    }
  }
}
