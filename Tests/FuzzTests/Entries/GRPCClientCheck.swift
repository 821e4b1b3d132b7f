import Bytes
import GRPC
import IOPort

/// The first byte says what is played, the rest is what the server sends.
///
/// | bits | meaning |
/// |---|---|
/// | 0 | the rest is a ``FrameScript`` after settings, not bare bytes |
/// | 1 | small limits |
/// | 2 | calls are cancelled and started in between |
/// | 3 | bodies go by reference |
/// | 4 | requests are streams of three messages; every second one is left open |
enum GRPCClientCheck {
  struct Setup: BitwiseCopyable {
    let bits: UInt8
    var isScript: Bool { bits & 1 != 0 }
    var cancels: Bool { bits & 4 != 0 }
    var refersToBodies: Bool { bits & 8 != 0 }
    var streams: Bool { bits & 16 != 0 }
    var options: ClientSession.Options {
      var options = ClientSession.Options(authority: "localhost:6650", userAgent: "test")
      if bits & 2 != 0 {
        options.maximumConcurrentCalls = 4
        options.maximumMessageBytes = 64
        options.maximumBufferedBytes = 256
        options.lastStreamID = 11
      }
      return options
    }
  }

  static func run(_ input: [UInt8], effort: FuzzTarget.Effort) throws(Finding) {
    guard let first = input.first else { return }
    let setup = Setup(bits: first)
    let bytes =
      setup.isScript
      ? FrameScript.settings + FrameScript.bytes(of: input.dropFirst()) : Array(input.dropFirst())
    _ = try GRPCClientPlay(bytes, ends: [bytes.count], setup, isLively: true)
    // What is done in between depends on how much was there: without it nothing does.
    let whole = try GRPCClientPlay(bytes, ends: [bytes.count], setup, isLively: false)
    try Cuts.forEach(bytes[...], effort: effort) { ends throws(Finding) in
      let cut = try GRPCClientPlay(bytes, ends: ends, setup, isLively: false)
      try cut.log.requireEqual(to: whole.log, ends: ends)
      if effort == .thorough || ends.count > 2 {
        _ = try GRPCClientPlay(bytes, ends: ends, setup, isLively: true)
      }
    }
  }
}
