import IOPort
import Testing

@testable import Uring

@Suite("The tables of operations and descriptors")
struct OperationTableTests {
  @Test("Random inserts and removals agree with a model", arguments: 1...20 as ClosedRange<UInt64>)
  func model(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var table = OperationTable()
    var heads = Array(repeating: OperationTable.none, count: 10)
    var model: [(place: UInt32, token: Token, descriptor: Int)] = []
    var userData: Set<UInt64> = []
    for _ in 0..<2_000 {
      if model.isEmpty || Int.random(in: 0..<5, using: &random) < 3 {
        let descriptor = Int.random(in: 0..<10, using: &random)
        // Few tokens, so that some are there twice.
        let token = Token(rawValue: UInt64.random(in: 0..<200, using: &random) << 24)
        let place = table.insert(
          OperationTable.Entry(token: token, kind: .send, descriptor: UInt32(descriptor)),
          head: &heads[descriptor])
        #expect(userData.insert(table.userData(of: place)).inserted, "seed \(seed)")
        #expect(OperationTable.place(of: table.userData(of: place)) == place)
        model.append((place, token, descriptor))
      } else {
        let index = Int.random(in: 0..<model.count, using: &random)
        let gone = model.remove(at: index)
        table.remove(gone.place, head: &heads[gone.descriptor])
      }
      #expect(table.count == model.count)
    }
    for descriptor in 0..<10 {
      var walked: Set<UInt32> = []
      var next: UInt32? = heads[descriptor] == OperationTable.none ? nil : heads[descriptor]
      while let place = next {
        walked.insert(place)
        next = table.next(after: place)
      }
      #expect(
        walked == Set(model.filter { $0.descriptor == descriptor }.map(\.place)), "seed \(seed)")
    }
    for raw in 0..<UInt64(200) {
      let token = Token(rawValue: raw << 24)
      var found: Set<UInt32> = []
      var next = table.find(token)
      while let place = next {
        found.insert(place)
        next = table.find(token, after: place)
      }
      #expect(found == Set(model.filter { $0.token == token }.map(\.place)), "seed \(seed)")
    }
  }

  @Test("A closed descriptor's number is not known any more, though its place is used again")
  func staleDescriptor() throws {
    var table = DescriptorTable()
    let first = try #require((table.insert(10)) as UInt32?)
    let old = table.descriptor(of: first)
    table.remove(first)
    let second = try #require((table.insert(11)) as UInt32?)
    #expect(second == first)
    #expect(table.place(of: old) == nil)
    #expect(table.place(of: table.descriptor(of: second)) == second)
    #expect(table.place(of: Descriptor(rawValue: -1)) == nil)
    #expect(table.place(of: Descriptor(rawValue: .max)) == nil)
    #expect((table.openFileDescriptors()) == [11])
  }
}
