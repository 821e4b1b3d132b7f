import Bytes
import HTTP1

/// The first byte says how much is allowed (odd: little), the rest is what the client sends.
enum HTTPCheck {
  static func run(_ input: [UInt8], effort: FuzzTarget.Effort) throws(Finding) {
    guard let first = input.first else { return }
    let limits =
      first & 1 == 0
      ? RequestLimits(bodyBytes: 10_000)
      : RequestLimits(headBytes: 96, fieldCount: 3, bodyBytes: 20)
    let bytes = Array(input.dropFirst())
    let whole = try HTTPConversation(bytes, ends: [bytes.count], limits)
    try Cuts.forEach(bytes[...], effort: effort) { ends throws(Finding) in
      let cut = try HTTPConversation(bytes, ends: ends, limits)
      try cut.log.requireEqual(to: whole.log, "cut at \(ends.prefix(2)) the events are others")
    }
    // Requests that were read, written again, are the same requests.
    let again = whole.written
    let second = try HTTPConversation(again, ends: [again.count], limits)
    try require(
      second.log.bytes.starts(with: whole.writtenLog.bytes),
      "requests written again are others:\n\(String(decoding: again, as: UTF8.self))")
  }
}
