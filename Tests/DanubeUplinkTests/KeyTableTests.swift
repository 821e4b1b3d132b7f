import IOPort
import Testing

@testable import DanubeUplink

@Suite("The keys of a lane")
struct KeyTableTests {
  /// What the table is checked against.
  private struct Model {
    var tails: [UInt64: UInt32] = [:]
    var attempts: [UInt64: Int] = [:]
  }

  @Test("Random appends, removals and attempts agree with a dictionary", arguments: 0..<20)
  func model(seed: Int) {
    var random = SplitMix64(seed: UInt64(seed))
    var table = KeyTable(seed: random.next())
    var model = Model()
    // Few low bits differ in some seeds: a poor hash must not break anything.
    let shift = UInt64([0, 20, 40, 58][seed % 4])
    let range = [30, 3_000][seed % 2]
    for step in 0..<20_000 {
      let hash = UInt64(Int.random(in: 0..<range, using: &random)) << shift
      let growing = step / 4_000 % 2 == 0
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<(growing ? 6 : 2):
        let previous = table.append(UInt32(step), hash: hash)
        #expect(previous == model.tails[hash], "seed \(seed) step \(step)")
        model.tails[hash] = UInt32(step)
      case 6 where model.tails[hash] != nil:
        let before = table.countAttempt(hash: hash)
        #expect(before == model.attempts[hash, default: 0], "seed \(seed) step \(step)")
        model.attempts[hash, default: 0] += 1
        #expect(table.attempts(hash: hash) == before + 1, "seed \(seed) step \(step)")
      case 7 where model.tails[hash] != nil:
        table.advance(hash: hash)
        model.attempts[hash] = nil
      case 8, 9:
        guard model.tails[hash] != nil else { continue }
        table.remove(hash: hash)
        model.tails[hash] = nil
        model.attempts[hash] = nil
      default: break
      }
      #expect(table.count == model.tails.count)
      #expect(table.contains(hash: hash) == (model.tails[hash] != nil))
      #expect(table.attempts(hash: hash) == model.attempts[hash, default: 0])
      if step % 100 == 0 { #expect(table.mostAttempts == model.attempts.values.max() ?? 0) }
    }
    for hash in model.tails.keys { #expect(table.contains(hash: hash)) }
    for hash in model.tails.keys { table.remove(hash: hash) }
    #expect(table.count == 0)
  }

  @Test("Memory follows the keys in the table, up and down")
  func memory() {
    var table = KeyTable(seed: 7)
    for key in 0..<100_000 { _ = table.append(UInt32(key), hash: UInt64(key)) }
    #expect(table.capacity <= 262_144)
    for key in 0..<100_000 { table.remove(hash: UInt64(key)) }
    #expect(table.count == 0)
    #expect(table.capacity <= 2_048)
  }

  @Test("A table that forgot its keys begins anew")
  func removeAll() {
    var table = KeyTable(seed: 3)
    for key in 0..<500 { #expect(table.append(UInt32(key), hash: UInt64(key)) == nil) }
    _ = table.countAttempt(hash: 7)
    table.removeAll()
    #expect(table.count == 0 && table.capacity == 0)
    #expect(!table.contains(hash: 7) && table.attempts(hash: 7) == 0)
    #expect(table.append(1, hash: 7) == nil)
    #expect(table.append(2, hash: 7) == 1)
    #expect(table.attempts(hash: 7) == 0)
  }
}
