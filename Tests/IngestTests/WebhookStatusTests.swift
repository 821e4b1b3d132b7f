import IOPort
import Metrics
import Settings
import Testing

@testable import Ingest

@Suite("What webhooks are answered", .timeLimit(.minutes(1)))
struct WebhookStatusTests {
  /// A request, its status, and whether the connection ends.
  static let table: [(request: String, status: Int, closes: Bool)] = [
    (post("/none"), 404, false),
    (post("/none", "body"), 404, false),
    // The rest of a path begins after its slash.
    (post("/hooks"), 404, false),
    (post("/hooks/"), 202, false),
    (post("/hooksx"), 404, false),
    (post("/Hooks/a"), 404, false),
    (post("/x/../hooks/a"), 404, false),
    (post("//hooks/a"), 404, false),
    (post("/hooks/../a"), 202, false),
    (post("/%68ooks/a"), 404, false),
    (post("http://other.example/hooks/a"), 202, false),
    (post("http://other.example"), 404, false),
    (post("/hooks/%zz"), 400, true),
    (post("/hooks/%00"), 400, true),
    (post(method: "GET"), 405, false),
    (post("/hooks/a", "body", method: "PUT"), 405, false),
    (post("/hooks/a", method: "post"), 405, false),
    (post("/none", method: "DELETE"), 404, false),
    (post("*", method: "OPTIONS"), 404, false),
    (post("gateway:80", method: "CONNECT"), 404, false),
    (post("/none", fields: ["Content-Length: 66000"]), 404, true),
    (post("/none", fields: ["Transfer-Encoding: chunked"]) + "101d0\r\n", 404, true),
    (post("/hooks/a", fields: ["Content-Length: 70001"]), 413, true),
    (post("/hooks/a", fields: ["Transfer-Encoding: chunked"]) + "11171\r\n", 413, true),
    (post("/hooks/" + String(repeating: "x", count: 2000)), 414, true),
    (post(fields: ["X: " + String(repeating: "x", count: 2000)]), 431, true),
    (post(fields: (0..<20).map { "X\($0): 1" }), 431, true),
    (post(fields: ["Expect: tea"]), 417, true),
    (post(fields: ["Transfer-Encoding: gzip, chunked"]), 501, true),
    (post(version: "2.0"), 505, true),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, true),
  ]

  private func bench() throws -> IngestBench {
    try IngestBench.webhooks {
      $0.maxBodyBytes = 70_000
      $0.maxHeadBytes = 1024
      $0.maxHeaderFields = 16
    }
  }

  @Test("Every status", arguments: table)
  func statuses(request: String, status: Int, closes: Bool) throws {
    let bench = try bench()
    let client = bench.accept()
    bench.send(client, request)
    let records = bench.takePayloads()
    let answers = bench.answers(client)
    #expect(answers.map(\.status) == [status])
    #expect(answers.first?.closes == closes)
    #expect((records.count == 1) == (status == 202))
    #expect(bench.sockets[client]?.hasShutDown == closes)
    #expect(bench.metrics.webhooks.answered(UInt16(status))?.value == 1)
    #expect(bench.metrics.refused(.tooLarge).value == (status == 413 ? 1 : 0))
    #expect(bench.metrics.refused(.noRoute).value == (status == 404 ? 1 : 0))
    #expect(answers.first?.fields["Allow"] == (status == 405 ? "POST" : nil))
    if status != 202 {
      #expect(answers.first?.body.hasPrefix("{\"status\":\"refused\",\"error\":\"") == true)
    }
    // The connection goes on where it can.
    bench.send(client, post("/hooks/b", "more"))
    #expect(bench.takePayloads() == (closes ? [] : ["more"]))
    #expect(bench.statuses(client) == (closes ? [] : [202]))
    if closes {
      bench.endReceive(client, nil)
      #expect(bench.isClosing(client))
    }
    #expect(bench.inputBytes == bench.heldInputBytes)
  }

  @Test("A HEAD is refused without a body")
  func head() throws {
    let bench = try bench()
    let client = bench.accept()
    bench.send(client, post(method: "HEAD"))
    let answers = bench.answers(client, isHead: true)
    #expect(
      answers.map(\.status) == [405] && Int(answers[0].fields["Content-Length"] ?? "") ?? 0 > 0)
  }

  /// Shapes that two readers could understand differently; `+` stands for a POST with its Host.
  static let shapes: [String] = [
    "+Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "+Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "+Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "+Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "+Content-Length: 3, 3\r\n\r\nabc",
    "+Content-Length: +3\r\n\r\nabc",
    "+Content-Length: 0x3\r\n\r\nabc",
    "+Content-Length : 3\r\n\r\nabc",
    "+Content-Length:\r\n 3\r\n\r\nabc",
    "+Content-Length: 99999999999999999999\r\n\r\nabc",
    "+Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "+Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "+Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "+Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "+Transfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n",
    "+Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "+Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    "+Transfer-Encoding: chunked\r\n\r\n+1\r\n",
    "+Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    "+Transfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n",
    "+Transfer-Encoding: chunked\r\n\r\n 1\r\na\r\n0\r\n\r\n",
    "+Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
    "+Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "+Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n",
    "+Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    "+Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n",
    "+Transfer-Encoding: chunked\r\n\r\n1;\nx\r\na\r\n0\r\n\r\n",
    "+X: a\nContent-Length: 3\r\n\r\nabc",
    "+X: a\rContent-Length: 3\r\n\r\nabc",
    "+X: a\r\n\tfolded\r\n\r\n",
    "+X: a\u{0}b\r\n\r\n",
    "+: a\r\n\r\n",
    "+Host: other\r\n\r\n",
    "POST /hooks/a HTTP/1.1\r\n\r\n",
    "POST /hooks/a HTTP/1.1\r\nHost: a b\r\n\r\n",
    "POST  /hooks/a HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /hooks/a HTTP/1.1\nHost: a\n\n",
    "POST /hooks/a\r\n\r\n",
    "POST /hooks/a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "\r\n\r\nPOST /hooks/a HTTP/1.1\r\nHost: a\r\n\r\n",
    "\u{16}\u{3}\u{1}\u{0}",
  ]

  @Test("Shapes of request smuggling are refused, and the connection ends", arguments: shapes)
  func smuggling(text: String) throws {
    let head = "POST /hooks/a HTTP/1.1\r\nHost: a\r\n"
    let request = text.hasPrefix("+") ? head + text.dropFirst() : text
    let next = post("/hooks/smuggled", "next")
    for splits in [false, true] {
      let bench = try bench()
      let client = bench.accept()
      // A good request before: its answer leaves first.
      let bytes = Array((post("/hooks/a", "good") + request + next).utf8)
      if splits {
        for byte in bytes { bench.receive(client, [byte]) }
      } else {
        bench.receive(client, bytes)
      }
      #expect(bench.takePayloads() == ["good"])
      let answers = bench.answers(client)
      #expect(answers.map(\.status) == [202, 400])
      #expect(answers.last?.closes == true && bench.sockets[client]?.hasShutDown == true)
      #expect(bench.inputBytes == 0 && bench.heldInputBytes == 0)
    }
  }

  @Test("Long chunk extensions and trailers are refused")
  func chunkExtras() throws {
    let long = String(repeating: "x", count: 5000)
    for body in ["1;\(long)\r\na\r\n0\r\n\r\n", "0\r\nX: \(long)\r\n\r\n"] {
      let bench = try bench()
      let client = bench.accept()
      bench.send(client, post(fields: ["Transfer-Encoding: chunked"]) + body)
      #expect(bench.statuses(client) == [431] && bench.takePayloads().isEmpty)
    }
  }

  @Test("100 Continue is said when the request would be taken, and not before its turn")
  func expectContinue() throws {
    let bench = try bench()
    let expectation = ["Expect: 100-continue", "Content-Length: 3"]
    let client = bench.accept()
    bench.send(client, post("/hooks/a", fields: expectation))
    #expect(bench.statuses(client) == [100])
    bench.send(client, "abc")
    #expect(bench.takePayloads() == ["abc"])
    #expect(bench.statuses(client) == [202])
    // Its body is there: nobody waits.
    bench.send(client, post("/hooks/a", fields: expectation) + "abc")
    #expect(bench.takePayloads() == ["abc"])
    #expect(bench.statuses(client) == [202])
    // Behind an answer that is owed, it waits for that.
    bench.send(client, post("/hooks/a", "first") + post("/hooks/a", fields: expectation))
    #expect(bench.statuses(client).isEmpty)
    #expect(bench.takePayloads() == ["first"])
    #expect(bench.statuses(client) == [202, 100])
    bench.send(client, "ab")
    bench.send(client, "c")
    #expect(bench.takePayloads() == ["abc"])
    #expect(bench.statuses(client) == [202])
    // HTTP/1.0 knows no 100.
    bench.send(
      client, post("/hooks/a", fields: expectation + ["Connection: keep-alive"], version: "1.0"))
    #expect(bench.statuses(client).isEmpty)
    bench.send(client, "abc")
    #expect(bench.takePayloads() == ["abc"])
  }

  @Test(
    "Who expects 100 Continue for what is refused gets the final status, and the end",
    arguments: [("/none", 3, 404), ("/hooks/a", 70_001, 413)])
  func expectRefused(path: String, length: Int, status: Int) throws {
    let bench = try bench()
    let client = bench.accept()
    bench.send(
      client, post(path, fields: ["Expect: 100-continue", "Content-Length: \(length)"]))
    let answers = bench.answers(client)
    #expect(answers.map(\.status) == [status] && answers[0].closes)
  }
}
