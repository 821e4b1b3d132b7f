/// HTTP/2 frames (RFC 9113 §4.1) out of a fuzzer's bytes.
///
/// Bytes alone rarely have the right length, and header blocks are worse: most inputs would end at
/// their first frame. In a script, what follows is said in a few bytes and framed here: an opcode,
/// the stream, flags, a count, so many bytes.
///
/// | opcode | frame |
/// |---|---|
/// | 0 to 9 | of that type, with the bytes as payload |
/// | 10 | HEADERS with the fields of a request, then the bytes as further header block |
/// | 11 | HEADERS with the fields of a response, then the bytes |
/// | 12 | HEADERS with `grpc-status`, of the first byte's value |
/// | 13 | DATA with one gRPC message of the bytes |
/// | 14 | DATA with the prefix of a message that is four times as long as the bytes |
/// | 15 | the bytes themselves, without a frame |
enum FrameScript {
  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
  /// SETTINGS without any, which both sides begin with.
  static let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]

  /// The frames of a script.
  static func bytes(of script: ArraySlice<UInt8>) -> [UInt8] {
    var output: [UInt8] = []
    var rest = script
    while rest.count >= 4 {
      let opcode = rest[rest.startIndex] & 15
      let stream = rest[rest.startIndex + 1] & 15
      let flags = rest[rest.startIndex + 2]
      let length = Int(rest[rest.startIndex + 3])
      let payload = Array(rest.dropFirst(4).prefix(length))
      rest = rest.dropFirst(4 + length)
      switch opcode {
      case 0...9: output += frame(opcode, flags, stream, payload)
      case 10: output += frame(1, flags & 5 | 4, stream, request + payload)
      case 11: output += frame(1, flags & 5 | 4, stream, response + payload)
      case 12: output += frame(1, flags & 5 | 4, stream, status(payload.first ?? 0))
      case 13: output += frame(0, flags & 1, stream, message(payload, length: payload.count))
      case 14: output += frame(0, flags & 1, stream, message(payload, length: payload.count * 4))
      default: output += payload
      }
    }
    return output
  }

  private static let request = block([
    (":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"), (":authority", "x"),
    ("content-type", "application/grpc"), ("te", "trailers"),
  ])
  private static let response = block([(":status", "200"), ("content-type", "application/grpc")])

  private static func status(_ code: UInt8) -> [UInt8] {
    block([("grpc-status", "\(code)"), ("grpc-message", "no%20luck%")])
  }

  private static func message(_ bytes: [UInt8], length: Int) -> [UInt8] {
    [0, 0, 0, UInt8(length >> 8), UInt8(length & 255)] + bytes
  }

  private static func frame(
    _ type: UInt8, _ flags: UInt8, _ stream: UInt8, _ payload: [UInt8]
  ) -> [UInt8] {
    let length = [0, UInt8(payload.count >> 8 & 255), UInt8(payload.count & 255)]
    return length + [type, flags, 0, 0, 0, stream] + payload
  }

  /// Fields as literals without indexing (RFC 7541 §6.2.2), all of less than 127 bytes.
  private static func block(_ fields: [(String, String)]) -> [UInt8] {
    var bytes: [UInt8] = []
    for (name, value) in fields {
      bytes += [0, UInt8(name.utf8.count)]
      bytes += name.utf8
      bytes.append(UInt8(value.utf8.count))
      bytes += value.utf8
    }
    return bytes
  }
}
