import Bytes
import GRPC
import IOPort

/// The first byte says what is played, the rest is what the client sends.
///
/// | bits | meaning |
/// |---|---|
/// | 0 | the rest is a ``FrameScript`` after preface and settings, not bare bytes |
/// | 1 | small limits |
/// | 2, 3 | calls get: an answer, a failure, a stream of messages, nothing |
/// | 4 | the server shuts down after the first call |
/// | 5 | requests of the script's path are streams of messages |
enum GRPCServerCheck {
  struct Setup: BitwiseCopyable {
    let bits: UInt8
    var isScript: Bool { bits & 1 != 0 }
    var answer: UInt8 { bits >> 2 & 3 }
    var shutsDown: Bool { bits & 16 != 0 }
    var streams: Bool { bits & 32 != 0 }
    /// A limit on calls depends on when answers are sent, which is when bytes were read: without
    /// `answers` there is none that matters.
    func options(answers: Bool) -> ServerSession.Options {
      var options = ServerSession.Options()
      options.keepsAuthorization = true
      if bits & 2 != 0 {
        if answers { options.maximumConcurrentCalls = 2 }
        options.maximumMessageBytes = 64
        options.maximumBufferedBytes = 256
      }
      if streams { options.clientStreamingPaths = ["/a.B/C"] }
      return options
    }
  }

  static func run(_ input: [UInt8], effort: FuzzTarget.Effort) throws(Finding) {
    guard let first = input.first else { return }
    let setup = Setup(bits: first)
    let bytes =
      setup.isScript
      ? FrameScript.preface + FrameScript.settings + FrameScript.bytes(of: input.dropFirst())
      : Array(input.dropFirst())
    _ = try GRPCServerPlay(bytes, ends: [bytes.count], setup, answers: true)
    // Answers depend on how much of a client's bytes was there: without them nothing does.
    let whole = try GRPCServerPlay(bytes, ends: [bytes.count], setup, answers: false)
    try Cuts.forEach(bytes[...], effort: effort) { ends throws(Finding) in
      let cut = try GRPCServerPlay(bytes, ends: ends, setup, answers: false)
      try cut.log.requireEqual(to: whole.log, ends: ends)
      if effort == .thorough || ends.count > 2 {
        _ = try GRPCServerPlay(bytes, ends: ends, setup, answers: true)
      }
    }
  }
}
