import IOPort
import Metrics
import Records
import Settings
import Testing

@testable import Ingest

@Suite("Time limits and the end of webhooks", .timeLimit(.minutes(1)))
struct WebhookLifeTests {
  @Test(
    "A request that does not arrive in time is answered 408",
    arguments: [
      "P", "POST /hooks/a HTTP/1.1\r\nHost: a\r\n",
      "POST /hooks/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcd",
      "POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcd",
      "POST /hooks/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ])
  func slowRequest(text: String) throws {
    let bench = try IngestBench.webhooks { $0.requestTimeoutSeconds = 10 }
    let client = bench.accept()
    bench.send(client, text)
    bench.pass(milliseconds: 9_999)
    #expect(bench.answers(client).isEmpty)
    bench.pass(milliseconds: 1)
    let answers = bench.answers(client)
    #expect(answers.map(\.status) == [408] && answers[0].closes)
    #expect(bench.inputBytes == 0 && bench.heldInputBytes == 0)
    // It closes even if the client does not.
    bench.pass(milliseconds: 1_001)
    #expect(bench.isClosing(client))
  }

  @Test("A byte now and then does not make a request last longer")
  func trickle() throws {
    let bench = try IngestBench.webhooks { $0.requestTimeoutSeconds = 10 }
    let client = bench.accept()
    for byte in post("/hooks/a", "0123456789").utf8.prefix(20) {
      bench.receive(client, [byte])
      bench.pass(milliseconds: 501)
    }
    #expect(bench.statuses(client) == [408])
  }

  @Test("A connection without a request is closed, and nothing is said")
  func idle() throws {
    let bench = try IngestBench.webhooks { $0.idleTimeoutSeconds = 20 }
    let silent = bench.accept()
    let used = bench.accept()
    bench.pass(milliseconds: 15_000)
    bench.send(used, post("/hooks/a", "x"))
    #expect(bench.takePayloads() == ["x"])
    // An empty line is no request.
    bench.send(used, "\r\n")
    bench.pass(milliseconds: 5_000)
    #expect(bench.isClosing(silent) && bench.output(silent).isEmpty)
    #expect(!bench.isClosing(used) && bench.statuses(used) == [202])
    bench.pass(milliseconds: 25_001)
    #expect(bench.isClosing(used) && bench.output(used).isEmpty)
    #expect(bench.disconnects == [.idle: 1, .requestTimeout: 1])
  }

  @Test("A record that is not safe in time is answered 504, and later answers stay right")
  func answerTimeout() throws {
    let bench = try IngestBench.webhooks { $0.answerTimeoutSeconds = 10 }
    let client = bench.accept()
    bench.send(client, post("/hooks/a", "1"))
    bench.pass(milliseconds: 5_000)
    bench.send(client, post("/hooks/b", "2"))
    bench.pass(milliseconds: 4_999)
    #expect(bench.answers(client).isEmpty)
    bench.pass(milliseconds: 1)
    #expect(bench.statuses(client) == [504])
    #expect(bench.takePayloads() == ["1", "2"])
    #expect(bench.statuses(client) == [202])
    // 0: as long as it takes.
    let patient = try IngestBench.webhooks { $0.answerTimeoutSeconds = 0 }
    let other = patient.accept()
    patient.send(other, post("/hooks/a", "1"))
    for _ in 0..<60 { patient.pass(milliseconds: 60_000) }
    #expect(patient.takePayloads() == ["1"])
    #expect(patient.statuses(other) == [202])
  }

  @Test("A client that has gone silent with its answers unread is closed")
  func unread() throws {
    let bench = try IngestBench.webhooks { $0.idleTimeoutSeconds = 20 }
    let client = bench.accept()
    for _ in 0..<200 where bench.sockets[client]?.cancelCount == 0 {
      bench.send(client, post("/none"))
    }
    bench.endReceive(client, IOError(.cancelled))
    for _ in 0..<10 { bench.pass(milliseconds: 5_000) }
    #expect(bench.isClosing(client))
    #expect(bench.disconnects == [.unreadAnswers: 1])
  }

  @Test("Connections that the gateway ends are counted by reason")
  func disconnects() throws {
    let bench = try IngestBench.webhooks { $0.requestTimeoutSeconds = 10 }
    bench.send(bench.accept(), "what?\r\n\r\n")
    #expect(bench.disconnects == [.badRequest: 1])
    bench.send(bench.accept(), post("/hooks/a", fields: ["Content-Length: 5"]) + "ab")
    bench.pass(milliseconds: 10_000)
    #expect(bench.disconnects == [.badRequest: 1, .requestTimeout: 1])
    // A client that says so itself is no case.
    bench.send(bench.accept(), post("/none", fields: ["Connection: close", "Content-Length: 0"]))
    bench.send(bench.accept(), post("/hooks/a", fields: ["Content-Length: 5"]) + "ab")
    _ = bench.accept()
    bench.beginShutdown()
    #expect(bench.disconnects == [.badRequest: 1, .requestTimeout: 1, .shutdown: 2])
  }

  @Test("Stopping answers what becomes safe, and says no to what has begun")
  func shutdown() throws {
    let bench = try IngestBench.webhooks()
    let idle = bench.accept()
    let owed = bench.accept()
    let half = bench.accept()
    bench.send(owed, post("/hooks/a", "1") + post("/hooks/a", "2"))
    bench.send(half, post("/hooks/a", fields: ["Content-Length: 5"]) + "ab")
    bench.beginShutdown()
    #expect(bench.isClosing(idle) && bench.output(idle).isEmpty)
    let refused = bench.answers(half)
    #expect(refused.map(\.status) == [503] && refused[0].closes)
    #expect(refused[0].fields["Retry-After"] == "5")
    #expect(bench.takePayloads() == ["1", "2"])
    let answers = bench.answers(owed)
    #expect(answers.map(\.status) == [202, 202])
    #expect(answers.map(\.closes) == [false, true])
    for client in [idle, owed, half] {
      bench.endReceive(client, nil)
      bench.finishClose(client)
    }
    #expect(bench.isDrained && bench.inputBytes == 0)
  }

  @Test("What is not safe when the time for stopping is over is answered 503")
  func hardShutdown() throws {
    let bench = try IngestBench.webhooks()
    let client = bench.accept()
    bench.send(client, post("/hooks/a", "1") + post("/hooks/a", "2"))
    let batch = try #require(bench.takeBatch())
    bench.beginShutdown()
    bench.disconnectAll()
    let answers = bench.answers(client)
    #expect(answers.map(\.status) == [503, 503])
    #expect(answers.map(\.closes) == [false, true])
    bench.endReceive(client, nil)
    bench.finishClose(client)
    bench.tell(Progress(batch: batch, kind: .complete))
    #expect(bench.isDrained)
  }

  @Test("Progress for a connection that is gone finds nobody")
  func gone() throws {
    let bench = try IngestBench.webhooks()
    let client = bench.accept()
    bench.send(client, post("/hooks/a", "1") + "POST /hooks/a HTTP/1.1\r\nX")
    bench.endReceive(client, IOError(.connectionReset))
    bench.finishClose(client)
    #expect(bench.connectionCount == 0 && bench.inputBytes == 0)
    let next = bench.accept()
    #expect(bench.takePayloads() == ["1"])
    #expect(bench.answers(next).isEmpty)
  }
}
