import Bytes

/// The attributes `mqtt.qos`, `mqtt.retain` and `mqtt.dup`, encoded once for each combination.
struct FlagAttributes: ~Copyable {
  private let encoded: [[UInt8]]

  init() {
    encoded = (0..<8).map { index in
      var output = GrowableBytes()
      RecordFields.appendAttribute("mqtt.qos", index & 1 == 0 ? "0" : "1", to: &output)
      RecordFields.appendAttribute("mqtt.retain", index & 2 == 0 ? "false" : "true", to: &output)
      RecordFields.appendAttribute("mqtt.dup", index & 4 == 0 ? "false" : "true", to: &output)
      return RecordFields.array(output.bytes)
    }
  }

  func bytes(qos: UInt8, retain: Bool, dup: Bool) -> [UInt8] {
    encoded[Int(qos & 1) | (retain ? 2 : 0) | (dup ? 4 : 0)]
  }
}
