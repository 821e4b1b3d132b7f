import Bytes
import DanubeUplink
import Delivery
import IOPort
import LocalBroker
import Metrics
import Records
import Simulator
import Testing

@Suite("Delivery of lanes that come while it runs", .timeLimit(.minutes(1)))
struct DeliveryLanesTests {
  private static func lane(_ topic: String, isReliable: Bool = true) -> LaneDescription {
    LaneDescription(
      topic: Array(topic.utf8), producerName: Array("edge".utf8), isReliable: isReliable)
  }

  @Test("The embedded broker learns of lanes with the first batch of a new one")
  func embedded() throws {
    let bench = DeliveryBench(lanes: [Self.lane("/default/a")])
    let metrics = LocalBrokerMetrics(registry: MetricsRegistry())
    var delivery = Delivery(
      store: bench.store, lanes: bench.lanes,
      broker: LocalBroker(
        owner: 1, limits: LocalBrokerLimits(lanes: 4), configuration: LocalBrokerConfiguration(),
        metrics: metrics, seed: 1))
    let now = Instant(nanoseconds: 0)
    delivery.submit(try bench.batch(lane: 0, count: 2), at: now)
    // The second one is not used yet, and known all the same when the third one is.
    #expect(bench.lanes.append(Self.lane("/default/b")) != nil)
    #expect(bench.lanes.append(Self.lane("/default/c")) != nil)
    delivery.submit(try bench.batch(lane: 2, count: 3), at: now)
    delivery.submit(try bench.batch(lane: 1, count: 4), at: now)
    #expect(metrics.recordsAppended.value == 9)
    for _ in 0..<3 {
      #expect(delivery.nextProgress?.kind == .complete)
      delivery.removeNextProgress()
    }
    let rest = delivery.nextProgress
    #expect(rest == nil)
    let notice = delivery.nextNotice()
    #expect(notice == nil)
  }

  @Test("Records of a lane that the embedded broker refuses are refused one by one")
  func refused() throws {
    let bench = DeliveryBench(
      lanes: [Self.lane("/default/a"), Self.lane("/default/a", isReliable: false)])
    var delivery = Delivery(
      store: bench.store, lanes: bench.lanes,
      broker: LocalBroker(
        owner: 1, limits: LocalBrokerLimits(lanes: 4), configuration: LocalBrokerConfiguration(),
        metrics: LocalBrokerMetrics(registry: MetricsRegistry()), seed: 1))
    let batch = try bench.batch(lane: 1, count: 2)
    delivery.submit(batch, at: Instant(nanoseconds: 0))
    var told: [Progress] = []
    while let progress = delivery.nextProgress {
      told.append(progress)
      delivery.removeNextProgress()
    }
    let reason = UInt64(RefusalReason.invalidRequest.rawValue)
    #expect(
      told == [
        Progress(batch: batch, kind: .refused, word: 0, bits: reason),
        Progress(batch: batch, kind: .refused, word: 1, bits: reason),
        Progress(batch: batch, kind: .complete),
      ])
    #expect(delivery.nextNotice()?.kind == .laneRefused)
  }

  @Test("The uplink learns of lanes with the first batch of a new one")
  func uplink() throws {
    let world = SimulatedWorld(seed: 3)
    let driver = SimulationDriver(world)
    let broker = try ScriptedBroker(world, host: GatewayScene.brokerHost)
    let bench = DeliveryBench(lanes: [])
    let loop = UplinkDelivery(world, bench: bench, broker: broker.address)
    driver.add(broker)
    driver.add(loop)
    for number in 0..<20 {
      #expect(bench.lanes.append(Self.lane("/default/t\(number)")) != nil)
      loop.submit(try bench.batch(lane: UInt32(number), count: 5))
      driver.run(milliseconds: number % 3)
    }
    #expect(driver.run(milliseconds: 10_000) { loop.completed == 20 })
    for number in 0..<20 {
      let accepted = broker.accepted.filter { $0.topic == "/default/t\(number)" }
      #expect(accepted.map(\.payload) == (0..<5).map { [UInt8($0)] })
    }
  }
}

/// Batches and the table of lanes.
final class DeliveryBench {
  let store = BatchStore(
    limits: BatchLimits(), replay: ReplayLimits(batches: 8, memoryBytes: 8 << 20))
  let lanes: LaneTable

  init(lanes: [LaneDescription]) {
    self.lanes = LaneTable(capacity: 64)
    for lane in lanes { _ = self.lanes.append(lane) }
  }

  /// A sealed batch of records that are their numbers, with so many bytes behind that do not get
  /// smaller.
  func batch(lane: UInt32, count: Int, paddingBytes: Int = 0) throws -> BatchID {
    let id = LaneID(rawValue: lane)
    let batch = try #require(store.open(lane: id, bodyBytes: 100, expectedBytes: 64 << 10))
    var random = SplitMix64(seed: 1)
    let padding = (0..<paddingBytes).map { _ in UInt8.random(in: 0...255, using: &random) }
    let topic = lanes[id].topic
    var prefix = GrowableBytes()
    prefix.append(contentsOf: [0x12, UInt8(topic.count + 2), 0x12, UInt8(topic.count)] + topic)
    let none = GrowableBytes()
    for number in 0..<count {
      let payload = [UInt8(number)] + padding
      let pieces = RecordPieces(
        prefix: prefix.bytes, attributes: none.bytes, routingKey: none.bytes,
        payload: payload.span.bytes, publishTimeMilliseconds: 1, keyHash: 7, source: .none)
      _ = store.append(pieces, to: batch)
    }
    store.seal(batch)
    return batch
  }
}

/// A delivery side with an uplink on a simulated port.
private final class UplinkDelivery: SimulatedLoop {
  let portID: NodeID
  private(set) var completed = 0
  private let world: SimulatedWorld
  private var port: SimulatedPort
  private var delivery: Delivery
  private var operations = OperationQueue()
  private var toSubmit: [BatchID] = []
  private var isStarted = false

  init(_ world: SimulatedWorld, bench: DeliveryBench, broker: SocketAddress) {
    self.world = world
    port = world.makePort(host: GatewayScene.gatewayHost)
    portID = port.id
    let seed = ResolvedHost(host: broker.host, port: broker.port, addresses: [broker])
    delivery = Delivery(
      store: bench.store, lanes: bench.lanes,
      uplink: DanubeUplink(
        owner: 5, limits: UplinkLimits(), seeds: [seed], store: bench.store,
        metrics: UplinkMetrics(), seed: 1))
  }

  func submit(_ batch: BatchID) {
    toSubmit.append(batch)
    world.ring(port.doorbell)
  }

  func turn() {
    port.wait(until: isStarted ? delivery.nextDeadline : Instant(nanoseconds: 0))
    if !isStarted {
      isStarted = true
      delivery.uplink?.start(at: port.now, operations: &operations)
    }
    while let completion = port.next() {
      if completion.token.owner == 5 {
        delivery.handle(completion, at: port.now, operations: &operations)
      }
    }
    for batch in toSubmit { delivery.submit(batch, at: port.now) }
    toSubmit.removeAll()
    delivery.advance(to: port.now, operations: &operations)
    delivery.flush(at: port.now, operations: &operations)
    while let progress = delivery.nextProgress {
      if progress.kind == .complete { completed += 1 }
      delivery.removeNextProgress()
    }
    port.submit(&operations)
  }
}
