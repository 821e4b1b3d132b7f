import Bytes
import IOPort
import TLS
import TestCertificates
import Testing

@Suite("TLS sessions carry bytes and notice what is missing")
struct TransferTests {
  private func makeEnds(isTLS12: Bool = false, releasesBuffers: Bool = false) throws -> TwoEnds {
    let authority = try TestAuthority()
    let issued = try authority.issue()
    var client = TLSClientOptions(
      authorities: authority.certificate, applicationProtocol: .http2)
    client.isLimitedToTLS12 = isTLS12
    client.releasesBuffers = releasesBuffers
    var server = TLSServerOptions(
      identity: TLSIdentity(certificates: issued.certificate, key: issued.key),
      applicationProtocol: .http2)
    server.releasesBuffers = releasesBuffers
    var ends = try TwoEnds(TLSContext(client: client), TLSContext(server: server))
    try ends.handshake()
    return ends
  }

  private func pattern(_ count: Int, _ seed: UInt64) -> [UInt8] {
    var random = SplitMix64(seed: seed)
    return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
  }

  @Test(
    "Megabytes pass both ways, cut anywhere, across changes of keys", .timeLimit(.minutes(1)),
    arguments: [(true, false), (false, false), (false, true)])
  func large(isTLS12: Bool, releasesBuffers: Bool) throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SplitMix64(seed: seed)
    var ends = try makeEnds(isTLS12: isTLS12, releasesBuffers: releasesBuffers)
    let there = pattern(3_000_000, seed)
    let back = pattern(2_000_000, seed &+ 1)
    var arrivedThere: [UInt8] = []
    var arrivedBack: [UInt8] = []
    var sentThere = 0
    var sentBack = 0
    while arrivedThere.count < there.count || arrivedBack.count < back.count {
      if sentThere < there.count {
        let end = min(there.count, sentThere + Int(random.next() % 70_000) + 1)
        try ends.sendFromClient(Array(there[sentThere..<end]))
        sentThere = end
      }
      if sentBack < back.count {
        let end = min(back.count, sentBack + Int(random.next() % 50_000) + 1)
        try ends.sendFromServer(Array(back[sentBack..<end]))
        sentBack = end
      }
      if random.next() % 8 == 0 { ends.client.updateKeys() }
      if random.next() % 8 == 0 { ends.server.updateKeys() }
      while try ends.deliverToServer(Int(random.next() % 30_000) + 1) {}
      while try ends.deliverToClient(Int(random.next() % 30_000) + 1) {}
      arrivedThere += ends.atServer.takeAll()
      arrivedBack += ends.atClient.takeAll()
    }
    #expect(arrivedThere == there, "seed \(seed)")
    #expect(arrivedBack == back, "seed \(seed)")
  }

  @Test("An end that was said is told from one that was not", .timeLimit(.minutes(1)))
  func truncation() throws {
    var ends = try makeEnds()
    try ends.sendFromClient([1])
    try ends.run()
    #expect(ends.server.endOfStream?.kind == .truncated)
    ends.client.close(output: &ends.toServer)
    try ends.run()
    #expect(ends.server.isClosedByPeer == true)
    #expect(ends.server.endOfStream == nil)
    #expect(ends.atServer.takeAll() == [1])
    // The other way is still open.
    try ends.sendFromServer([2])
    try ends.run()
    #expect(ends.atClient.takeAll() == [2])
    #expect(ends.client.endOfStream?.kind == .truncated)
  }

  @Test("An end within the handshake says so")
  func truncatedHandshake() throws {
    let authority = try TestAuthority()
    var client = try TLSSession(
      TLSContext(
        client: TLSClientOptions(
          authorities: authority.certificate, applicationProtocol: .http2)),
      serverName: "localhost")
    var output = GrowableBytes()
    try client.start(output: &output)
    #expect(output.count > 0)
    let text = client.endOfStream?.description
    #expect(text == "the peer closed the connection during the TLS handshake")
  }

  @Test("A peer without TLS is seen for what it is")
  func plaintextPeer() throws {
    let authority = try TestAuthority()
    var client = try TLSSession(
      TLSContext(
        client: TLSClientOptions(
          authorities: authority.certificate, applicationProtocol: .http2)),
      serverName: "localhost")
    var output = GrowableBytes()
    var plaintext = GrowableBytes()
    try client.start(output: &output)
    let text = Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
    let error = #expect(throws: TLSError.self) {
      try client.receive(text.span.bytes, plaintext: &plaintext, output: &output)
    }
    #expect(error?.kind == .violation)
    #expect(error?.reason.contains("is not TLS") == true)
  }

  @Test("Whatever comes, nothing breaks but the session", .timeLimit(.minutes(1)))
  func garbage() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SplitMix64(seed: seed)
    let authority = try TestAuthority()
    let issued = try authority.issue()
    let client = try TLSContext(
      client: TLSClientOptions(authorities: authority.certificate, applicationProtocol: .http2))
    let server = try TLSContext(
      server: TLSServerOptions(
        identity: TLSIdentity(certificates: issued.certificate, key: issued.key),
        applicationProtocol: .http2))
    var failures = 0
    for _ in 0..<300 {
      var ends = try TwoEnds(client, server)
      do throws(TLSError) {
        try ends.client.start(output: &ends.toServer)
        for _ in 0..<40 {
          // A byte is turned somewhere on the way, or is too many.
          if random.next() % 4 == 0, ends.toServer.count > 0 {
            let place = Int(random.next() % UInt64(ends.toServer.count))
            ends.toServer.overwrite(at: place, with: UInt8(truncatingIfNeeded: random.next()))
          }
          if random.next() % 4 == 0 { ends.toClient.append(UInt8(random.next() % 256)) }
          if try !ends.deliverToServer(Int(random.next() % 500) + 1),
            ends.client.isHandshakeComplete
          {
            try ends.sendFromClient([1, 2, 3])
          }
          _ = try ends.deliverToClient(Int(random.next() % 500) + 1)
        }
      } catch {
        failures += 1
        #expect(!error.reason.isEmpty, "seed \(seed)")
        // After an error it takes anything, and does nothing.
        var rest = GrowableBytes()
        var output = GrowableBytes()
        let one: [UInt8] = [1]
        for _ in 0..<3 {
          _ = try? ends.client.receive(one.span.bytes, plaintext: &rest, output: &output)
          _ = try? ends.server.receive(one.span.bytes, plaintext: &rest, output: &output)
        }
      }
    }
    #expect(failures > 50, "seed \(seed)")
  }
}
