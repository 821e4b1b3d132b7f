import Bytes
import HTTP1
import IOPort
import Settings
import Testing

@testable import Ingest

@Suite("Parts of webhooks")
struct WebhookPartsTests {
  @Test(
    "Times are written as the standards want them",
    arguments: [
      (0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z"),
      (784_111_777_042, "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.042Z"),
      (951_782_400_999, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29T00:00:00.999Z"),
      (1_709_251_199_500, "Thu, 29 Feb 2024 23:59:59 GMT", "2024-02-29T23:59:59.500Z"),
      (UInt64.max, "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59.999Z"),
    ])
  func times(unixMilliseconds: UInt64, date: String, timestamp: String) {
    var clock = WebhookClock()
    clock.set(unixMilliseconds: 1)
    clock.set(unixMilliseconds: unixMilliseconds)
    var output = GrowableBytes()
    clock.appendTimestamp(to: &output)
    #expect(String(decoding: clock.date, as: UTF8.self) == date)
    #expect(String(decoding: RecordFields.array(output.bytes), as: UTF8.self) == timestamp)
  }

  @Test(
    "Addresses are written as RFC 5952 wants them",
    arguments: [
      ("10.0.0.1", "10.0.0.1"), ("::", "::"), ("::1", "::1"), ("1::", "1::"),
      ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
      ("FE80:0:0:0:0:0:0:A", "fe80::a"), ("0:0:0:0:0:ffff:102:304", "1.2.3.4"),
      ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
    ])
  func addresses(host: String, text: String) throws {
    #expect(try #require(SocketAddress(host: host, port: 1)).canonicalHost == text)
  }

  @Test(
    "Networks contain what begins like them",
    arguments: [
      ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false),
      ("10.0.0.0/9", "10.128.0.0", false), ("0.0.0.0/0", "200.1.1.1", true),
      ("0.0.0.0/0", "::1", false), ("::/0", "1.1.1.1", false), ("::/0", "ff::1", true),
      ("127.0.0.1", "127.0.0.1", true), ("127.0.0.1", "127.0.0.2", false),
      ("127.0.0.1", "0:0:0:0:0:ffff:7f00:1", true), ("fe80::/10", "febf::1", true),
      ("fe80::/10", "fec0::1", false), ("2001:db8::/65", "2001:db8::7fff:0:0:1", true),
      ("2001:db8::/65", "2001:db8::8000:0:0:1", false), ("::1", "::1", true),
      ("::1", "::2", false), ("::1/64", "::2", true),
    ])
  func networks(prefix: String, host: String, isInside: Bool) throws {
    let proxies = TrustedProxies([try AddressPrefix(parsing: prefix)])
    #expect(proxies.contains(try #require(SocketAddress(host: host, port: 1))) == isInside)
  }

  @Test(
    "X-Forwarded-For is believed of trusted proxies only, from its end",
    arguments: [
      (nil, "10.0.0.1", "10.0.0.1"),
      ("1.2.3.4", "10.0.0.1", "1.2.3.4"),
      ("1.2.3.4", "11.0.0.1", "11.0.0.1"),
      ("6.6.6.6, 1.2.3.4", "10.0.0.1", "1.2.3.4"),
      ("1.2.3.4, 10.0.0.2 ,10.0.0.3", "10.0.0.1", "1.2.3.4"),
      ("10.0.0.9", "10.0.0.1", "10.0.0.9"),
      ("1.2.3.4:99", "10.0.0.1", "1.2.3.4"),
      ("2001:DB8::1", "10.0.0.1", "2001:db8::1"),
      ("[2001:db8::1]:99", "10.0.0.1", "2001:db8::1"),
      ("1.2.3.4, unknown", "10.0.0.1", "10.0.0.1"),
      ("1.2.3.4, unknown, 10.0.0.7", "10.0.0.1", "10.0.0.7"),
      ("", "10.0.0.1", "10.0.0.1"), (",", "10.0.0.1", "10.0.0.1"),
      ("[", "10.0.0.1", "10.0.0.1"),
    ] as [(String?, String, String)])
  func forwarded(field: String?, peer: String, ip: String) throws {
    let bench = try IngestBench.webhooks {
      $0.trustedProxies = [AddressPrefix.ten]
    }
    let client = bench.accept(peer: try #require(SocketAddress(host: peer, port: 5)))
    bench.send(client, post("/hooks/a", fields: field.map { ["X-Forwarded-For: \($0)"] } ?? []))
    let batch = try #require(bench.takeBatch())
    #expect(sortedFields(bench.store.body(batch, 0)).contains(attribute("webhook.ip", ip)))
  }

  @Test("Several fields X-Forwarded-For are one list")
  func forwardedTwice() throws {
    let bench = try IngestBench.webhooks { $0.trustedProxies = [AddressPrefix.ten] }
    let client = bench.accept(peer: SocketAddress(ipv4: 0x0a00_0001, port: 5))
    bench.send(
      client,
      post("/hooks/a", fields: ["X-Forwarded-For: 5.5.5.5", "x-forwarded-for: 10.0.0.2"]))
    let batch = try #require(bench.takeBatch())
    #expect(sortedFields(bench.store.body(batch, 0)).contains(attribute("webhook.ip", "5.5.5.5")))
  }

  @Test("Replies leave in their order, however many there are")
  func replies() {
    var replies = WebhookReplies()
    var next: UInt64 = 0
    var expected: UInt64 = 0
    for round in 0..<50 {
      for _ in 0..<(round % 7) {
        replies.append(WebhookReply(since: Instant(nanoseconds: next)))
        next += 1
      }
      for _ in 0..<(round % 5) where replies.count > 0 {
        #expect(replies.first?.since.nanoseconds == expected)
        #expect(replies.popFirst()?.since.nanoseconds == expected)
        expected += 1
      }
    }
    while let reply = replies.popFirst() {
      #expect(reply.since.nanoseconds == expected)
      expected += 1
    }
    #expect(expected == next && replies.first == nil)
  }

  @Test("Every outcome has a status, and texts that JSON takes as they are")
  func outcomes() {
    for outcome in WebhookOutcome.allCases {
      #expect(outcome == .accepted || (400...599).contains(outcome.statusCode))
      let text = "\(outcome.word) \(outcome.text)"
      #expect(text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c })
      let head = ResponseHead(statusCode: outcome.statusCode, contentLength: 0, isLast: true)
      var output = GrowableBytes()
      head.write(into: &output)
      let line = String(decoding: RecordFields.array(output.bytes), as: UTF8.self)
      #expect(!line.contains("Unknown"))
    }
    #expect(
      Set(WebhookOutcome.allCases.map { "\($0.word)" }).count == WebhookOutcome.allCases.count)
  }
}

extension AddressPrefix {
  fileprivate static var ten: AddressPrefix {
    guard let prefix = try? AddressPrefix(parsing: "10.0.0.0/8") else { preconditionFailure() }
    return prefix
  }
}
