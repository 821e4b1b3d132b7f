import Bytes
import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("Keeping cursors", .timeLimit(.minutes(5)))
struct CursorFileTests {
  /// What is found is a state that was to be saved, and none before the last saved one.
  private func check(
    _ found: CursorState?, saved: Int?, asked: Int, _ comment: Comment
  ) {
    let number = found.map { Int($0.nextSegment) } ?? 0
    #expect(number >= saved ?? 0 && number <= asked, comment)
    if let found { #expect(found == CursorLoop.state(number), comment) }
  }

  @Test("The last saved state is found, and nothing where nothing was saved")
  func healthy() throws {
    let bench = CursorBench(seed: 1)
    let empty = try bench.load()
    #expect(empty.state == nil && empty.damaged == 0)
    #expect(bench.disk.names(in: "spool").isEmpty)
    for last in 1...30 {
      let loop = try bench.run(next: last, last: last)
      #expect(loop.failures.isEmpty)
      bench.world.kill(loop.portID)
      let found = try bench.load()
      #expect(found.state == CursorLoop.state(last) && found.damaged == 0)
    }
    #expect(bench.disk.names(in: "spool") == CursorBench.names)
  }

  @Test("One process saves many states, without new space and in few syncs")
  func many() throws {
    let bench = CursorBench(seed: 2)
    let loop = try bench.run(last: 2)
    bench.world.kill(loop.portID)
    let used = bench.disk.usedBytes
    let syncs = bench.disk.syncCount
    let again = try bench.run(next: 3, last: 102)
    #expect(again.saved == 102 && again.failures.isEmpty)
    #expect(bench.disk.usedBytes == used)
    // One for each, one to make sure of what was found, one for the names.
    #expect(bench.disk.syncCount - syncs == 102)
  }

  @Test("The power may go before or after any operation")
  func everyOperation() throws {
    for point in 0..<140 {
      let bench = CursorBench(seed: 5)
      bench.disk.onOperation = { [world = bench.world] number in
        if number == point { world.losePower(host: spoolHost) }
      }
      let loop = try bench.run(last: 8)
      bench.disk.onOperation = nil
      bench.world.losePower(host: spoolHost)
      let found = try bench.load()
      check(found.state, saved: loop.saved, asked: loop.asked, "at \(point)")
    }
  }

  @Test(
    "However often processes end and the power goes, no older state comes back",
    arguments: 1...100)
  func rounds(seed: Int) throws {
    let bench = CursorBench(seed: seed)
    var random = SplitMix64(seed: UInt64(seed) ^ 0x6375_7273)
    var saved: Int?
    var asked = 0
    for round in 0..<12 {
      if seed % 2 == 0 {
        bench.disk.faults.failedSyncPerMille = 60
        bench.disk.faults.failedWritePerMille = 40
        bench.disk.faults.noSpacePerMille = 40
        bench.disk.faults.shortPerMille = 100
      }
      let end = bench.disk.operationCount * 2 + Int.random(in: 0..<60, using: &random)
      let isPower = Bool.random(using: &random)
      let loop = try CursorLoop(bench.world, next: asked + 1, last: asked + 8)
      bench.disk.onOperation = { [world = bench.world] number in
        guard number == end else { return }
        if isPower { world.losePower(host: spoolHost) } else { world.kill(loop.portID) }
      }
      let driver = SimulationDriver(bench.world)
      driver.add(loop)
      driver.run(milliseconds: 10_000) { loop.isDone || !bench.world.isAlive(loop.portID) }
      bench.disk.onOperation = nil
      bench.world.kill(loop.portID)
      saved = loop.saved ?? saved
      asked = max(asked, loop.asked)
      bench.disk.faults = DiskFaults()
      check(
        try bench.load().state, saved: saved, asked: asked, "seed \(seed), round \(round)")
      // The power may also go between two processes.
      if Bool.random(using: &random) {
        bench.world.losePower(host: spoolHost)
        check(
          try bench.load().state, saved: saved, asked: asked,
          "seed \(seed), after round \(round)")
      }
    }
  }

  @Test("Failing writes, syncs and a lack of space delay a save", arguments: 1...50)
  func failures(seed: Int) throws {
    let bench = CursorBench(seed: seed)
    bench.disk.faults.failedSyncPerMille = 100
    bench.disk.faults.failedWritePerMille = 100
    bench.disk.faults.noSpacePerMille = 100
    bench.disk.faults.shortPerMille = 200
    let loop = try bench.run(last: 40)
    #expect(loop.saved == 40 && !loop.failures.isEmpty)
    bench.world.losePower(host: spoolHost)
    bench.disk.faults = DiskFaults()
    #expect(try bench.load().state == CursorLoop.state(40))
  }

  @Test("On a full disk saves go on; without any file they wait for space")
  func fullDisk() throws {
    let bench = CursorBench(seed: 3)
    bench.disk.capacityBytes = 100 << 10
    let waiting = try bench.run(last: 1, milliseconds: 500)
    #expect(waiting.saved == nil && waiting.failures.contains(.noSpace))
    bench.world.kill(waiting.portID)
    bench.disk.capacityBytes = .max
    let first = try bench.run(next: 2, last: 2)
    bench.world.kill(first.portID)
    bench.disk.capacityBytes = bench.disk.usedBytes
    let second = try bench.run(next: 3, last: 40)
    #expect(second.saved == 40 && second.failures.isEmpty)
    bench.world.losePower(host: spoolHost)
    #expect(try bench.load().state == CursorLoop.state(40))
  }

  /// A state of many ranges: some 2 bytes each.
  private static func large(_ number: Int) -> CursorState {
    var state = CursorLoop.state(number)
    var delivered = DeliveredSet()
    let count = number % 20 == 10 ? 140_000 : number % 2 * 40_000
    for gap in 0..<UInt64(count) { delivered.insert(gap * 2 + 1) }
    state.lanes.append(
      LaneCursors(
        topic: [0x6c], nextSequence: 2_000_000, firstSequence: 0, isReliable: true,
        cursors: [Cursor(name: [], isExclusive: false, delivered: delivered)]))
    return state
  }

  @Test("Files grow with the state, and shrink when they are far too large")
  func sizes() throws {
    let bench = CursorBench(seed: 4)
    let used: (Int) throws -> Int = { last in
      let loop = try bench.run(next: last, last: last, makeState: Self.large)
      #expect(loop.saved == last)
      bench.world.kill(loop.portID)
      #expect(try bench.load().state == Self.large(last))
      return bench.disk.usedBytes
    }
    #expect(try used(2) == 2 * 64 << 10)
    _ = try used(10)
    #expect(try used(30) > 2 * 512 << 10)
    for last in [4, 6, 8] { _ = try used(last) }
    #expect(try used(12) == 2 * 64 << 10)
    // What is reserved beyond the state lets it grow on a full disk.
    bench.disk.capacityBytes = bench.disk.usedBytes
    for last in [14, 16] { _ = try used(last) }
  }

  @Test("A damaged copy is told, and the other one serves", arguments: 1...40)
  func damage(seed: Int) throws {
    let bench = CursorBench(seed: seed)
    let loop = try bench.run(last: 10 + seed % 2)
    bench.world.kill(loop.portID)
    let damagedCopy = CursorBench.names[seed / 2 % 2]
    bench.disk.flip(bit: seed % 8, ofByte: seed % 64, of: damagedCopy, in: "spool")
    let found = try bench.load()
    #expect(found.damaged == 1)
    let number = Int(try #require(found.state).nextSegment)
    #expect([10 + seed % 2, 9 + seed % 2].contains(number))
    #expect(found.state == CursorLoop.state(number))
    // The next saves use the damaged one's place first.
    let again = try bench.run(next: 20, last: 20)
    #expect(again.saved == 20)
    bench.world.losePower(host: spoolHost)
    let after = try bench.load()
    #expect(after.state == CursorLoop.state(20) && after.damaged == 0)
  }

  @Test("With two damaged copies nothing is found, and saving begins anew in both")
  func bothDamaged() throws {
    let bench = CursorBench(seed: 6)
    let loop = try bench.run(last: 10)
    bench.world.kill(loop.portID)
    for name in CursorBench.names { bench.disk.flip(bit: 1, ofByte: 20, of: name, in: "spool") }
    let found = try bench.load()
    #expect(found.state == nil && found.damaged == 2)
    let again = try bench.run(next: 11, last: 11)
    #expect(again.saved == 11)
    bench.world.losePower(host: spoolHost)
    // No damaged copy is left that might come back with its larger generation.
    for name in CursorBench.names { bench.disk.flip(bit: 1, ofByte: 20, of: name, in: "spool") }
    #expect(try bench.load().damaged == 2)
    for name in CursorBench.names { bench.disk.flip(bit: 1, ofByte: 20, of: name, in: "spool") }
    let after = try bench.load()
    #expect(after.state == CursorLoop.state(11) && after.damaged == 0)
  }

  @Test("A disk that can't be read leaves nothing, and does not undo what is saved later")
  func unreadable() throws {
    let bench = CursorBench(seed: 7)
    let loop = try bench.run(last: 10)
    bench.world.kill(loop.portID)
    bench.disk.faults.failedReadPerMille = 1_000
    let again = try bench.run(next: 11, last: 11)
    let found = try #require(again.loaded)
    #expect(found.state == nil && found.damaged == 2 && again.saved == 11)
    bench.world.kill(again.portID)
    bench.disk.faults.failedReadPerMille = 0
    #expect(try bench.load().state == CursorLoop.state(11))
  }

  @Test("Reads that fail now and then, and short ones, are tried again", arguments: 1...15)
  func readFaults(seed: Int) throws {
    let bench = CursorBench(seed: seed)
    let loop = try bench.run(last: 3, makeState: Self.large)
    bench.world.kill(loop.portID)
    bench.disk.faults.shortPerMille = 500
    bench.disk.faults.failedReadPerMille = 20
    let found = try bench.load()
    #expect(found.state == Self.large(3) || found.damaged > 0)
  }

  @Test("Files of a later version are left as they are")
  func laterVersion() throws {
    let bench = CursorBench(seed: 8)
    let loop = try bench.run(last: 4)
    bench.world.kill(loop.portID)
    let name = CursorBench.names[0]
    var content = try #require(bench.disk.content(of: name, in: "spool"))
    content[8] = 3
    let checksum = CRC32C.checksum(Array(content[..<60]).span.bytes)
    for index in 0..<4 { content[60 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * index)) }
    bench.disk.put(content, as: name, in: "spool")
    let again = try bench.run(next: 5, last: 5, milliseconds: 100)
    #expect(again.saved == nil && again.failures.first == .notSupported)
    #expect(again.file.laterVersion == SpoolLaterVersion(.cursors, 3, in: name))
    #expect(again.loaded?.damaged == 0)
    #expect(bench.disk.content(of: name, in: "spool") == content)
  }

  @Test("Copies that a person removes are made again", arguments: 1...20)
  func removed(seed: Int) throws {
    let bench = CursorBench(seed: seed)
    let loop = try CursorLoop(bench.world, last: 60)
    let driver = SimulationDriver(bench.world)
    driver.add(loop)
    driver.run(milliseconds: 10 + seed)
    for (place, name) in CursorBench.names.enumerated() where seed >> place & 1 == 0 {
      bench.disk.discard(name, in: "spool")
    }
    driver.run(milliseconds: 60_000) { loop.isDone }
    #expect(loop.saved == 60)
    bench.world.losePower(host: spoolHost)
    #expect(try bench.load().state == CursorLoop.state(60))
  }

  @Test("A lying disk is found out")
  func canary() throws {
    var lost = 0
    for seed in 1...30 {
      let bench = CursorBench(seed: seed)
      bench.disk.faults.lyingSyncPerMille = 500
      let loop = try bench.run(last: 10)
      bench.world.losePower(host: spoolHost)
      let found = try bench.load()
      if (found.state?.nextSegment ?? 0) < UInt32(loop.saved ?? 0) { lost += 1 }
    }
    #expect(lost > 2)
  }
}
