import Bytes
import HTTP1
import Testing

@Suite("The head scanner")
struct HeadScannerTests {
  /// The outcome when the bytes come in pieces of so many bytes, and how many were looked at.
  private func scan(
    _ bytes: [UInt8], piece: Int, limits: RequestLimits
  ) -> (outcome: HeadScanner.Outcome, scanned: Int) {
    var scanner = HeadScanner()
    var end = 0
    while end < bytes.count {
      let start = end
      end = min(end + piece, bytes.count)
      let outcome = scanner.scan(
        bytes.rawBytes.extracting(0..<end), from: start, limits: limits)
      if outcome != .incomplete { return (outcome, scanner.scannedBytes) }
    }
    return (.incomplete, scanner.scannedBytes)
  }

  @Test("Bytes in one piece come to what they come to one by one", arguments: 1...400)
  func pieces(seed: Int) {
    var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15
    func next(_ limit: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(limit))
    }
    var bytes: [UInt8] = next(4) == 0 ? Array("\r\n".utf8) : []
    for _ in 0...next(6) {
      for _ in 0..<next(30) { bytes.append(UInt8(0x20 + next(0x5f))) }
      bytes += Array("\r\n".utf8)
    }
    bytes += Array("\r\nbody".utf8)
    // Some have a byte that may not be there, or one above ASCII, which may.
    for _ in 0..<next(3) {
      let odd: [UInt8] = [0x00, 0x1f, 0x7f, 0x0a, 0x0d, 0x09, 0x80, 0xff, 0x9f]
      bytes[next(bytes.count)] = odd[next(odd.count)]
    }
    let limits = RequestLimits(headBytes: 1 + next(bytes.count + 20), bodyBytes: 0)
    let whole = scan(bytes, piece: bytes.count, limits: limits)
    for piece in [1, 2, 7, 8, 9, 16] {
      let parts = scan(bytes, piece: piece, limits: limits)
      #expect(whole.outcome == parts.outcome, "seed \(seed), pieces of \(piece)")
      #expect(whole.scanned == parts.scanned, "seed \(seed), pieces of \(piece)")
    }
  }
}
