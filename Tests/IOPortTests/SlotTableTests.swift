import IOPort
import Testing

@Suite("Slots and tokens")
struct SlotTableTests {
  @Test("Random tenants agree with a dictionary", arguments: 1...20 as ClosedRange<UInt64>)
  func model(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var table = SlotTable<[UInt64]>(capacity: 50)
    var model: [SlotID: [UInt64]] = [:]
    var gone: [SlotID] = []
    for round in 0..<2_000 as Range<UInt64> {
      let present = model.keys.sorted { $0.index < $1.index }
      switch Int.random(in: 0..<3, using: &random) {
      case 0 where !table.isFull:
        let id = table.insert([round])
        #expect(model[id] == nil, "seed \(seed)")
        #expect(id.index < 50)
        model[id] = [round]
      case 1:
        guard let id = present.randomElement(using: &random) else { break }
        #expect(table.remove(id) == model[id], "seed \(seed)")
        model[id] = nil
        gone.append(id)
      default:
        guard let id = present.randomElement(using: &random) else { break }
        table[id].append(round)
        model[id]?.append(round)
      }
      #expect(table.count == model.count)
      #expect(table.isFull == (model.count == 50))
    }
    for (id, value) in model {
      #expect((table.contains(id)) == true)
      #expect(table[id] == value)
      #expect(table.tenant(at: Int(id.index)) == id)
    }
    for id in gone { #expect((table.contains(id)) == false, "seed \(seed)") }
    let tenants = (0..<table.upperBound).compactMap { table.tenant(at: $0) }
    #expect(Set(tenants) == Set(model.keys))
    #expect(table.tenant(at: table.upperBound) == nil)
    #expect((table.contains(SlotID(index: 0xffff_ffff, generation: 1))) == false)
  }

  private final class Counter { var count = 0 }

  private struct Tenant: ~Copyable {
    let counter: Counter
    deinit { counter.count += 1 }
  }

  @Test("The table ends its tenants, and only those")
  func endsTenants() {
    let counter = Counter()
    do {
      var table = SlotTable<Tenant>(capacity: 8)
      let first = table.insert(Tenant(counter: counter))
      _ = table.insert(Tenant(counter: counter))
      _ = table.insert(Tenant(counter: counter))
      _ = table.remove(first)
      #expect(counter.count == 1)
    }
    #expect(counter.count == 3)
  }

  @Test("A token holds its parts", arguments: [0, 1, 0xff_ffff] as [UInt32], [0, 255] as [UInt8])
  func token(number: UInt32, small: UInt8) {
    let slot = SlotID(index: number, generation: 0xff_ffff - number)
    let token = Token(owner: small, verb: 255 - small, slot: slot)
    #expect(token.owner == small)
    #expect(token.verb == 255 - small)
    #expect(token.slot == slot)
    #expect(Token(rawValue: token.rawValue) == token)
  }
}
