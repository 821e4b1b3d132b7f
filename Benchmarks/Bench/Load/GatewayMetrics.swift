import BenchLoad

/// What a gateway tells at `/metrics`, added up over labels.
struct GatewayMetrics {
  private var values: [Substring: Double] = [:]
  private let text: String

  /// Asks the gateway.
  init(port: UInt16) throws(BenchError) {
    var body = [CChar](repeating: 0, count: 256 << 10)
    let count = unsafe bench_http_get(Int32(port), "/metrics", &body, body.count)
    guard count > 0 else { throw .failed("the gateway does not answer at /metrics") }
    text = String(decoding: body[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      guard let space = line.lastIndex(of: " "),
        let value = Double(line[line.index(after: space)...])
      else { continue }
      let name = line[..<space].prefix { $0 != "{" }
      values[name, default: 0] += value
      if name.endIndex != space { values[line[..<space]] = value }
    }
  }

  /// A metric's value, or that of one set of labels: `name{loop="ingest"}`. 0 where there is none.
  subscript(name: String) -> Double { values["danube_gateway_" + name] ?? 0 }
}
