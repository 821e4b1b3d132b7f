import IOPort
import Simulator
import Testing

@Suite("The simulated disk", .timeLimit(.minutes(1)))
struct SimulatedDiskTests {
  private func bench(_ world: SimulatedWorld) -> FileBench<SimulatedPort> {
    FileBench(port: world.makePort(host: serverHost)) { world.pass(nanoseconds: 1_000_000) }
  }

  private func name(_ text: String) throws -> FileName { try #require(FileName(text)) }

  @Test("It keeps the contract of operations, as the kernel does", arguments: 1...20)
  func contract(seed: Int) throws {
    let world = SimulatedWorld(seed: UInt64(seed))
    var bench = bench(world)
    #expect(try FileContract.violations(&bench, path: "spool") == [])
    #expect(bench.port.openDescriptorCount == 0)
  }

  @Test("The end of a process loses nothing that was written; the end of power what was not synced")
  func durability() throws {
    var sawKept = 0
    var sawLost = 0
    var sawTorn = 0
    for seed in 1...200 as ClosedRange<UInt64> {
      let world = SimulatedWorld(seed: seed)
      let disk = world.disk(of: serverHost)
      var first = bench(world)
      let directory = try first.port.openDirectory("spool")
      let file = try #require(first.open(name("log"), in: directory, .create)?.descriptor)
      #expect(first.write(Array(repeating: 1, count: 4_096), to: file, offset: 0) != nil)
      #expect(first.work(.sync(file))?.isDone == true)
      #expect(first.work(.sync(directory))?.isDone == true)
      #expect(first.write(Array(repeating: 2, count: 4_096), to: file, offset: 4_096) != nil)
      _ = first.open(try name("other"), in: directory, .create)
      world.kill(first.port.id)
      #expect(disk.content(of: try name("log"), in: "spool")?.count == 8_192)
      disk.losePower()
      let content = try #require(disk.content(of: try name("log"), in: "spool"))
      #expect(content.prefix(4_096).allSatisfy { $0 == 1 })
      let rest = content.dropFirst(4_096)
      #expect(rest.allSatisfy { $0 == 2 || $0 == 0 })
      let kept = rest.filter { $0 == 2 }.count
      #expect(kept % 512 == 0)
      if kept == 4_096 { sawKept += 1 } else if kept == 0 { sawLost += 1 } else { sawTorn += 1 }
      var second = bench(world)
      let again = try second.port.openDirectory("spool")
      #expect(try second.port.files(in: again).first?.name == name("log"))
    }
    #expect(sawKept > 5 && sawLost > 5 && sawTorn > 5)
  }

  @Test("A name that was not synced may be lost with all its durable content")
  func lostName() throws {
    var lost = 0
    for seed in 1...50 as ClosedRange<UInt64> {
      let world = SimulatedWorld(seed: seed)
      var bench = bench(world)
      let directory = try bench.port.openDirectory("spool")
      let file = try #require(bench.open(name("log"), in: directory, .create)?.descriptor)
      #expect(bench.write([1, 2, 3], to: file, offset: 0)?.transferred == 3)
      #expect(bench.work(.sync(file))?.isDone == true)
      world.losePower(host: serverHost)
      if world.disk(of: serverHost).names(in: "spool").isEmpty { lost += 1 }
    }
    #expect(lost > 5 && lost < 50)
  }

  @Test("After a sync that failed, a later one says nothing about what the first was to keep")
  func failedSync() throws {
    var lost = 0
    for seed in 1...50 as ClosedRange<UInt64> {
      let world = SimulatedWorld(seed: seed)
      let disk = world.disk(of: serverHost)
      var bench = bench(world)
      let directory = try bench.port.openDirectory("spool")
      let file = try #require(bench.open(name("log"), in: directory, .create)?.descriptor)
      #expect(bench.work(.sync(directory))?.isDone == true)
      #expect(bench.write(Array(repeating: 1, count: 512), to: file, offset: 0) != nil)
      disk.faults.failedSyncPerMille = 1_000
      #expect(bench.work(.sync(file))?.failure == .deviceFailed)
      disk.faults.failedSyncPerMille = 0
      #expect(bench.write(Array(repeating: 2, count: 512), to: file, offset: 512) != nil)
      #expect(bench.work(.sync(file))?.isDone == true)
      world.losePower(host: serverHost)
      let content = try #require(disk.content(of: try name("log"), in: "spool"))
      #expect(content.dropFirst(512).allSatisfy { $0 == 2 } && content.count == 1_024)
      if content[0] == 0 { lost += 1 }
    }
    #expect(lost > 5)
  }

  @Test("A full disk takes what has room, then nothing; a read-only one nothing")
  func limits() throws {
    let world = SimulatedWorld(seed: 3)
    let disk = world.disk(of: serverHost)
    disk.capacityBytes = 10_000
    var bench = bench(world)
    let directory = try bench.port.openDirectory("spool")
    let file = try #require(bench.open(name("log"), in: directory, .create)?.descriptor)
    #expect(bench.work(.allocate(file, bytes: 20_000))?.failure == .noSpace)
    let bytes = [UInt8](repeating: 1, count: 8_000)
    #expect(bench.write(bytes, to: file, offset: 0)?.transferred == 8_000)
    #expect(bench.write(bytes, to: file, offset: 8_000)?.transferred == 2_000)
    #expect(bench.write(bytes, to: file, offset: 10_000)?.failure == .noSpace)
    #expect(bench.write(bytes, to: file, offset: 0)?.transferred == 8_000)
    disk.isReadOnly = true
    #expect(bench.write(bytes, to: file, offset: 0)?.failure == .readOnly)
    #expect(bench.remove(try name("log"), from: directory)?.failure == .readOnly)
    #expect(disk.faultCounts.noSpace == 2)
  }

  @Test("A crash can be planted before and after any operation")
  func plantedCrash() throws {
    for point in 0..<6 {
      let world = SimulatedWorld(seed: 7)
      let disk = world.disk(of: serverHost)
      var bench = bench(world)
      let directory = try bench.port.openDirectory("spool")
      disk.onOperation = { [unowned world] number in
        if number == point { world.kill(NodeID(rawValue: 0)) }
      }
      let file = bench.open(try name("log"), in: directory, .create)?.descriptor
      #expect((file == nil) == (point <= 1))
      #expect(disk.names(in: "spool").isEmpty == (point == 0))
      guard let file else { continue }
      let written = bench.write([1], to: file, offset: 0)?.transferred
      #expect((written == nil) == (point <= 3))
      #expect(disk.content(of: try name("log"), in: "spool")?.count == (point == 2 ? 0 : 1))
    }
  }
}
