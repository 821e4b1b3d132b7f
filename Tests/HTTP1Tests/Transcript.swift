import Bytes
import HTTP1

/// What a reader said about a connection's bytes, in words; bodies joined over their pieces.
struct Transcript: Equatable, CustomStringConvertible {
  private(set) var lines: [String] = []
  private var body: [UInt8] = []

  var description: String { lines.joined(separator: " | ") }

  /// Reads `pieces` one after the other.
  init(_ pieces: [ArraySlice<UInt8>], limits: RequestLimits = RequestLimits(bodyBytes: 1000)) {
    var reader = RequestReader(limits: limits)
    for piece in pieces {
      Array(piece).withUnsafeBytes { reader.receive($0.bytes) }
      if drain(&reader) { return }
    }
  }

  init(_ text: String, limits: RequestLimits = RequestLimits(bodyBytes: 1000)) {
    self.init([Array(text.utf8)[...]], limits: limits)
  }

  /// Takes events until bytes are needed; true after a failure.
  private mutating func drain(_ reader: inout RequestReader) -> Bool {
    while true {
      switch reader.nextEvent() {
      case .needsBytes: return false
      case .head: note(reader.head)
      case .body: body += array(reader.body)
      case .end:
        if !body.isEmpty { lines.append("body \(String(decoding: body, as: UTF8.self))") }
        body = []
        lines.append("end")
      case .failed(let error):
        lines.append("\(error)")
        return true
      }
    }
  }

  private mutating func note(_ head: borrowing RequestHead) {
    var line = "\(text(head.methodToken)) \(text(head.path))"
    if head.query.byteCount > 0 { line += " ?\(text(head.query))" }
    if head.framing != .none { line += " \(head.framing)" }
    if !head.keepsAlive { line += " close" }
    if head.expectsContinue { line += " expects" }
    for index in 0..<head.fieldCount {
      line += " \(text(head.fieldName(at: index)))=\(text(head.fieldValue(at: index)))"
    }
    lines.append(line)
  }

  private func text(_ bytes: RawSpan) -> String { String(decoding: array(bytes), as: UTF8.self) }
}

func array(_ bytes: RawSpan) -> [UInt8] { bytes.withUnsafeBytes { Array($0) } }
