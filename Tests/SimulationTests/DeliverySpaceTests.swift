import DanubeUplink
import Delivery
import IOPort
import Records
import Simulator
import Spool
import Testing

@Suite(
  "Lanes for which the disk has no space, when their broker comes back", .timeLimit(.minutes(1)))
struct DeliverySpaceTests {
  /// A spool that lane 0 has filled while the broker was away. It takes long to be emptied.
  private static func full(
    _ limits: SpoolLimits = SpoolingDelivery.smallLimits
  ) throws -> (driver: SimulationDriver, loop: SpoolingDelivery) {
    let world = SimulatedWorld(seed: 3)
    let driver = SimulationDriver(world)
    let broker = try ScriptedBroker(world, host: GatewayScene.brokerHost)
    world.refuseConnects(to: GatewayScene.brokerHost, port: broker.address.port)
    let topics = ["/default/large", "/default/small"]
    let bench = DeliveryBench(
      lanes: topics.map {
        LaneDescription(topic: Array($0.utf8), producerName: Array("edge".utf8))
      })
    let loop = try SpoolingDelivery(world, bench: bench, broker: broker, limits: limits)
    driver.add(broker)
    driver.add(loop)
    return (driver, loop)
  }

  private static func fill(_ driver: SimulationDriver, _ loop: SpoolingDelivery) throws {
    for _ in 0..<200 where !loop.isFull {
      loop.submit(try loop.bench.batch(lane: 0, count: 10, paddingBytes: 400))
      driver.run(milliseconds: 100)
    }
    try #require(loop.isFull, "\(loop.usedBytes) bytes")
  }

  private static func allow(_ driver: SimulationDriver, _ loop: SpoolingDelivery) {
    driver.world.allowConnects(to: GatewayScene.brokerHost, port: loop.broker.address.port)
  }

  @Test("What comes to one that was shut goes to the broker, not behind the others' backlog")
  func shut() throws {
    let (driver, loop) = try Self.full()
    try Self.fill(driver, loop)
    let refused = try loop.bench.batch(lane: 1, count: 3)
    loop.submit(refused)
    driver.run(milliseconds: 5_000)
    #expect(loop.refusedRecords[refused] == 3 && loop.bench.lanes.isRefusing(small))
    // It was on its way when the lane was shut, and comes as the broker does.
    let batch = try loop.bench.batch(lane: 1, count: 5)
    loop.submitWhenReady = (small, batch)
    Self.allow(driver, loop)
    #expect(driver.run(milliseconds: 20_000) { loop.submitWhenReady == nil })
    #expect(driver.run(milliseconds: 2_000) { loop.completed.contains(batch) })
    #expect(loop.isFull && loop.refusedRecords[batch] == nil)
    #expect(loop.broker.accepted.count { $0.topic == "/default/small" } == 5)
    #expect(!loop.bench.lanes.isRefusing(small))
  }

  @Test("One that waited for space takes records again as soon as it has nothing on the disk")
  func blocked() throws {
    let (driver, loop) = try Self.full()
    loop.submit(try loop.bench.batch(lane: 1, count: 3))
    driver.run(milliseconds: 1_000)
    try Self.fill(driver, loop)
    driver.run(milliseconds: 2_000)
    #expect(loop.bench.lanes.isRefusing(small))
    let batch = try loop.bench.batch(lane: 1, count: 5)
    loop.submitWhenReady = (small, batch)
    Self.allow(driver, loop)
    #expect(driver.run(milliseconds: 20_000) { loop.submitWhenReady == nil })
    #expect(driver.run(milliseconds: 10_000) { loop.completed.contains(batch) })
    driver.run(milliseconds: 100)
    #expect(loop.isFull && loop.refusedRecords[batch] == nil)
    #expect(loop.broker.accepted.count { $0.topic == "/default/small" } == 8)
    #expect(!loop.bench.lanes.isRefusing(small))
    #expect(loop.bench.lanes.isRefusing(LaneID(rawValue: 0)))
  }

  @Test("Lanes that wait for a slow disk take turns, however much one of them has")
  func turns() throws {
    let limits = SpoolLimits(
      log: LogLimits(segmentBytes: 64 << 10, queuedBytes: 4 << 10), blockBytes: 4 << 10,
      commitMilliseconds: 5)
    let (driver, loop) = try Self.full(limits)
    let many = try (0..<60).map { _ in
      try loop.bench.batch(lane: 0, count: 10, paddingBytes: 400)
    }
    let one = try loop.bench.batch(lane: 1, count: 1)
    for batch in many { loop.submit(batch) }
    loop.submit(one)
    #expect(driver.run(milliseconds: 10_000) { loop.completed.contains(one) })
    let before = loop.completed.count
    #expect(before < 20)
    #expect(driver.run(milliseconds: 10_000) { loop.completed.count == 61 })
  }

  private let small = LaneID(rawValue: 1)
}

/// A delivery side with an uplink and a spool on a simulated port.
private final class SpoolingDelivery: SimulatedLoop {
  let portID: NodeID
  let bench: DeliveryBench
  let broker: ScriptedBroker
  /// Batches that nobody has to do with any more.
  private(set) var completed: Set<BatchID> = []
  private(set) var refusedRecords: [BatchID: Int] = [:]
  /// A batch that comes in the turn in which the uplink can send records of a lane.
  var submitWhenReady: (lane: LaneID, batch: BatchID)?
  private let world: SimulatedWorld
  private var port: SimulatedPort
  private var delivery: Delivery
  private var operations = OperationQueue()
  private var toSubmit: [BatchID] = []
  private var isStarted = false

  static let smallLimits = SpoolLimits(
    log: LogLimits(segmentBytes: 64 << 10), maximumBytes: 256 << 10, commitMilliseconds: 5,
    overflow: .reject)

  init(
    _ world: SimulatedWorld, bench: DeliveryBench, broker: ScriptedBroker, limits: SpoolLimits
  ) throws {
    self.world = world
    self.bench = bench
    self.broker = broker
    port = world.makePort(host: GatewayScene.gatewayHost)
    portID = port.id
    let address = broker.address
    let seed = ResolvedHost(host: address.host, port: address.port, addresses: [address])
    let directory = try port.openDirectory("spool")
    let spool = Spool(
      owner: 6, limits: limits, directory: directory, files: try port.files(in: directory),
      seed: 2)
    delivery = Delivery(
      store: bench.store, lanes: bench.lanes,
      uplink: DanubeUplink(
        owner: 5, limits: UplinkLimits(), seeds: [seed], store: bench.store,
        metrics: UplinkMetrics(), seed: 1),
      spool: spool,
      limits: DeliveryLimits(spillAfterMilliseconds: 50, drainRecordsPerSecond: 1))
  }

  /// Whether the spool takes nothing for want of space.
  var isFull: Bool {
    switch delivery.spool {
    case .some(let spool): return spool.isReady && spool.isFull
    case .none: return false
    }
  }

  /// Bytes of the log.
  var usedBytes: UInt64 {
    switch delivery.spool {
    case .some(let spool): return spool.isReady ? spool.usedBytes : 0
    case .none: return 0
    }
  }

  func submit(_ batch: BatchID) {
    toSubmit.append(batch)
    world.ring(port.doorbell)
  }

  func turn() {
    port.wait(until: isStarted ? delivery.nextDeadline : Instant(nanoseconds: 0))
    let now = port.now
    if !isStarted {
      isStarted = true
      delivery.uplink?.start(at: now, operations: &operations)
      delivery.start(at: now, operations: &operations)
    }
    while let completion = port.next() {
      switch completion.token.owner {
      case 5: delivery.handle(completion, at: now, operations: &operations)
      case 6: delivery.handleSpool(completion, at: now, operations: &operations)
      default: break
      }
    }
    if let (lane, batch) = submitWhenReady, delivery.uplink?.isReady(lane) == true {
      submitWhenReady = nil
      toSubmit.append(batch)
    }
    for batch in toSubmit { delivery.submit(batch, at: now) }
    toSubmit.removeAll()
    delivery.advance(to: now, operations: &operations)
    delivery.flush(at: now, operations: &operations)
    while let progress = delivery.nextProgress {
      switch progress.kind {
      case .complete: completed.insert(progress.batch)
      case .refused: refusedRecords[progress.batch, default: 0] += 1
      default: break
      }
      delivery.removeNextProgress()
    }
    port.submit(&operations)
  }
}
