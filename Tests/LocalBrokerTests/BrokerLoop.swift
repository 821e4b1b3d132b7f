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
    configuration: LocalBrokerConfiguration = LocalBrokerConfiguration(
      lanes: [Array("/default/lane".utf8)]), seed: UInt64 = 7
  ) throws {
    port = world.makePort(host: Self.host)
    portID = port.id
    metrics = LocalBrokerMetrics(registry: MetricsRegistry())
    broker = LocalBroker(
      owner: 3, limits: limits, configuration: configuration, metrics: metrics, seed: seed)
    let listening = try port.listen(on: SocketAddress(ipv4: Self.host, port: 6650))
    address = listening.bound
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

  /// Appends a record in process, as the delivery loop does.
  func append(lane: UInt32 = 0, body: [UInt8]) {
    broker.append(lane: LaneID(rawValue: lane), body: body.rawBytes)
    turn()
  }

  func append(_ batch: BatchID, from store: BatchStore) {
    broker.append(batch, from: store, at: port.now)
    turn()
  }

  var isBrokerStopped: Bool { broker.isStopped }

  func beginStop() {
    broker.beginStop(at: port.now, operations: &operations)
    turn()
  }
}
