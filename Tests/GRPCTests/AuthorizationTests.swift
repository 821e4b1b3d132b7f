import GRPC
import Testing

@Suite("A server is told what calls are authorized by")
struct AuthorizationTests {
  private func pair(
    _ fields: [String], keeps: Bool = true, path: String? = nil, seed: UInt64 = 1
  ) -> Pair {
    var client = Pair.clientOptions
    client.additionalHeaders = fields.map { ("authorization", $0) }
    var server = ServerSession.Options()
    server.keepsAuthorization = keeps
    server.clientStreamingPaths = [streamPath]
    return Pair(seed: seed, splits: true, client: client, server: server)
  }

  @Test("Of calls and of streams, each its own; kept only when wanted")
  func told() throws {
    let pair = pair(["Bearer abc"])
    for tag in 1...3 as ClosedRange<UInt64> { #expect(pair.call(tag, [1])) }
    let isStarted = pair.client.startStream(streamMethod, tag: 9)
    #expect(isStarted)
    try pair.pump()
    #expect(pair.authorizations == Array(repeating: "Bearer abc", count: 4))
    let without = self.pair(["Bearer abc"], keeps: false)
    #expect(without.call(1, [1]))
    try without.pump()
    #expect(without.authorizations == [""])
  }

  @Test("None, two, and one of more than 8 KiB are none")
  func none() throws {
    for fields in [[], ["a", "a"], ["a", "b", "c"], [""]] {
      let pair = pair(fields)
      #expect(pair.call(1, [1]))
      try pair.pump()
      #expect(pair.authorizations == [""], "\(fields)")
    }
    let longest = pair([String(repeating: "a", count: 8_192)])
    #expect(longest.call(1, [1]))
    try longest.pump()
    #expect(longest.authorizations.map(\.utf8.count) == [8_192])
    let tooLong = pair([String(repeating: "a", count: 8_193)])
    #expect(tooLong.call(1, [1]))
    try tooLong.pump()
    #expect(tooLong.authorizations == [""])
  }

  @Test("Its memory is used again")
  func memory() throws {
    let pair = pair(["Bearer abc"])
    pair.keepsLogs = false
    for tag in 1...100 as ClosedRange<UInt64> {
      #expect(pair.call(tag, [1]))
      try pair.pump()
    }
    let held = pair.serverHeldBytes
    for tag in 101...2_000 as ClosedRange<UInt64> {
      #expect(pair.call(tag, [1]))
      try pair.pump()
    }
    #expect(pair.serverHeldBytes == held)
  }
}
