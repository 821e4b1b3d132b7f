/// The `grpc-timeout` header.
///
/// A request's time limit is rounded up to one of few steps, so that the header is in the HPACK
/// table and costs one byte: the caller's own clock ends the call, the header only tells the server
/// when nobody waits any more. Above the last step no header is sent.
enum Timeout {
  /// Number of steps.
  static let stepCount = 11

  /// The step for a limit; nil when it is above all of them.
  static func step(forMilliseconds milliseconds: Int) -> Int? {
    (0..<stepCount).first { milliseconds <= step($0).milliseconds }
  }

  /// A step and its text on the wire.
  static func step(_ index: Int) -> (milliseconds: Int, text: StaticString) {
    switch index {
    case 0: (100, "100m")
    case 1: (250, "250m")
    case 2: (500, "500m")
    case 3: (1_000, "1S")
    case 4: (2_000, "2S")
    case 5: (5_000, "5S")
    case 6: (10_000, "10S")
    case 7: (20_000, "20S")
    case 8: (30_000, "30S")
    case 9: (60_000, "60S")
    default: (300_000, "300S")
    }
  }

  /// Milliseconds, rounded up, of a header value: at most eight digits and a unit (gRPC over
  /// HTTP/2, "Timeout"). nil when it is malformed.
  static func milliseconds(parsing bytes: RawSpan) -> Int? {
    let digits = bytes.byteCount - 1
    guard digits >= 1, digits <= 8, let value = bytes.decimalNumber(digits: digits) else {
      return nil
    }
    switch bytes.byte(at: digits) {
    case UInt8(ascii: "H"): return value * 3_600_000
    case UInt8(ascii: "M"): return value * 60_000
    case UInt8(ascii: "S"): return value * 1_000
    case UInt8(ascii: "m"): return value
    case UInt8(ascii: "u"): return (value + 999) / 1_000
    case UInt8(ascii: "n"): return (value + 999_999) / 1_000_000
    default: return nil
    }
  }
}
