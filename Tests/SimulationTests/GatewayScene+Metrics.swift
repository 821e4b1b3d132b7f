@testable import Gateway
import Ingest
import Metrics

extension GatewayScene {
  /// Memory for what devices sent and ingest did not process, as of its last turn.
  var inputBytes: Int { Int(gateway.ingestMetrics.inputBytes.value) }

  /// The sums of metrics over their labels, as `/metrics` shows them.
  func metrics(_ names: [String]) -> [String: Int] {
    var text: [UInt8] = []
    gateway.registry.render(into: &text)
    var sums: [String: Int] = [:]
    for name in names { sums[name] = 0 }
    for line in text.split(separator: 0x0a) where line.first != 0x23 {
      guard let end = line.firstIndex(where: { $0 == 0x20 || $0 == 0x7b }) else { continue }
      let name = String(decoding: line[..<end], as: UTF8.self)
      guard let sum = sums[name], let space = line.lastIndex(of: 0x20) else { continue }
      sums[name] = sum + Int(Double(String(decoding: line[(space + 1)...], as: UTF8.self)) ?? 0)
    }
    return sums
  }

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
