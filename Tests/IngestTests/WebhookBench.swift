import Bytes
import IOPort
import Metrics
import Records
import Settings

@testable import Ingest

/// An answer as a webhook's client reads it.
struct WebhookAnswer: Equatable, CustomStringConvertible {
  var status = 0
  var fields: [String: String] = [:]
  var body = ""

  var description: String { "\(status) \(body)" }
  var closes: Bool { fields["Connection"] == "close" }

  /// Reads answers one after the other; what is none ends the list with a status of 0.
  static func read(_ bytes: [UInt8], isHead: Bool = false) -> [WebhookAnswer] {
    var answers: [WebhookAnswer] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      var answer = WebhookAnswer()
      guard let end = rest.firstRange(of: Array("\r\n\r\n".utf8)) else {
        return answers + [answer]
      }
      let lines = String(decoding: rest[..<end.lowerBound], as: UTF8.self)
        .split(separator: "\r\n")
      rest = rest[end.upperBound...]
      answer.status = Int(lines[0].split(separator: " ")[1]) ?? 0
      for line in lines.dropFirst() {
        let parts = line.split(separator: ": ", maxSplits: 1)
        answer.fields[String(parts[0])] = parts.count == 2 ? String(parts[1]) : ""
      }
      if !isHead, let length = Int(answer.fields["Content-Length"] ?? "0") {
        answer.body = String(decoding: rest.prefix(length), as: UTF8.self)
        rest = rest.dropFirst(length)
      }
      answers.append(answer)
    }
    return answers
  }
}

extension IngestBench {
  /// A bench whose first listener takes webhooks for `/hooks/…`, and whose second takes MQTT.
  static func webhooks(
    routes: [RouteConfiguration] = [], maxTopics: Int = 100, memoryBytes: Int = 1 << 20,
    _ change: (inout ListenerConfiguration) -> Void = { _ in }
  ) throws -> IngestBench {
    try IngestBench(
      routes: [("t/#", "/default/t", "{client_id}")], memoryBytes: memoryBytes,
      maxTopics: maxTopics
    ) { configuration in
      configuration.routes.insert(
        try RouteConfiguration(webhook: "/hooks/*", to: "/default/hooks", key: "{topic}"), at: 0)
      configuration.routes = routes + configuration.routes
      var listener = ListenerConfiguration()
      listener.kind = .webhook
      change(&listener)
      configuration.listeners.insert(listener, at: 0)
    }
  }

  /// What was answered since the last look.
  func answers(_ descriptor: Int32, isHead: Bool = false) -> [WebhookAnswer] {
    WebhookAnswer.read(output(descriptor), isHead: isHead)
  }

  func statuses(_ descriptor: Int32) -> [Int] { answers(descriptor).map(\.status) }

  func send(_ descriptor: Int32, _ text: String) { receive(descriptor, Array(text.utf8)) }

  /// Delivery says that everything handed over is safe.
  func settleAll() {
    while let batch = takeBatch() { tell(Progress(batch: batch, kind: .complete)) }
  }

  /// Payloads of all records that delivery gets; they become safe.
  func takePayloads() -> [String] {
    var payloads: [String] = []
    while let batch = takeBatch() {
      for index in 0..<UInt32(store.recordCount(of: batch)) {
        payloads.append(payload(of: store.body(batch, index)))
      }
      tell(Progress(batch: batch, kind: .complete))
    }
    return payloads
  }

  private func payload(of body: [UInt8]) -> String {
    for bytes in sortedFields(body) where bytes.first == 3 << 3 | 2 {
      var start = 1
      while bytes[start] >= 0x80 { start += 1 }
      return String(decoding: bytes[(start + 1)...], as: UTF8.self)
    }
    return ""
  }
}

/// A request as a client sends it.
func post(
  _ path: String = "/hooks/a", _ body: String = "", fields: [String] = [], method: String = "POST",
  version: String = "1.1"
) -> String {
  let lines =
    ["Host: gateway"] + fields + (body.isEmpty ? [] : ["Content-Length: \(body.utf8.count)"])
  return "\(method) \(path) HTTP/\(version)\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
    + body
}

/// A request whose body comes in chunks.
func postChunks(
  _ chunks: [String], path: String = "/hooks/a", trailer: String = ""
) -> String {
  let body = chunks.map { String($0.utf8.count, radix: 16) + "\r\n\($0)\r\n" }.joined()
  return post(path, fields: ["Transfer-Encoding: chunked"]) + body + "0\r\n\(trailer)\r\n"
}

extension IngestBench {
  /// The connections of webhooks that were ended for a reason, where there are some.
  var disconnects: [WebhookMetrics.DisconnectReason: UInt64] {
    let all = WebhookMetrics.DisconnectReason.allCases
    return Dictionary(
      uniqueKeysWithValues: all.map { ($0, metrics.webhooks.disconnects($0).value) }
        .filter { $0.1 > 0 })
  }
}
