import Bytes
import IOPort
import Simulator
import Testing

@testable import Spool

/// A cursor file as a loop of its own: it loads, and then saves one state after the other.
final class CursorLoop: SimulatedLoop {
  var port: SimulatedPort
  var operations = OperationQueue()
  var file: CursorFile
  let portID: NodeID
  /// What the load told; nil as long as it is under way.
  private(set) var loaded: (state: CursorState?, damaged: Int)?
  /// The number of the last state that was saved, and of the last one that was to be.
  private(set) var saved: Int?
  private(set) var asked: Int
  private(set) var failures: [IOError.Kind] = []
  private let last: Int
  private let makeState: (Int) -> CursorState
  private var nextSave = Instant.distantFuture

  /// States `next` to `last` are saved, none when `last` is 0; after a failure the next follows a
  /// while later.
  init(
    _ world: SimulatedWorld, next: Int = 1, last: Int,
    makeState: @escaping (Int) -> CursorState = CursorLoop.state
  ) throws {
    var port = world.makePort(host: spoolHost)
    let directory = try port.openDirectory("spool")
    portID = port.id
    file = CursorFile(owner: 7, directory: directory, files: try port.files(in: directory))
    self.port = port
    self.last = last
    self.makeState = makeState
    asked = next - 1
    file.load(operations: &operations)
    self.port.submit(&operations)
  }

  var isDone: Bool { loaded != nil && saved == last && !file.isBusy }

  /// A state that tells its number, in every part.
  static func state(_ number: Int) -> CursorState {
    var random = SplitMix64(seed: UInt64(number))
    var state = CursorState()
    state.identity = SpoolIdentity(first: 3, second: UInt64(number))
    state.nextSegment = UInt32(number)
    state.synced = SpoolPosition(segment: UInt32(number), offset: 512)
    for lane in 0..<Int.random(in: 0...6, using: &random) {
      var delivered = DeliveredSet(next: UInt64(number))
      for _ in 0..<Int.random(in: 0...200, using: &random) {
        delivered.insert(UInt64.random(in: 0...10_000, using: &random) + UInt64(number))
      }
      var reader = Cursor(name: Array("reader".utf8), isExclusive: true, delivered: delivered)
      reader.setConsumers((0..<number % 5).map { Array("consumer-\($0)".utf8) })
      state.lanes.append(
        LaneCursors(
          topic: LogLoop.topic(UInt64(lane)), nextSequence: UInt64(number) + 20_000,
          firstSequence: UInt64(number / 2), isReliable: Bool.random(using: &random),
          cursors: [
            Cursor(name: [], isExclusive: false, delivered: DeliveredSet(next: UInt64(number))),
            reader,
          ]))
    }
    return state
  }

  private var isSaveDue: Bool {
    guard loaded != nil, !file.isBusy, last > 0, saved != last else { return false }
    return nextSave <= port.now || failures.isEmpty || saved == asked
  }

  func turn() {
    port.wait(until: nextSave)
    while let completion = port.next() { file.handle(completion, operations: &operations) }
    while let event = file.nextEvent() {
      switch event {
      case .loaded(let state, let damaged): loaded = (state, damaged)
      case .saved: saved = asked
      case .failed(let error):
        failures.append(error.kind)
        nextSave = port.now.advanced(milliseconds: 5)
      }
    }
    if isSaveDue {
      nextSave = .distantFuture
      // What failed is followed by something newer.
      if asked < last { asked += 1 }
      file.save(makeState(asked), operations: &operations)
    }
    port.submit(&operations)
  }
}

/// The cursor files of a simulated disk, and processes that use them one after the other.
struct CursorBench {
  let world: SimulatedWorld
  let disk: SimulatedDisk

  init(seed: Int) {
    world = SimulatedWorld(seed: UInt64(seed))
    disk = world.disk(of: spoolHost)
  }

  static let names = ["cursors-a", "cursors-b"].compactMap(FileName.init)

  /// Runs a process until it has saved everything, or ends.
  @discardableResult
  func run(
    next: Int = 1, last: Int, milliseconds: Int = 60_000,
    makeState: @escaping (Int) -> CursorState = CursorLoop.state
  ) throws -> CursorLoop {
    let loop = try CursorLoop(world, next: next, last: last, makeState: makeState)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(milliseconds: milliseconds) { loop.isDone || !world.isAlive(loop.portID) }
    return loop
  }

  /// What a process finds that only reads.
  func load() throws -> (state: CursorState?, damaged: Int) {
    let loop = try CursorLoop(world, last: 0)
    let driver = SimulationDriver(world)
    driver.add(loop)
    driver.run(milliseconds: 60_000) { loop.loaded != nil }
    world.kill(loop.portID)
    return try #require(loop.loaded)
  }
}
