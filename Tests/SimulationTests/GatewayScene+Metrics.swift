@testable import Gateway
import Ingest
import Metrics

extension GatewayScene {
  /// Memory for what devices sent and ingest did not process, as of its last turn.
  var inputBytes: Int { Int(gateway.ingestMetrics.inputBytes.value) }

  /// The value of a metric, as `/metrics` shows it.
  func metric(_ name: String) -> Int {
    var text: [UInt8] = []
    gateway.registry.render(into: &text)
    for line in String(decoding: text, as: UTF8.self).split(separator: "\n")
    where line.hasPrefix("\(name) ") {
      return line.split(separator: " ").last.flatMap { Double($0) }.map { Int($0) } ?? 0
    }
    return -1
  }
}
