import IOPort
import MQTT
import Metrics
import Records
import Settings
import Testing

@testable import Ingest

@Suite("Webhooks, played by hand", .timeLimit(.minutes(1)))
struct WebhookTests {
  @Test("A POST becomes a record with its attributes, and is answered when that is safe")
  func accepted() throws {
    let bench = try IngestBench.webhooks()
    let client = bench.accept(peer: SocketAddress(ipv4: 0x0a01_0203, port: 4))
    bench.send(
      client,
      post(
        "/hooks/a%20b?x=1", "hello",
        fields: ["User-Agent: ag\u{e9}nt", "content-type: text/plain", "X-Other: 1"]))
    #expect(bench.answers(client).isEmpty)
    let batch = try #require(bench.takeBatch())
    let expected =
      field(2, field(2, "/default/hooks")) + field(5, "edge--default-hooks")
      + attribute("source", "webhook") + attribute("webhook.source", "edge")
      + attribute("webhook.endpoint", "/hooks/a%20b")
      + attribute("webhook.timestamp", "2023-11-14T22:13:20.000Z")
      + attribute("webhook.ip", "10.1.2.3") + attribute("webhook.user_agent", "ag\u{e9}nt")
      + attribute("webhook.content_type", "text/plain")
      + attribute("gateway.record_id", Record(bench.store.body(batch, 0)).id)
      + field(10, "/hooks/a%20b") + [0x20] + varint(1_700_000_000_000) + field(3, "hello")
    #expect(
      sortedFields(bench.store.body(batch, 0)).sorted { $0.lexicographicallyPrecedes($1) }
        == sortedFields(expected).sorted { $0.lexicographicallyPrecedes($1) })
    #expect(bench.answers(client).isEmpty)
    bench.tell(Progress(batch: batch, kind: .complete))
    let answer = try #require(bench.answers(client).first)
    #expect(answer.status == 202)
    #expect(answer.body == "{\"status\":\"accepted\",\"topic\":\"/default/hooks\"}\n")
    #expect(answer.fields["Content-Type"] == "application/json")
    #expect(answer.fields["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT")
    #expect(answer.fields["Connection"] == nil && !bench.isClosing(client))
    #expect(bench.metrics.webhooks.answered(202)?.value == 1)
    #expect(bench.metrics.webhooks.bodyBytes.value == 5)
    #expect(bench.metrics.route(0).records.value == 1 && bench.metrics.safe.value == 1)
    #expect(bench.metrics.route(0).payloadBytes.value == 5)
    #expect(bench.metrics.listener(0).receivedBytes.value > 5)
    #expect(bench.inputBytes == 0 && bench.heldInputBytes == 0)
  }

  @Test("A field that is no UTF-8 does not spoil its record")
  func latin1() throws {
    let bench = try IngestBench.webhooks()
    let client = bench.accept()
    let head = Array("POST /hooks/a HTTP/1.1\r\nHost: a\r\nUser-Agent: caf".utf8)
    bench.receive(client, head + [0xe9] + Array("\r\n\r\n".utf8))
    let batch = try #require(bench.takeBatch())
    let fields = sortedFields(bench.store.body(batch, 0))
    #expect(fields.contains(attribute("webhook.user_agent", "caf\u{fffd}")))
  }

  @Test("Answers leave in the order of the requests, whichever record is safe first")
  func pipelined() throws {
    let bench = try IngestBench.webhooks()
    let client = bench.accept()
    bench.send(
      client,
      post("/hooks/a", "1") + post("/none", "x") + postChunks(["2", "3"]) + post("/hooks/c"))
    let batch = try #require(bench.takeBatch())
    #expect(bench.store.recordCount(of: batch) == 3)
    bench.tell(Progress(batch: batch, kind: .safe, bits: 0b110))
    #expect(bench.statuses(client).isEmpty)
    bench.tell(Progress(batch: batch, kind: .safe, bits: 0b001))
    #expect(bench.statuses(client) == [202, 404, 202, 202])
  }

  @Test("However bytes are split, the records and the answers are the same")
  func splits() throws {
    let text =
      "\r\n" + post("/hooks/a", "one") + post("/none", "two")
      + postChunks(["thr", "ee"], path: "/hooks/b", trailer: "X: y\r\n") + post("/hooks/c")
      + post("/hooks/d", "four", method: "PUT") + post("/hooks/e", "five")
      + post("/hooks/f", fields: ["Content-Length: x"])
    let bytes = Array(text.utf8)
    var pieces = (0...bytes.count).map { [bytes[..<$0], bytes[$0...]] }
    pieces.append(bytes.indices.map { bytes[$0...$0] })
    for split in pieces {
      let bench = try IngestBench.webhooks()
      let client = bench.accept()
      for piece in split where !piece.isEmpty { bench.receive(client, Array(piece)) }
      #expect(bench.takePayloads() == ["one", "three", "", "five"], "\(split[0].count)")
      let answers = bench.answers(client)
      #expect(answers.map(\.status) == [202, 404, 202, 202, 405, 202, 400], "\(split[0].count)")
      #expect(answers.last?.closes == true)
      #expect(bench.inputBytes == bench.heldInputBytes && bench.inputBytes == 0)
    }
  }

  @Test("A body that does not end with its bytes is gathered, and its memory given back")
  func gathered() throws {
    let bench = try IngestBench.webhooks(memoryBytes: 8 << 20)
    let client = bench.accept()
    let body = String(repeating: "0123456789", count: 50_000)
    for request in [post("/hooks/a", body), postChunks([body, String(body.reversed())])] {
      let bytes = Array(request.utf8)
      var start = 0
      while start < bytes.count {
        bench.receive(client, Array(bytes[start..<min(start + 8191, bytes.count)]))
        #expect(bench.inputBytes == bench.heldInputBytes)
        start += 8191
      }
    }
    #expect(bench.takePayloads() == [body, body + String(body.reversed())])
    #expect(bench.statuses(client) == [202, 202])
    #expect(bench.inputBytes == 0 && bench.heldInputBytes == 0)
  }

  @Test("Not more requests than max_pipelined wait for their answers")
  func pipelineLimit() throws {
    let bench = try IngestBench.webhooks { $0.maxPipelined = 3 }
    let client = bench.accept()
    bench.send(client, (1...8).map { post("/hooks/a", "\($0)") }.joined())
    #expect(bench.sockets[client]?.cancelCount == 1)
    bench.endReceive(client, IOError(.cancelled))
    #expect(bench.sockets[client]?.receive == nil)
    #expect(bench.takePayloads() == ["1", "2", "3", "4", "5", "6", "7", "8"])
    #expect(bench.statuses(client) == Array(repeating: 202, count: 8))
    #expect(bench.sockets[client]?.receive != nil && bench.inputBytes == 0)
  }

  @Test("A client that does not read its answers is not read")
  func answersNotRead() throws {
    let bench = try IngestBench.webhooks()
    let client = bench.accept()
    for _ in 0..<200 where bench.sockets[client]?.cancelCount == 0 {
      bench.send(client, post("/none"))
    }
    #expect(bench.sockets[client]?.cancelCount == 1)
    let held = bench.sockets[client]?.output.count ?? 0
    #expect(held < 64 << 10)
    #expect(bench.statuses(client).allSatisfy { $0 == 404 })
  }

  @Test(
    "Whether the connection goes on is the client's choice",
    arguments: [
      (post("/hooks/a", "x", fields: ["Connection: close"]), true, "close"),
      (post("/hooks/a", "x", version: "1.0"), true, "close"),
      (
        post("/hooks/a", "x", fields: ["Connection: keep-alive"], version: "1.0"), false,
        "keep-alive"
      ),
      (post("/hooks/a", "x"), false, nil),
    ] as [(String, Bool, String?)])
  func keepAlive(request: String, closes: Bool, field: String?) throws {
    let bench = try IngestBench.webhooks()
    let client = bench.accept()
    // What comes after the last request is nothing.
    bench.send(client, request + post("/hooks/b", "y"))
    #expect(bench.takePayloads() == (closes ? ["x"] : ["x", "y"]))
    let answers = bench.answers(client)
    #expect(answers.first?.fields["Connection"] == field)
    #expect(answers.map(\.status) == (closes ? [202] : [202, 202]))
    #expect(bench.sockets[client]?.hasShutDown == closes)
    if closes { bench.endReceive(client, nil) }
    #expect(bench.isClosing(client) == closes)
  }

  @Test("A client that ended its direction gets its answers first")
  func halfClosed() throws {
    let bench = try IngestBench.webhooks()
    let client = bench.accept()
    bench.send(client, post("/hooks/a", "x") + "POST /hooks/b HT")
    bench.endReceive(client, nil)
    #expect(!bench.isClosing(client))
    #expect(bench.takePayloads() == ["x"])
    #expect(bench.statuses(client) == [202])
    #expect(bench.isClosing(client))
    let other = bench.accept()
    bench.endReceive(other, nil)
    #expect(bench.isClosing(other))
  }

  @Test(
    "What Danube refuses for good is refused",
    arguments: [
      (RefusalReason.tooLarge, 413), (.invalidPayload, 422), (.invalidRequest, 502),
    ])
  func refusedByDanube(reason: RefusalReason, status: Int) throws {
    let bench = try IngestBench.webhooks()
    let client = bench.accept()
    bench.send(client, post("/hooks/a", "1") + post("/hooks/b", "2"))
    let batch = try #require(bench.takeBatch())
    bench.tell(Progress(batch: batch, kind: .refused, bits: UInt64(reason.rawValue)))
    bench.tell(Progress(batch: batch, kind: .complete))
    #expect(bench.statuses(client) == [status, 202])
    #expect(!bench.isClosing(client))
  }

  @Test("Who connects beyond max_connections is told so and closed; only so many at a time")
  func connectionLimit() throws {
    let bench = try IngestBench.webhooks {
      $0.maxConnections = 1
      $0.retryAfterSeconds = 7
    }
    let first = bench.accept()
    let refused = (0..<17).map { _ in bench.accept() }
    #expect(bench.isClosing(refused[16]) && bench.output(refused[16]).isEmpty)
    for client in refused.prefix(16) {
      #expect(!bench.isClosing(client))
      // What it sends is read, so that the answer is not lost by a reset, and ignored.
      bench.send(client, post("/hooks/a", "x"))
      let answers = bench.answers(client)
      #expect(answers.map(\.status) == [503] && answers[0].closes)
      #expect(answers[0].fields["Retry-After"] == "7")
    }
    // One closes by itself, the others are closed.
    bench.endReceive(refused[0], nil)
    #expect(bench.isClosing(refused[0]))
    bench.pass(milliseconds: 1_001)
    #expect(refused.allSatisfy { bench.isClosing($0) })
    for client in refused.prefix(16) { bench.finishClose(client) }
    #expect(bench.connectionCount == 1 && bench.takePayloads().isEmpty)
    // The first one's place is its own, and free when it goes.
    bench.send(first, post("/hooks/a", "1"))
    #expect(bench.takePayloads() == ["1"])
    bench.endReceive(first, IOError(.connectionReset))
    bench.finishClose(first)
    let next = bench.accept()
    bench.send(next, post("/hooks/a", "2"))
    #expect(bench.takePayloads() == ["2"])
  }
}
