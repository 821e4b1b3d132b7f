import Foundation
import Metrics
import Testing

@Suite("One thread counts, another one renders")
struct ThreadTests {
  private static let recordCount: UInt64 = 50_000

  @Test("A rendering in between is whole and never goes back", .timeLimit(.minutes(1)))
  func renderWhileCounting() throws {
    let registry = MetricsRegistry()
    let counters = (0..<4).map { number in
      registry.counter("danube_gateway_a_total", help: "A.", labels: [("n", String(number))])
    }
    let gauge = registry.gauge("danube_gateway_b", help: "B.")
    let durations = registry.durations("danube_gateway_c_seconds", help: "C.")
    registry.freeze()
    let writer = Thread {
      for value in 1...Self.recordCount {
        counters[Int(value & 3)].add()
        gauge.set(Int64(value))
        durations.record(value * 10_000, times: 2)
      }
    }
    writer.start()
    var seen: UInt64 = 0
    var length = 0
    repeat {
      let text = registry.rendered()
      let lines = text.split(separator: "\n")
      func value(_ name: String) throws -> UInt64 {
        let line = try #require(lines.first { $0.hasPrefix(name + " ") })
        return try #require(UInt64(line.split(separator: " ")[1]))
      }
      let count = try value("danube_gateway_c_seconds_count")
      #expect(count == (try value("danube_gateway_c_seconds_bucket{le=\"+Inf\"}")))
      #expect(count >= seen)
      #expect(lines.count >= length)
      seen = count
      length = lines.count
    } while seen < 2 * Self.recordCount
    while !writer.isFinished { Thread.sleep(forTimeInterval: 0.001) }
    #expect(counters.reduce(0) { $0 + $1.value } == Self.recordCount)
    #expect(gauge.value == Int64(Self.recordCount))
  }
}
