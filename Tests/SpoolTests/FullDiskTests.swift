import IOPort
import Simulator
import Testing

@testable import Spool

@Suite("A disk without space", .timeLimit(.minutes(1)))
struct FullDiskTests {
  @Test("The next segment is tried again when nothing waits: the fault ends with its cause")
  func preparingAgain() throws {
    let world = SimulatedWorld(seed: 5)
    let disk = world.disk(of: spoolHost)
    disk.capacityBytes = 100 << 10
    var limits = UnreadTests.limits
    limits.queuedBytes = 4 << 10
    let loop = try LogLoop(world, firstSegment: 1, wanted: 1_000, limits: limits)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(until: world.now.advanced(milliseconds: 10_000)) { loop.writer.isShortOfSpace }
    let isShort = loop.writer.isShortOfSpace
    #expect(isShort)
    loop.wanted = 0
    driver.run(milliseconds: 100)
    loop.writer.sealWhenIdle()
    driver.run(milliseconds: 500)
    let waits = !loop.writer.isIdle
    let hasSegment = loop.writer.activeSegment != nil
    #expect(!waits && !hasSegment)
    disk.capacityBytes = .max
    driver.run(milliseconds: 500)
    let isOver = !loop.writer.isShortOfSpace
    #expect(isOver)
  }
}
