import Bytes
import Glibc
import IOPort

/// A port into a ``SimulatedWorld``.
///
/// It keeps to the letter of `Operation` and `Completion`, and stops the process when its owner
/// does not: a second send, receive or accept on a descriptor, a buffer given back twice, an
/// operation on a descriptor that is closed, memory changed under a send.
///
/// `wait` does not wait: it notes the deadline, and the driver lets the loop turn again when there
/// is something.
public struct SimulatedPort: IOPort, ~Copyable {
  /// The token of `rung`.
  public static let doorbellToken = Token(rawValue: 0)
  /// Looks at nothing, without a time to wait, after which a loop counts as spinning.
  private static let idleLookLimit = 100_000

  let world: SimulatedWorld
  let node: SimulatedNode

  /// The port's name in its world.
  public var id: NodeID { node.id }

  /// Receive buffers that the port's owner has not given back.
  public var lentBufferCount: Int { node.lentBufferCount }

  /// Descriptors that are open.
  public var openDescriptorCount: Int { node.descriptorCount }

  /// The monotonic clock, as of the last `wait`.
  public var now: Instant { node.now }

  /// The time of day, Unix milliseconds, as of the last `wait`.
  public var unixMilliseconds: UInt64 { node.unixMilliseconds }

  /// Since the start of the world; a start of a machine takes none of its time.
  public var bootMilliseconds: UInt64 { node.now.nanoseconds / 1_000_000 }

  /// Whether the kernel calls the time of day synchronised, as of now.
  public var isClockSynchronised: Bool { world.isClockSynchronised }

  /// What was done so far. A turn takes no time of the world, all of it passes in waits.
  public var statistics: PortStatistics {
    var statistics = PortStatistics()
    statistics.waitedNanoseconds = node.waitedNanoseconds
    statistics.receiveBuffers = node.limits.receiveBufferCount
    statistics.receiveBufferLimit = node.limits.receiveBufferCount
    return statistics
  }

  /// What other ports of the world ring to wake this one's loop.
  public var doorbell: Doorbell { Doorbell(rawValue: Int32(node.id.rawValue)) }

  /// Opens a listening socket on the host's address, on loopback, or on all.
  public mutating func listen(
    on address: SocketAddress
  ) throws(IOError) -> (descriptor: Descriptor, bound: SocketAddress) {
    guard !node.isDead else { throw IOError(.other) }
    let (descriptor, bound) = try world.listen(on: address, node: node)
    return (descriptor, bound)
  }

  /// Takes every operation and empties the queue. The kernel acts on them a little later.
  public mutating func submit(_ operations: inout OperationQueue) {
    defer { operations.removeAll() }
    guard !node.isDead else { return }
    for (token, operation) in operations.entries {
      if case .file(let work) = operation {
        submit(work, token: token, slices: operations.slices, names: operations.names)
      } else {
        submit(operation, token: token, slices: operations.slices)
      }
    }
  }

  /// Notes until when the loop waits, and reads the clocks.
  public mutating func wait(until deadline: Instant) {
    node.now = world.now
    node.unixMilliseconds = world.unixMilliseconds
    node.deadline = deadline
    node.isSettled = !node.hasCompletions && deadline > world.now
    if node.hasCompletions || deadline > world.now {
      node.idleLooks = 0
    } else {
      node.idleLooks += 1
      if node.idleLooks > Self.idleLookLimit { world.violation("the loop spins", by: node) }
    }
  }

  /// The next completion, nil when there is none now.
  public mutating func next() -> Completion? {
    guard !node.isDead, let (token, event) = node.takeCompletion() else { return nil }
    let result: Completion.Event
    switch event {
    case .accepted(let descriptor, let peer): result = .accepted(descriptor, peer: peer)
    case .acceptEnded(let error): result = .acceptEnded(error)
    case .connected(let descriptor): result = .connected(descriptor)
    case .connectFailed(let error): result = .connectFailed(error)
    case .received(let buffer, let count):
      node.lentBufferCount += 1
      result = .received(node.received(buffer: buffer, count: count))
    case .receiveEnded(let error): result = .receiveEnded(error)
    case .sent(let count): result = .sent(count)
    case .sendFailed(let error): result = .sendFailed(error)
    case .queueMeasured(let count): result = .queueMeasured(count)
    case .closed: result = .closed
    case .rung:
      node.isRung = false
      result = .rung
    case .file(let event): result = .file(event)
    }
    return Completion(token: token, event: result)
  }

  // MARK: Operations

  private func submit(_ operation: Operation, token: Token, slices: [MemorySlice]) {
    switch operation {
    case .accept(let descriptor):
      let socket = socket(descriptor)
      check(socket.listening != nil, "an accept on a connection")
      check(socket.acceptToken == nil, "a second accept on a descriptor")
      socket.acceptToken = token
      world.scheduleSoon(.accept(socket))
    case .connect(let address):
      world.connect(to: address, token: token, node: node)
    case .receive(let descriptor):
      let (socket, endpoint) = connection(descriptor)
      check(socket.receiveToken == nil, "a second receive on a descriptor")
      socket.receiveToken = token
      world.scheduleSoon(.pump(endpoint))
    case .cancel(let target):
      cancel(target)
    case .send(let descriptor, let first, let count):
      let (socket, endpoint) = connection(descriptor)
      check(socket.send == nil, "a second send on a descriptor")
      check(count > 0 && Int(first) + Int(count) <= slices.count, "a send of slices not named")
      let send = SendRequest(
        token: token, slices: Array(slices[Int(first)..<Int(first + count)]))
      check(send.copy.count > 0, "a send of no bytes")
      check(count <= 1_024, "a send of more slices than a kernel takes")
      socket.send = send
      world.scheduleSoon(.take(endpoint))
    case .shutdownWrites(let descriptor):
      world.shutdownWrites(connection(descriptor).0)
    case .close(let descriptor):
      if let file = node.openFiles[descriptor.rawValue] {
        check(file.closeToken == nil, "a second close of a descriptor")
        file.closeToken = token
        world.scheduleSoon(.closeFile(file, node))
        return
      }
      let socket = socket(descriptor)
      check(socket.closeToken == nil, "a second close of a descriptor")
      socket.closeToken = token
      world.scheduleSoon(.close(socket))
    case .measureQueue(let descriptor):
      let endpoint = connection(descriptor).1
      world.post(.queueMeasured(endpoint.unacknowledged), token: token, to: node)
    case .ring(let doorbell):
      world.ring(doorbell)
    case .recycle(let bufferIndex):
      check(node.takeBack(buffer: Int(bufferIndex)), "a buffer given back that was not lent")
      node.lentBufferCount -= 1
    case .file: break
    }
  }

  /// Ends the one operation that has a token, if it is still under way.
  private func cancel(_ target: Token) {
    let cancelled = IOError(.cancelled, code: ECANCELED)
    var found = 0
    for request in node.connects where request.token == target {
      found += 1
      request.isCancelled = true
      world.post(.connectFailed(cancelled), token: target, to: node)
    }
    node.connects.removeAll { $0.isCancelled }
    for socket in node.sockets.values {
      if socket.acceptToken == target {
        found += 1
        world.endAccept(of: socket, cancelled)
      }
      if socket.receiveToken == target {
        found += 1
        world.endReceive(of: socket, cancelled)
      }
      if let send = socket.send, send.token == target {
        found += 1
        world.endSend(of: socket, .sendFailed(cancelled))
      }
    }
    check(found < 2, "a cancel of two operations: tokens under way must differ")
  }

  private func socket(_ descriptor: Descriptor) -> SimulatedSocket {
    guard let socket = node.sockets[descriptor.rawValue] else {
      world.violation("descriptor \(descriptor.rawValue) is not open", by: node)
    }
    return socket
  }

  private func connection(_ descriptor: Descriptor) -> (SimulatedSocket, Endpoint) {
    let socket = socket(descriptor)
    guard let endpoint = socket.endpoint else {
      world.violation("descriptor \(descriptor.rawValue) is no connection", by: node)
    }
    return (socket, endpoint)
  }

  func check(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { world.violation(message(), by: node) }
  }
}
