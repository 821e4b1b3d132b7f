import IOPort

/// What a ``ScriptedBroker`` does its input and output with: a port into a ``SimulatedWorld``, or
/// one of the kernel's.
protocol BrokerPort: AnyObject {
  var now: Instant { get }
  func listen(
    on address: SocketAddress
  ) throws(IOError) -> (descriptor: Descriptor, bound: SocketAddress)
  func submit(_ operations: inout OperationQueue)
  func wait(until deadline: Instant)
  func next() -> Completion?
  /// Lets the loop turn soon, whoever drives it.
  func wake()
}

/// A port of any kind as a ``BrokerPort``.
final class OwnedPort<Port: IOPort & ~Copyable>: BrokerPort {
  private var port: Port
  private let onWake: () -> Void

  init(_ port: consuming Port, onWake: @escaping () -> Void) {
    self.port = port
    self.onWake = onWake
  }

  var now: Instant { port.now }

  func listen(
    on address: SocketAddress
  ) throws(IOError) -> (descriptor: Descriptor, bound: SocketAddress) {
    try port.listen(on: address)
  }

  func submit(_ operations: inout OperationQueue) { port.submit(&operations) }

  func wait(until deadline: Instant) { port.wait(until: deadline) }

  func next() -> Completion? { port.next() }

  func wake() { onWake() }
}
