import Bytes
import IOPort
import Simulator

/// Answers every connection with the bytes it sent, like a well-behaved server: it reads no faster
/// than it can answer, asks again when buffers or descriptors run out, closes what ends.
final class EchoServer: SimulatedLoop {
  private struct Connection: ~Copyable {
    let descriptor: Descriptor
    var outbox = Outbox()
    var peerEnded = false
    var isClosing = false
    /// Whether a receive is under way.
    var isReceiving = false

    init(descriptor: Descriptor) { self.descriptor = descriptor }
  }

  private enum Verb {
    static let accept: UInt8 = 1
    static let receive: UInt8 = 2
    static let send: UInt8 = 3
    static let close: UInt8 = 4
  }

  var port: SimulatedPort
  let portID: NodeID
  private var operations = OperationQueue()
  private var connections = SlotTable<Connection>(capacity: 256)
  private let listener: Descriptor
  var echoedBytes = 0
  var openConnections: Int { connections.count }
  /// Bytes that wait to be answered above which a connection is not read.
  private let highWater = 8_192

  init(_ world: SimulatedWorld, host: UInt32, port number: UInt16, limits: SimulatedPortLimits)
    throws
  {
    port = world.makePort(host: host, limits: limits)
    portID = port.id
    listener = try port.listen(on: SocketAddress(ipv4: 0, port: number)).descriptor
    operations.append(.accept(listener), token: Token(owner: 1, verb: Verb.accept))
  }

  func turn() {
    while let completion = port.next() { handle(completion) }
    for index in 0..<connections.upperBound {
      if let id = connections.tenant(at: index) { flush(id) }
    }
    port.submit(&operations)
    port.wait(until: .distantFuture)
  }

  private func handle(_ completion: consuming Completion) {
    let id = completion.token.slot
    switch consume completion.event {
    case .accepted(let descriptor, _):
      let id = connections.insert(Connection(descriptor: descriptor))
      receive(id)
    case .acceptEnded:
      operations.append(.accept(listener), token: Token(owner: 1, verb: Verb.accept))
    case .received(let received):
      echo(received, to: id)
      if connections[id].outbox.pendingBytes > highWater, connections[id].isReceiving {
        operations.append(
          .cancel(Token(owner: 1, verb: Verb.receive, slot: id)), token: Token(rawValue: 0))
      }
    case .receiveEnded(let error):
      connections[id].isReceiving = false
      if error == nil {
        connections[id].peerEnded = true
      } else if error?.kind == .connectionReset {
        close(id)
      }
    case .sent(let count):
      connections[id].outbox.sent(count)
    case .sendFailed:
      close(id)
    case .closed:
      _ = connections.remove(id)
    case .connected: break
    case .connectFailed: break
    case .queueMeasured: break
    case .rung: break
    case .file: break
    }
  }

  private func echo(_ received: consuming ReceivedBytes, to id: SlotID) {
    if !connections[id].isClosing { connections[id].outbox.append(received.bytes) }
    echoedBytes += received.count
    operations.recycle(received)
  }

  private func flush(_ id: SlotID) {
    guard !connections[id].isClosing else { return }
    let token = Token(owner: 1, verb: Verb.send, slot: id)
    connections[id].outbox.flush(
      to: connections[id].descriptor, token: token, operations: &operations)
    if connections[id].peerEnded {
      if connections[id].outbox.isEmpty { close(id) }
    } else if !connections[id].isReceiving, connections[id].outbox.pendingBytes <= highWater {
      receive(id)
    }
  }

  private func receive(_ id: SlotID) {
    connections[id].isReceiving = true
    operations.append(
      .receive(connections[id].descriptor), token: Token(owner: 1, verb: Verb.receive, slot: id))
  }

  private func close(_ id: SlotID) {
    guard !connections[id].isClosing else { return }
    connections[id].isClosing = true
    operations.append(
      .close(connections[id].descriptor), token: Token(owner: 1, verb: Verb.close, slot: id))
  }
}

/// Sends a known sequence of bytes, checks that the echo is the same sequence, and starts over with
/// a new connection whenever one breaks or answers nothing for too long.
final class EchoClient: SimulatedLoop {
  private enum Verb {
    static let connect: UInt8 = 1
    static let receive: UInt8 = 2
    static let send: UInt8 = 3
    static let close: UInt8 = 4
  }

  var port: SimulatedPort
  let portID: NodeID
  private let server: SocketAddress
  private let wantedBytes: Int
  private var operations = OperationQueue()
  private var random: SplitMix64
  private var descriptor: Descriptor?
  private var outbox = Outbox()
  private var attempt: UInt32 = 0
  private var sentBytes = 0
  private var receivedBytes = 0
  private var hasFinished = false
  private var isClosing = false
  private var isConnecting = false
  private var retryAt: Instant
  private var silentUntil = Instant.distantFuture
  /// Rounds in which the whole sequence came back.
  private(set) var completeRounds = 0
  /// Connections that broke or were given up.
  private(set) var brokenConnections = 0
  /// Bytes that were not the expected ones; any is a fault of the simulator.
  private(set) var wrongBytes = 0

  init(_ world: SimulatedWorld, host: UInt32, server: SocketAddress, bytes: Int, seed: UInt64) {
    port = world.makePort(host: host)
    portID = port.id
    self.server = server
    wantedBytes = bytes
    random = SplitMix64(seed: seed)
    retryAt = world.now
  }

  /// Byte `index` of attempt `attempt`.
  private func expected(_ index: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: index &* 31 &+ index >> 8 &+ Int(attempt) &* 7)
  }

  private func token(_ verb: UInt8) -> Token {
    Token(owner: 2, verb: verb, slot: SlotID(index: attempt, generation: 0))
  }

  func turn() {
    port.wait(until: min(retryAt, silentUntil))
    while let completion = port.next() { handle(completion) }
    advance()
    port.submit(&operations)
  }

  private func advance() {
    if port.now >= retryAt, !isConnecting, descriptor == nil {
      retryAt = .distantFuture
      attempt += 1
      isConnecting = true
      operations.append(.connect(server), token: token(Verb.connect))
      silentUntil = port.now.advanced(milliseconds: 5_000)
    }
    if port.now >= silentUntil {
      silentUntil = .distantFuture
      if isConnecting {
        operations.append(.cancel(token(Verb.connect)), token: Token(rawValue: 0))
      } else {
        breakOff()
      }
    }
    guard let descriptor, !isClosing else { return }
    while sentBytes < wantedBytes, outbox.pendingBytes < 4_096 {
      let count = min(Int.random(in: 1...700, using: &random), wantedBytes - sentBytes)
      outbox.write { queue in
        for index in sentBytes..<sentBytes + count { queue.append(expected(index)) }
      }
      sentBytes += count
    }
    outbox.flush(to: descriptor, token: token(Verb.send), operations: &operations)
    if sentBytes == wantedBytes, outbox.isEmpty, !hasFinished {
      hasFinished = true
      operations.append(.shutdownWrites(descriptor), token: Token(rawValue: 0))
    }
  }

  private func handle(_ completion: consuming Completion) {
    precondition(completion.token.slot.index == attempt, "a completion after `closed`")
    if !isClosing { silentUntil = port.now.advanced(milliseconds: 5_000) }
    switch consume completion.event {
    case .connected(let descriptor):
      isConnecting = false
      self.descriptor = descriptor
      operations.append(.receive(descriptor), token: token(Verb.receive))
    case .connectFailed:
      isConnecting = false
      silentUntil = .distantFuture
      retryAt = port.now.advanced(milliseconds: 20)
    case .received(let received):
      take(received)
    case .receiveEnded(let error):
      receiveEnded(error)
    case .sent(let count): outbox.sent(count)
    case .sendFailed: breakOff()
    case .closed: startOver()
    case .accepted: break
    case .acceptEnded: break
    case .queueMeasured: break
    case .rung: break
    case .file: break
    }
  }

  private func receiveEnded(_ error: IOError?) {
    guard !isClosing, let descriptor else { return }
    if error?.kind == .resourcesExhausted {
      operations.append(.receive(descriptor), token: token(Verb.receive))
    } else {
      breakOff()
    }
  }

  private func take(_ received: consuming ReceivedBytes) {
    check(received.bytes)
    operations.recycle(received)
  }

  private func check(_ bytes: RawSpan) {
    bytes.withUnsafeBytes { buffer in
      for byte in buffer {
        if byte != expected(receivedBytes) { wrongBytes += 1 }
        receivedBytes += 1
      }
    }
    if receivedBytes > sentBytes { wrongBytes += 1 }
  }

  private func breakOff() {
    guard let descriptor, !isClosing else { return }
    isClosing = true
    silentUntil = .distantFuture
    operations.append(.close(descriptor), token: token(Verb.close))
  }

  private func startOver() {
    if receivedBytes == wantedBytes { completeRounds += 1 } else { brokenConnections += 1 }
    descriptor = nil
    outbox.reset()
    (sentBytes, receivedBytes) = (0, 0)
    (hasFinished, isClosing) = (false, false)
    retryAt = port.now.advanced(milliseconds: 5)
  }
}
