import Admin
import IOPort
import Testing

@Suite("Health and JSON")
struct HealthTests {
  @Test("A loop is stuck when it has not turned for longer than its limit")
  func loopHealth() {
    let start = Instant(nanoseconds: 5_000_000_000)
    let loop = LoopHealth(name: "ingest", startingAt: start)
    #expect(loop.check(at: Instant(nanoseconds: 0)) == .turning)
    #expect(loop.check(at: start.advanced(milliseconds: 5_000)) == .turning)
    #expect(loop.check(at: start.advanced(milliseconds: 5_001)) == .stuck(milliseconds: 5_001))
    loop.turned(at: start.advanced(milliseconds: 6_000))
    #expect(loop.turns == 1)
    #expect(loop.lastTurn == start.advanced(milliseconds: 6_000))
    #expect(loop.check(at: start.advanced(milliseconds: 11_000)) == .turning)
  }

  @Test("The report is ok, or names the loops that are stuck")
  func report() {
    let start = Instant(nanoseconds: 0)
    let ingest = LoopHealth(name: "ingest", startingAt: start)
    let delivery = LoopHealth(name: "delivery", startingAt: start, stuckAfterMilliseconds: 100)
    let good = HealthReport(loops: [ingest, delivery], at: start)
    #expect(good.isHealthy && good.statusCode == 200)
    #expect(String(decoding: good.body, as: UTF8.self) == #"{"status":"ok"}"#)
    let bad = HealthReport(loops: [ingest, delivery], at: start.advanced(milliseconds: 101))
    #expect(!bad.isHealthy && bad.statusCode == 503)
    #expect(
      String(decoding: bad.body, as: UTF8.self)
        == #"{"status":"stuck","loops":[{"name":"delivery","silent_ms":101}]}"#)
  }

  @Test("JSON is nested and escaped as RFC 8259 says")
  func json() {
    var text = JSONText()
    text.beginObject()
    text.member("a\"b", "q\" b\\ \n\r\t \u{0}\u{1f}\u{7f} é 🦢")
    text.member("n", -12)
    text.member("t", true)
    text.beginArray("list")
    text.element("x")
    text.element(UInt64.max)
    text.beginObject()
    text.endObject()
    text.beginArray()
    text.endArray()
    text.endArray()
    text.member("f", false)
    text.endObject()
    #expect(
      String(decoding: text.bytes, as: UTF8.self)
        == #"{"a\"b":"q\" b\\ \n\r\t \u0000\u001f\u007f é 🦢","n":-12,"t":true,"#
        + #""list":["x",18446744073709551615,{},[]],"f":false}"#)
  }

  @Test(
    "A level is named by a word, in quotes or not, or by a JSON object; anything else is no level",
    arguments: [
      ("debug", "debug"), (" warn\r\n", "warn"), ("\"INFO\"", "INFO"),
      ("{\"level\":\"error\"}", "error"),
      ("\t{ \"level\" : \"info\" }\n", "info"), ("", nil), ("  ", nil), ("debug now", nil),
      ("{\"level\":\"info\"", nil), ("{\"level\":info}", nil), ("{\"other\":\"info\"}", nil),
      ("{\"level\":\"info\",\"a\":1}", nil), ("\"info", nil), ("\"\"", nil), ("level=info", nil),
    ] as [(String, String?)])
  func logLevelNames(body: String, name: String?) {
    #expect(LogLevelRequest.name(in: Array(body.utf8)) == name)
  }
}
