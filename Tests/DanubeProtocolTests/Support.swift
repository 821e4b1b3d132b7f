import Bytes
import DanubeProtocol

/// What `encode` appends to an empty queue.
func encoded(_ body: (inout GrowableBytes) -> Void) -> [UInt8] {
  var bytes = GrowableBytes()
  body(&bytes)
  return Array(copying: bytes.bytes)
}

func hex(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

func unhex(_ text: String) -> [UInt8] {
  var bytes: [UInt8] = []
  var rest = Substring(text)
  while !rest.isEmpty {
    bytes.append(UInt8(rest.prefix(2), radix: 16) ?? 0)
    rest = rest.dropFirst(2)
  }
  return bytes
}

func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }
