/// HTTP/2 frames by hand (RFC 9113 §4.1), for what a well-behaved peer never sends.
enum Frames {
  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
  static let settings = frame(type: 4)
  static let settingsAck = frame(type: 4, flags: 1)

  static func frame(
    type: UInt8, flags: UInt8 = 0, stream: Int32 = 0, _ payload: [UInt8] = []
  ) -> [UInt8] {
    let length = UInt32(payload.count)
    let id = UInt32(bitPattern: stream)
    var bytes = bigEndian(length)
    bytes.removeFirst()
    bytes += [type, flags]
    bytes += bigEndian(id)
    bytes += payload
    return bytes
  }

  private static func bigEndian(_ value: UInt32) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
  }

  /// Fields as HPACK literals without indexing or Huffman code (RFC 7541 §6.2.2).
  static func block(_ fields: [(String, String)]) -> [UInt8] {
    var bytes: [UInt8] = []
    for (name, value) in fields {
      bytes.append(0)
      bytes += length(name)
      bytes += Array(name.utf8)
      bytes += length(value)
      bytes += Array(value.utf8)
    }
    return bytes
  }

  private static func length(_ text: String) -> [UInt8] {
    var left = text.utf8.count
    if left < 127 { return [UInt8(left)] }
    var bytes: [UInt8] = [127]
    left -= 127
    while left >= 128 {
      bytes.append(UInt8(left & 127 | 128))
      left >>= 7
    }
    return bytes + [UInt8(left)]
  }

  static func headers(
    _ stream: Int32, _ fields: [(String, String)], ends: Bool = false
  ) -> [UInt8] {
    frame(type: 1, flags: ends ? 5 : 4, stream: stream, block(fields))
  }

  static func data(_ stream: Int32, _ payload: [UInt8], ends: Bool = false) -> [UInt8] {
    frame(type: 0, flags: ends ? 1 : 0, stream: stream, payload)
  }

  static func reset(_ stream: Int32, code: UInt8) -> [UInt8] {
    frame(type: 3, stream: stream, [0, 0, 0, code])
  }

  static func goAway(last: UInt8, code: UInt8) -> [UInt8] {
    frame(type: 7, [0, 0, 0, last, 0, 0, 0, code])
  }

  /// A message with gRPC's prefix.
  static func message(_ bytes: [UInt8], flag: UInt8 = 0) -> [UInt8] {
    [flag] + bigEndian(UInt32(bytes.count)) + bytes
  }

  static let responseFields = [(":status", "200"), ("content-type", "application/grpc")]
  static let requestFields = [
    (":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"), (":authority", "x"),
    ("content-type", "application/grpc+proto"), ("te", "trailers"),
  ]
}
