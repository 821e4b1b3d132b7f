import Bytes
import IOPort
import LocalBroker
import Metrics
import Records
import Simulator

/// A broker on a simulated port.
final class BrokerLoop: SimulatedLoop {
  static let host: UInt32 = 0x0a00_0001

  var port: SimulatedPort
  let portID: NodeID
  let metrics: LocalBrokerMetrics
  let address: SocketAddress
  private(set) var broker: LocalBroker
  private var operations = OperationQueue()

  init(
    _ world: SimulatedWorld, limits: LocalBrokerLimits = LocalBrokerLimits(),
    configuration: LocalBrokerConfiguration = LocalBrokerConfiguration(),
    lanes: [String] = ["/default/lane"], seed: UInt64 = 7
  ) throws {
    port = world.makePort(host: Self.host)
    portID = port.id
    metrics = LocalBrokerMetrics(registry: MetricsRegistry())
    broker = LocalBroker(
      owner: 3, limits: limits, configuration: configuration, metrics: metrics, seed: seed)
    let listening = try port.listen(on: SocketAddress(ipv4: Self.host, port: 6650))
    address = listening.bound
    for lane in lanes { addLane(lane) }
    broker.start(
      listener: listening.descriptor, bound: listening.bound, operations: &operations)
  }

  func turn() {
    let now = port.now
    while let completion = port.next() {
      precondition(completion.token.owner == 3)
      broker.handle(completion, at: now, operations: &operations)
    }
    broker.advance(to: now, operations: &operations)
    broker.flush(at: now, operations: &operations)
    port.submit(&operations)
    port.wait(until: broker.nextDeadline)
  }

  func addLane(_ topic: String, isReliable: Bool = true) {
    broker.addLane(
      LaneDescription(
        topic: Array(topic.utf8), producerName: Array("edge".utf8), isReliable: isReliable))
  }

  /// Appends a record in process, as the delivery loop does; false when it is refused.
  @discardableResult
  func append(lane: UInt32 = 0, body: [UInt8]) -> Bool {
    defer { turn() }
    return broker.append(lane: LaneID(rawValue: lane), body: body.rawBytes)
  }

  func append(_ batch: BatchID, from store: BatchStore) -> Bool {
    defer { turn() }
    return broker.append(batch, from: store, at: port.now)
  }

  /// All notices, the newest first.
  func takeNotices() -> [LocalBrokerNotice] {
    var notices: [LocalBrokerNotice] = []
    while let notice = broker.nextNotice() { notices.append(notice) }
    return notices
  }

  var isBrokerStopped: Bool { broker.isStopped }

  func beginStop() {
    broker.beginStop(at: port.now, operations: &operations)
    turn()
  }
}
