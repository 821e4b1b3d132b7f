import Bytes
import IOPort
import Testing

@testable import LocalBroker

@Suite("The memory for records")
struct RecordLogTests {
  @Test("Records are read back; beyond the budget the oldest of all topics leave first")
  func model() {
    for seed in UInt64(0)..<50 {
      var random = SplitMix64(seed: seed)
      let budget = [1, 4_096, 65_536, 300_000].randomElement(using: &random) ?? 1
      var log = RecordLog(budgetBytes: budget)
      var kept: [(topic: Int, location: UInt64, body: [UInt8], isLocal: Bool)] = []
      for _ in 0..<400 {
        let longest = [10, 300, 20_000].randomElement(using: &random) ?? 10
        let body = [UInt8](
          repeating: .random(in: 0...255, using: &random),
          count: .random(in: 0...longest, using: &random))
        while !log.hasRoom(body.count), let topic = log.removeOldest() {
          #expect(topic == kept.removeFirst().topic, "seed \(seed)")
        }
        let topic = Int.random(in: 0..<5, using: &random)
        let isLocal = Bool.random(using: &random)
        let location = log.append(topic: topic, isLocal: isLocal, body: body.rawBytes)
        kept.append((topic, location, body, isLocal))
        #expect(log.usedBytes <= budget || kept.count == 1, "seed \(seed)")
        #expect(log.recordCount == kept.count)
      }
      for record in kept {
        let read = log.withRecord(at: record.location) { ([UInt8](copying: $0), $1) }
        #expect(read.0 == record.body, "seed \(seed)")
        #expect(read.1 == record.isLocal)
      }
    }
  }
}
