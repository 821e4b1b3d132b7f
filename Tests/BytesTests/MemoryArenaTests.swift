import Bytes
import Testing

/// Compares outside the macro, which can't hold an arena: it can't be copied.
private func check<Value: Equatable>(
  _ value: Value, _ expected: Value, sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(value == expected, sourceLocation: sourceLocation)
}

private func allocate(
  _ byteCount: Int, from arena: inout MemoryArena, sourceLocation: SourceLocation = #_sourceLocation
) throws -> MemoryBlock {
  let block = arena.allocate(byteCount: byteCount)
  return try #require(block, sourceLocation: sourceLocation)
}

@Suite("An arena with a budget")
struct MemoryArenaTests {
  @Test(
    "A block is the next power of two, from 256 B to 8 MiB",
    arguments: [
      (0, 256), (1, 256), (257, 512), (4_096, 4_096), (4_097, 8_192), (100_000, 131_072),
      (8 << 20, 8 << 20),
    ])
  func sizes(asked: Int, given: Int) throws {
    var arena = MemoryArena(budgetBytes: 16 << 20)
    let block = try allocate(asked, from: &arena)
    #expect(block.byteCount == given && MemoryArena.blockBytes(for: asked) == given)
    check(arena.usedBytes, given)
    arena.free(block)
    check(arena.usedBytes, 0)
    check(arena.keptBytes, given)
  }

  @Test("Nothing beyond the largest block or the budget is given")
  func budget() throws {
    var arena = MemoryArena(budgetBytes: 16_384)
    check(arena.allocate(byteCount: MemoryArena.largestBlockBytes + 1)?.byteCount, nil)
    check(arena.allocate(byteCount: .max)?.byteCount, nil)
    check(MemoryArena.blockBytes(for: MemoryArena.largestBlockBytes + 1), nil)
    check(arena.allocate(byteCount: 32_768)?.byteCount, nil)
    var blocks: [MemoryBlock] = []
    for _ in 0..<4 { blocks.append(try allocate(4_096, from: &arena)) }
    check(arena.allocate(byteCount: 1)?.byteCount, nil)
    arena.free(blocks[0])
    let again = try allocate(4_096, from: &arena)
    #expect(again.address == blocks[0].address, "a kept block is used again")
    for block in blocks[1...] + [again] { arena.free(block) }
    check(arena.keptBytes, 16_384)
  }

  @Test("A larger kept block serves where that is allowed, up to half of the budget")
  func larger() throws {
    var arena = MemoryArena(budgetBytes: 65_536)
    let kept = try allocate(16_384, from: &arena)
    arena.free(kept)
    // Not asked for, or larger than allowed.
    check(arena.allocate(byteCount: 4_096)?.byteCount, 4_096)
    check(arena.allocate(byteCount: 4_096, atMostBytes: 8_192)?.byteCount, 4_096)
    check(arena.allocate(byteCount: 4_096, atMostBytes: 16_384)?.byteCount, 16_384)
    check(arena.usedBytes, 24_576)
    check(arena.keptBytes, 0)
    let other = try allocate(16_384, from: &arena)
    arena.free(other)
    // More than half would be in use.
    check(arena.allocate(byteCount: 4_096, atMostBytes: 16_384)?.byteCount, 4_096)
    check(arena.keptBytes, 16_384)
  }

  @Test("Kept blocks of other sizes make room, and trimming gives all of them back")
  func giveBack() throws {
    var arena = MemoryArena(budgetBytes: 65_536)
    var small: [MemoryBlock] = []
    for _ in 0..<16 { small.append(try allocate(4_096, from: &arena)) }
    for block in small { arena.free(block) }
    check(arena.keptBytes, 65_536)
    let large = try allocate(32_768, from: &arena)
    check(arena.usedBytes, 32_768)
    check(arena.usedBytes + arena.keptBytes <= 65_536, true)
    arena.free(large)
    arena.trim()
    check(arena.keptBytes, 0)
    check(arena.usedBytes, 0)
  }

  @Test(
    "Random use never exceeds the budget or mixes blocks", arguments: 1...20 as ClosedRange<UInt64>)
  func model(seed: UInt64) {
    var random = Seeded(state: seed)
    var arena = MemoryArena(budgetBytes: 1 << 20)
    var held: [(block: MemoryBlock, mark: UInt64)] = []
    for round in 0..<1_000 as Range<UInt64> {
      if Bool.random(using: &random) {
        let size = 1 << Int.random(in: 0...19, using: &random)
        let used = held.reduce(0) { $0 + $1.block.byteCount }
        if let block = arena.allocate(byteCount: size) {
          block.address.storeBytes(of: round, as: UInt64.self)
          block.address.storeBytes(
            of: round, toByteOffset: block.byteCount - 8, as: UInt64.self)
          held.append((block, round))
        } else {
          #expect(used + max(size, 256) > 1 << 20, "refused with room, seed \(seed)")
        }
      } else if !held.isEmpty {
        let gone = held.remove(at: Int.random(in: 0..<held.count, using: &random))
        #expect(gone.block.address.load(as: UInt64.self) == gone.mark, "seed \(seed)")
        #expect(
          gone.block.address.load(fromByteOffset: gone.block.byteCount - 8, as: UInt64.self)
            == gone.mark, "seed \(seed)")
        arena.free(gone.block)
      }
      let used = arena.usedBytes
      let all = used + arena.keptBytes
      #expect(used == held.reduce(0) { $0 + $1.block.byteCount }, "seed \(seed)")
      #expect(all <= 1 << 20, "seed \(seed)")
    }
    for entry in held { arena.free(entry.block) }
  }
}
