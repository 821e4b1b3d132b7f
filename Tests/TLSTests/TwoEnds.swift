import Bytes
import TLS

/// A client and a server that talk in memory: what one sends lies in a queue until it is delivered.
struct TwoEnds: ~Copyable {
  var client: TLSSession
  var server: TLSSession
  var toServer = GrowableBytes()
  var toClient = GrowableBytes()
  var atServer = GrowableBytes()
  var atClient = GrowableBytes()

  init(_ client: TLSContext, _ server: TLSContext, name: String = "localhost") throws {
    let one = try TLSSession(client, serverName: name)
    let other = try TLSSession(server)
    self.client = one
    self.server = other
  }

  /// Delivers up to `count` bytes to the server; false when there are none.
  mutating func deliverToServer(_ count: Int = .max) throws(TLSError) -> Bool {
    if toServer.isEmpty { return false }
    let taken = min(count, toServer.count)
    let bytes = Array(copying: toServer.bytes.extracting(0..<taken))
    toServer.removeFirst(taken)
    try server.receive(
      bytes.span.bytes, plaintext: &atServer, output: &toClient)
    return true
  }

  /// Delivers up to `count` bytes to the client; false when there are none.
  mutating func deliverToClient(_ count: Int = .max) throws(TLSError) -> Bool {
    if toClient.isEmpty { return false }
    let taken = min(count, toClient.count)
    let bytes = Array(copying: toClient.bytes.extracting(0..<taken))
    toClient.removeFirst(taken)
    try client.receive(
      bytes.span.bytes, plaintext: &atClient, output: &toServer)
    return true
  }

  /// Delivers everything, `count` bytes at a time.
  mutating func run(_ count: Int = .max) throws(TLSError) {
    while true {
      let one = try deliverToServer(count)
      let other = try deliverToClient(count)
      if !one && !other { return }
    }
  }

  mutating func handshake(_ count: Int = .max) throws(TLSError) {
    try client.start(output: &toServer)
    try run(count)
  }

  mutating func sendFromClient(_ bytes: [UInt8]) throws(TLSError) {
    try client.send(bytes.span.bytes, output: &toServer)
  }

  mutating func sendFromServer(_ bytes: [UInt8]) throws(TLSError) {
    try server.send(bytes.span.bytes, output: &toClient)
  }
}

extension GrowableBytes {
  /// Takes everything out.
  mutating func takeAll() -> [UInt8] {
    defer { removeAll() }
    return Array(copying: bytes)
  }
}
