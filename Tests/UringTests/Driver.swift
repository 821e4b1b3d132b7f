import Bytes
import IOPort
import Testing

@testable import Uring

/// What a completion told, in a form that can be kept and compared.
enum Seen: Equatable {
  case accepted(Descriptor)
  case acceptEnded(IOError.Kind)
  case connected(Descriptor)
  case connectFailed(IOError.Kind)
  case received(Int)
  case receiveEnded(IOError.Kind?)
  case sent(Int)
  case sendFailed(IOError.Kind)
  case queueMeasured(Int)
  case closed
  case rung
  case file
}

/// A port with a queue, and a log of what completed.
struct Driver: ~Copyable {
  var port: Uring
  var queue = OperationQueue()
  /// Every completion, in order.
  var log: [(token: Token, seen: Seen)] = []
  /// Bytes received, by token.
  var received: [Token: [UInt8]] = [:]
  /// Peers of the accepted connections.
  var peers: [SocketAddress] = []
  /// With this set, received buffers are kept instead of given back.
  var keepsBuffers = false
  var keptBuffers: [UInt32] = []
  let deadline: Instant

  init(limits: UringLimits = UringLimits(), modes: [UInt32] = KernelRing.modes) throws {
    port = try Uring(limits: limits, modes: modes)
    deadline = port.now.advanced(milliseconds: 20_000)
  }

  /// Hands over what is queued, waits once, and logs what completed. Answers what is new.
  @discardableResult
  mutating func turn(
    milliseconds: Int = 1_000, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> [(token: Token, seen: Seen)] {
    // A time limit can't stop a test that waits in the kernel.
    try #require(
      port.now < deadline, "nothing more happens; seen: \(log.suffix(20))",
      sourceLocation: sourceLocation)
    port.submit(&queue)
    port.wait(until: port.now.advanced(milliseconds: milliseconds))
    let before = log.count
    while let completion = port.next() { note(completion) }
    return Array(log[before...])
  }

  private mutating func note(_ completion: consuming Completion) {
    let token = completion.token
    switch consume completion.event {
    case .accepted(let descriptor, let peer):
      peers.append(peer)
      log.append((token, .accepted(descriptor)))
    case .acceptEnded(let error): log.append((token, .acceptEnded(error.kind)))
    case .connected(let descriptor): log.append((token, .connected(descriptor)))
    case .connectFailed(let error): log.append((token, .connectFailed(error.kind)))
    case .received(let bytes):
      log.append((token, .received(bytes.count)))
      keep(bytes, token: token)
    case .receiveEnded(let error): log.append((token, .receiveEnded(error?.kind)))
    case .sent(let count): log.append((token, .sent(count)))
    case .sendFailed(let error): log.append((token, .sendFailed(error.kind)))
    case .queueMeasured(let count): log.append((token, .queueMeasured(count)))
    case .closed: log.append((token, .closed))
    case .rung: log.append((token, .rung))
    case .file: log.append((token, .file))
    }
  }

  private mutating func keep(_ bytes: consuming ReceivedBytes, token: Token) {
    received[token, default: []].append(contentsOf: array(of: bytes))
    if keepsBuffers { keptBuffers.append(bytes.bufferIndex) } else { queue.recycle(bytes) }
  }

  /// Turns until `condition` holds for the log; fails at the deadline.
  mutating func run(
    _ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation,
    until condition: ([(token: Token, seen: Seen)]) -> Bool
  ) throws {
    while !condition(log) {
      try #require(
        port.now < deadline, "\(comment); seen: \(log.suffix(20))", sourceLocation: sourceLocation)
      try turn(sourceLocation: sourceLocation)
    }
  }

  /// Everything seen under a token.
  func seen(_ token: Token) -> [Seen] { log.filter { $0.token == token }.map(\.seen) }

  /// Asks for one send of slices of `memory`, `sliceBytes` each.
  mutating func send(
    _ memory: UnsafeRawBufferPointer, on descriptor: Descriptor, token: Token,
    sliceBytes: Int = .max
  ) {
    let first = queue.beginSend()
    var offset = 0
    while offset < memory.count {
      let count = min(sliceBytes, memory.count - offset)
      queue.appendSlice(MemorySlice(baseAddress: memory.baseAddress! + offset, count: count))
      offset += count
    }
    queue.endSend(on: descriptor, from: first, token: token)
  }

  /// Two connected sockets: ours from the connect, and the accepted one. The accept goes on.
  mutating func connectedPair(
    accept: Token = Tokens.accept, connect: Token = Tokens.connect
  ) throws -> (near: Descriptor, far: Descriptor, listener: Descriptor) {
    let listener = try port.listen(on: .loopback(port: 0))
    queue.append(.accept(listener.descriptor), token: accept)
    queue.append(.connect(listener.bound), token: connect)
    var near: Descriptor?
    var far: Descriptor?
    try run("a connection comes about") { log in
      for entry in log {
        if case .accepted(let descriptor) = entry.seen { far = descriptor }
        if case .connected(let descriptor) = entry.seen { near = descriptor }
      }
      return near != nil && far != nil
    }
    return (try #require(near), try #require(far), listener.descriptor)
  }
}

/// Tokens of the tests, told apart by their verb.
enum Tokens {
  static let accept = Token(owner: 1, verb: 1)
  static let connect = Token(owner: 1, verb: 2)
  static let receive = Token(owner: 1, verb: 3)
  static let send = Token(owner: 1, verb: 4)
  static let close = Token(owner: 1, verb: 5)
  static let other = Token(owner: 1, verb: 6)
  static let none = Token(rawValue: 0)
}

private func array(of received: borrowing ReceivedBytes) -> [UInt8] {
  received.bytes.withUnsafeBytes { Array($0) }
}

/// Bytes that differ from place to place.
func pattern(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
  var random = SplitMix64(seed: seed)
  return (0..<(count + 7) / 8).flatMap { _ in
    withUnsafeBytes(of: random.next()) { Array($0) }
  }.prefix(count).map { $0 }
}
