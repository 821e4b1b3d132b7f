internal import CNGHTTP2

/// Why a connection is of no use any more. Write what ``ClientSession/writeOutput(to:)`` still has
/// (a GOAWAY that tells the peer), then close it.
public struct GRPCError: Error, BitwiseCopyable, Hashable {
  /// What happened.
  public enum Kind: UInt8, BitwiseCopyable, Sendable {
    /// The peer broke HTTP/2; ``GRPCError/code`` tells how.
    case protocolViolation
    /// The peer does not speak HTTP/2 at all: its preface is wrong.
    case badPreface
    /// The peer asked for more work than a limit allows (acknowledgements, settings, resets,
    /// pieces of a header block).
    case flooded
    /// The library had no memory.
    case outOfMemory
    /// The session was told that its connection is gone.
    case closed
  }

  /// What happened.
  public let kind: Kind
  /// The HTTP/2 error code that was sent in GOAWAY (RFC 9113 §7), 0 where none was.
  public let code: UInt32

  init(_ kind: Kind, code: UInt32 = 0) {
    self.kind = kind
    self.code = code
  }

  /// From a negative return value of the library.
  init(libraryCode: Int) {
    switch libraryCode {
    case CNGHTTP2_ERR_NOMEM: self.init(.outOfMemory)
    case CNGHTTP2_ERR_BAD_CLIENT_MAGIC: self.init(.badPreface)
    case CNGHTTP2_ERR_FLOODED, CNGHTTP2_ERR_TOO_MANY_CONTINUATIONS: self.init(.flooded)
    default: self.init(.protocolViolation)
    }
  }

  /// From the code of the GOAWAY that this side sends.
  init(goAwayCode: UInt32) {
    // ENHANCE_YOUR_CALM is what the limits on resets and malformed requests end in.
    self.init(goAwayCode == 0xb ? .flooded : .protocolViolation, code: goAwayCode)
  }
}
