import Baseline
import BenchKit
import Bytes
import HTTP1

/// A webhook's request read, and its answer written; no sockets, no records.
enum HTTPCodecScenario {
  static var scenario: Scenario {
    Scenario(
      name: "http-codec",
      summary: "HTTP/1.1 POST of 100 B read and 202 written, beside a minimal scan in C",
      cases: [Scenario.Case(name: "", ours: ours, limit: limit)], plants: [.slow])
  }

  private static var requestsPerBlock: Int { 16 }
  private static var bodyBytes: Int { 100 }

  /// As a web service sends it, several at a time.
  private static func block(into output: inout GrowableBytes) {
    for number in 0..<requestsPerBlock {
      let head =
        "POST /hooks/press-\(number)?unit=c HTTP/1.1\r\nHost: gateway.example:8080\r\n"
        + "User-Agent: sender/2.1 (linux)\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
        + "Content-Type: application/json\r\nContent-Length: \(bodyBytes)\r\n"
        + "X-Request-Id: 7f9c24e8-3b12-4d5e-9a61-0c8d2e4f6a7b\r\nConnection: keep-alive\r\n\r\n"
      output.append(contentsOf: Array(head.utf8))
      output.append(contentsOf: [UInt8](repeating: UInt8(ascii: "x"), count: bodyBytes))
    }
  }

  private struct Count {
    var requests = 0
    var bodyBytes = 0
    var wrong = 0
  }

  private static func read(
    _ block: RawSpan, _ reader: inout RequestReader, _ answer: inout GrowableBytes,
    _ count: inout Count
  ) throws(BenchError) {
    answer.removeAll()
    reader.receive(block)
    while true {
      switch reader.nextEvent() {
      case .needsBytes: return
      case .head:
        if reader.head.method != .post || reader.head.path.byteCount < 13 { count.wrong += 1 }
      case .body: count.bodyBytes += reader.body.byteCount
      case .end:
        count.requests += 1
        ResponseHead(statusCode: 202, contentLength: 0, isLast: false).write(into: &answer)
      case .failed(let error): throw .mismatch("a request was refused: \(error)")
      }
    }
  }

  private static func ours(_ context: BenchContext) throws(BenchError) -> [Figure] {
    var block = GrowableBytes()
    self.block(into: &block)
    var reader = RequestReader(limits: RequestLimits(bodyBytes: 1 << 20))
    var answer = GrowableBytes(capacity: 4_096)
    var count = Count()
    var blocks = 0
    let watch = Stopwatch()
    repeat {
      for _ in 0..<64 {
        try read(block.bytes, &reader, &answer, &count)
        if context.plant == .slow { baseline_spin(1_000) }
        blocks += 1
      }
    } while watch.seconds < context.seconds
    var figure = Figure("", basis: .processorTime)
    watch.fill(&figure, messages: count.requests)
    figure.systemCalls = 0
    try BenchError.expect("requests read", count.requests, is: blocks * requestsPerBlock)
    try BenchError.expect("bytes of bodies", count.bodyBytes, is: count.requests * bodyBytes)
    try BenchError.expect("wrong heads", count.wrong, is: 0)
    return [figure]
  }

  /// A fixed number of requests, a multiple of 16, for `CountedWork`.
  static func work(_ messages: Int) throws(BenchError) {
    var block = GrowableBytes()
    self.block(into: &block)
    var reader = RequestReader(limits: RequestLimits(bodyBytes: 1 << 20))
    var answer = GrowableBytes(capacity: 4_096)
    var count = Count()
    while count.requests < messages { try read(block.bytes, &reader, &answer, &count) }
    try BenchError.expect("requests read", count.requests, is: messages)
    try BenchError.expect("wrong heads", count.wrong, is: 0)
  }

  private static func limit(_ context: BenchContext) throws(BenchError) -> [Figure] {
    var block = GrowableBytes()
    self.block(into: &block)
    var result = baseline_codec_result()
    let watch = Stopwatch()
    let slice = unsafe block.slice(at: 0, length: block.count)
    unsafe baseline_http(
      slice.address?.assumingMemoryBound(to: UInt8.self), slice.count, context.seconds, &result)
    var figure = Figure("", basis: .processorTime)
    watch.fill(&figure, messages: Int(result.messages))
    figure.systemCalls = 0
    try BenchError.expect(
      "bytes of bodies in C", result.payload_bytes, is: result.messages * UInt64(bodyBytes))
    return [figure]
  }
}
