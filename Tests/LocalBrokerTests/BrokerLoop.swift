import Bytes
import IOPort
import JWT
import LocalBroker
import Metrics
import Records
import Simulator
import Spool

/// A broker on a simulated port.
final class BrokerLoop: SimulatedLoop {
  static let host: UInt32 = 0x0a00_0001

  var port: SimulatedPort
  let portID: NodeID
  let metrics: LocalBrokerMetrics
  let address: SocketAddress
  private(set) var broker: LocalBroker
  /// Batches of which it is known what became of them.
  private(set) var settled: [SettledBatch] = []
  private var operations = OperationQueue()

  init(
    _ world: SimulatedWorld, limits: LocalBrokerLimits = LocalBrokerLimits(),
    configuration: LocalBrokerConfiguration = LocalBrokerConfiguration(),
    lanes: [String] = ["/default/lane"], seed: UInt64 = 7, spool limitsOfSpool: SpoolLimits? = nil,
    tokens: TokenVerifier? = nil
  ) throws {
    var port = world.makePort(host: Self.host)
    portID = port.id
    metrics = LocalBrokerMetrics(registry: MetricsRegistry())
    if let limitsOfSpool {
      let directory = try port.openDirectory("spool")
      let spool = Spool(
        owner: 4, limits: limitsOfSpool, directory: directory,
        files: try port.files(in: directory), seed: seed &+ 1)
      broker = LocalBroker(
        owner: 3, limits: limits, configuration: configuration, metrics: metrics, seed: seed,
        spool: spool, tokens: tokens)
    } else {
      broker = LocalBroker(
        owner: 3, limits: limits, configuration: configuration, metrics: metrics, seed: seed,
        tokens: tokens)
    }
    let listening = try port.listen(on: SocketAddress(ipv4: Self.host, port: 6650))
    self.port = port
    address = listening.bound
    for lane in lanes { addLane(lane) }
    broker.start(
      listener: listening.descriptor, bound: listening.bound, operations: &operations)
  }

  /// Unix milliseconds minus those of the port's clock; nil: nobody asks.
  var wallOffset: Int64?
  /// Whether the clock is synchronised.
  var isClockTrusted = true

  private var clock: SpoolClock {
    guard let wallOffset else { return .unknown }
    return SpoolClock(
      bootMilliseconds: port.now.nanoseconds / 1_000_000, wallOffsetMilliseconds: wallOffset,
      bootID: 1, isTrusted: isClockTrusted)
  }

  func turn() {
    let now = port.now
    while let completion = port.next() {
      if completion.token.owner == 4 {
        broker.handleSpool(completion, at: now, operations: &operations)
      } else {
        precondition(completion.token.owner == 3)
        broker.handle(completion, at: now, operations: &operations)
      }
    }
    broker.advance(to: now, operations: &operations)
    broker.flush(at: now, clock: clock, operations: &operations)
    while let batch = broker.nextSettledBatch() { settled.append(batch) }
    port.submit(&operations)
    port.wait(until: broker.nextDeadline)
  }

  func addLane(_ topic: String, isReliable: Bool = true) {
    broker.addLane(
      LaneDescription(
        topic: Array(topic.utf8), producerName: Array("edge".utf8), isReliable: isReliable))
  }

  /// Whether records wait that the disk did not take.
  var isDiskStuck: Bool { broker.isDiskStuck }

  /// Refuses what waits for the disk.
  func refuseWaiting() { broker.refuseWaiting() }

  /// Appends a record in process, as the delivery loop does; false when it is refused.
  @discardableResult
  func append(lane: UInt32 = 0, body: [UInt8]) -> Bool {
    defer { turn() }
    return broker.append(lane: LaneID(rawValue: lane), body: body.rawBytes)
  }

  /// Gives the broker a batch; what became of it is in `settled`.
  func append(_ batch: BatchID, from store: BatchStore) {
    broker.append(batch, from: store, at: port.now)
    turn()
  }

  /// Sets a subscription back.
  func replay(_ topic: String, subscription: String, from sequence: UInt64) throws -> SpoolChange {
    defer { turn() }
    return try broker.replay(
      Array(topic.utf8), subscription: Array(subscription.utf8), from: sequence, at: port.now)
  }

  /// All notices, the newest first.
  func takeNotices() -> [LocalBrokerNotice] {
    var notices: [LocalBrokerNotice] = []
    while let notice = broker.nextNotice() { notices.append(notice) }
    return notices
  }

  /// Replaces what tells tokens.
  func updateTokens(_ verifier: TokenVerifier?) { broker.updateTokens(verifier) }

  var isBrokerStopped: Bool { broker.isStopped }

  func beginStop() {
    broker.beginStop(at: port.now, operations: &operations)
    turn()
  }
}
