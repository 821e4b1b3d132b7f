import Bytes
import MQTT

/// The first byte says how the server is set up, the rest is what the client sends.
///
/// | bits | meaning |
/// |---|---|
/// | 0, 1 | 1, 2: a CONNECT of MQTT 3.1.1, 5.0 goes before the rest |
/// | 2 | packets of at most 128 bytes, a receive maximum of 2 |
/// | 3 | RETAIN is refused |
/// | 4 | publishes stay unanswered |
/// | 5 | each publish is taken back once |
/// | 6 | every CONNECT is refused |
enum MQTTCheck {
  struct Setup: BitwiseCopyable {
    let bits: UInt8
    var prelude: [UInt8] {
      switch bits & 3 {
      case 1: [0x10, 13, 0, 4, 0x4D, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 1, 0x63]
      case 2: [0x10, 14, 0, 4, 0x4D, 0x51, 0x54, 0x54, 5, 2, 0, 60, 0, 0, 1, 0x63]
      default: []
      }
    }
    var answersPublishes: Bool { bits & 16 == 0 }
    var takesBack: Bool { bits & 32 != 0 }
    var refuses: Bool { bits & 64 != 0 }
    var limits: ServerLimits {
      var limits = ServerLimits()
      if bits & 4 != 0 {
        limits.maximumPacketBytes = 128
        limits.receiveMaximum = 2
        limits.maximumKeepAliveSeconds = 30
      }
      if bits & 8 != 0 { limits.retainFlag = .refuse }
      return limits
    }
  }

  static func run(_ input: [UInt8], effort: FuzzTarget.Effort) throws(Finding) {
    guard let first = input.first else { return }
    let setup = Setup(bits: first)
    let bytes = setup.prelude + input.dropFirst()
    let whole = try MQTTConversation.log(of: bytes, ends: [bytes.count], setup)
    try Cuts.forEach(bytes[...], effort: effort) { ends throws(Finding) in
      let cut = try MQTTConversation.log(of: bytes, ends: ends, setup)
      try cut.requireEqual(to: whole, "cut at \(ends.prefix(2)) the events are others")
    }
  }
}
