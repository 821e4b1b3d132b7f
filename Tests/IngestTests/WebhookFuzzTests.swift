import IOPort
import Metrics
import Settings
import Testing

@testable import Ingest

@Suite("Webhooks and what nobody would send")
struct WebhookFuzzTests {
  /// What a client hears, and what Danube gets.
  private struct Outcome: Equatable {
    var payloads: [String] = []
    var statuses: [Int] = []
    var closes = false
  }

  private func outcome(_ pieces: [ArraySlice<UInt8>]) throws -> Outcome {
    let bench = try IngestBench.webhooks {
      $0.maxHeadBytes = 1_024
      $0.maxBodyBytes = 20_000
      $0.maxHeaderFields = 8
    }
    let client = bench.accept()
    var outcome = Outcome()
    for piece in pieces where !piece.isEmpty {
      bench.receive(client, Array(piece))
      #expect(bench.inputBytes == bench.heldInputBytes)
      // Records become safe now and then; `100 Continue` depends on when a body came.
      outcome.payloads += bench.takePayloads()
      outcome.statuses += bench.statuses(client).filter { $0 != 100 }
    }
    outcome.closes = bench.sockets[client]?.hasShutDown == true
    bench.endReceive(client, nil)
    _ = bench.output(client)
    bench.finishClose(client)
    #expect(bench.connectionCount == 0 && bench.inputBytes == 0 && bench.heldInputBytes == 0)
    return outcome
  }

  @Test("Mutated conversations mean the same whole and in pieces", .timeLimit(.minutes(1)))
  func mutations() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SplitMix64(seed: seed)
    let conversation = [
      post("/hooks/a", "one"), post("/none", "two"), post("/hooks/b"),
      postChunks(["thr", "ee"], path: "/hooks/c", trailer: "X: y\r\n"),
      post("/hooks/d", "x", method: "PUT"), post("/hooks/e", fields: ["Expect: 100-continue"]),
      post("/hooks/f", "exp", fields: ["Expect: 100-continue"]),
      post("/hooks/g", "k", fields: ["Connection: keep-alive"], version: "1.0"),
      postChunks([String(repeating: "c", count: 18_000)], path: "/none"),
      post("/hooks/h", String(repeating: "l", count: 19_000)),
    ].map { Array($0.utf8) }
    let words = [
      "\r\n", "\r\n\r\n", "\n", ":", " ", "0", "5", "ff", "POST ", "/hooks/z",
      "Content-Length: 3\r\n",
      "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "Expect: 100-continue\r\n", "%00",
    ].map { Array($0.utf8) }
    var seen: Set<Int> = []
    for round in 0..<700 {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes += conversation.randomElement(using: &random) ?? []
      }
      for _ in 0..<Int.random(in: 0...3, using: &random) {
        // Heads are where it matters.
        let place = Int.random(in: 0..<min(bytes.count, 400), using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.removeSubrange(place..<min(place + 3, bytes.count - 1))
        default: bytes.insert(contentsOf: words.randomElement(using: &random) ?? [], at: place)
        }
      }
      let whole = try outcome([bytes[...]])
      seen.formUnion(whole.statuses)
      var pieces: [ArraySlice<UInt8>] = []
      var start = 0
      let longest = [1, 7, 100, 8_000].randomElement(using: &random) ?? 1
      while start < bytes.count, pieces.count < 2_000 {
        let end = min(bytes.count, start + Int.random(in: 1...longest, using: &random))
        pieces.append(bytes[start..<end])
        start = end
      }
      pieces.append(bytes[start...])
      let split = try outcome(pieces)
      #expect(whole == split, "seed \(seed), round \(round)")
      if whole != split { return }
    }
    #expect(seen.isSuperset(of: [202, 400, 404, 405]), "seed \(seed): \(seen)")
  }
}
