import Bytes
import IOPort
import Simulator

/// A completion as something that tests can compare.
enum Seen: Equatable {
  case accepted(Descriptor, SocketAddress)
  case acceptEnded(IOError.Kind)
  case connected(Descriptor)
  case connectFailed(IOError.Kind)
  case received([UInt8])
  case receiveEnded(IOError.Kind?)
  case sent(Int)
  case sendFailed(IOError.Kind)
  case closed
  case rung
  case file
}

/// A loop that does nothing by itself: it notes what completes and hands in what a test asks for.
final class RecordingLoop: SimulatedLoop {
  var port: SimulatedPort
  var operations = OperationQueue()
  /// Everything that completed, with the verbs of the tokens.
  var seen: [(verb: UInt8, event: Seen)] = []
  /// Whether buffers go back at once; otherwise their numbers stay in `held`.
  var recycles = true
  var held: [UInt32] = []
  var deadline = Instant.distantFuture
  var turnInstants: [Instant] = []
  var rungTokens: [Token] = []
  /// Memory that sends name; it lives as long as the loop.
  private var memory: [UnsafeMutableRawBufferPointer] = []
  let portID: NodeID

  init(_ world: SimulatedWorld, host: UInt32, limits: SimulatedPortLimits = .init()) {
    port = world.makePort(host: host, limits: limits)
    portID = port.id
  }

  deinit {
    for block in memory { block.deallocate() }
  }

  var events: [Seen] { seen.map(\.event) }

  /// Bytes received so far, joined.
  var bytes: [UInt8] {
    var result: [UInt8] = []
    for case (_, .received(let bytes)) in seen { result += bytes }
    return result
  }

  func events(of verb: UInt8) -> [Seen] { seen.filter { $0.verb == verb }.map(\.event) }

  static func token(_ verb: UInt8) -> Token { Token(owner: 1, verb: verb) }

  func ask(_ operation: Operation, verb: UInt8) {
    operations.append(operation, token: Self.token(verb))
    port.submit(&operations)
  }

  /// Sends bytes in up to `slices` slices and returns their memory.
  @discardableResult
  func send(
    _ bytes: [UInt8], on descriptor: Descriptor, verb: UInt8, slices: Int = 1
  ) -> UnsafeMutableRawBufferPointer {
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
    block.copyBytes(from: bytes)
    memory.append(block)
    let first = operations.beginSend()
    let step = (bytes.count + slices - 1) / slices
    for start in stride(from: 0, to: bytes.count, by: step) {
      guard let base = block.baseAddress else { continue }
      operations.appendSlice(
        MemorySlice(baseAddress: base + start, count: min(step, bytes.count - start)))
    }
    operations.endSend(on: descriptor, from: first, token: Self.token(verb))
    port.submit(&operations)
    return block
  }

  func turn() {
    port.wait(until: deadline)
    turnInstants.append(port.now)
    if deadline <= port.now { deadline = .distantFuture }
    while let completion = port.next() { note(completion) }
    port.submit(&operations)
  }

  private func take(_ received: consuming ReceivedBytes) -> [UInt8] {
    let bytes = copy(received.bytes)
    if recycles { operations.recycle(received) } else { held.append(received.bufferIndex) }
    return bytes
  }

  private func note(_ completion: consuming Completion) {
    let token = completion.token
    let event: Seen
    switch consume completion.event {
    case .accepted(let descriptor, let peer): event = .accepted(descriptor, peer)
    case .acceptEnded(let error): event = .acceptEnded(error.kind)
    case .connected(let descriptor): event = .connected(descriptor)
    case .connectFailed(let error): event = .connectFailed(error.kind)
    case .received(let received):
      event = .received(take(received))
    case .receiveEnded(let error): event = .receiveEnded(error?.kind)
    case .sent(let count): event = .sent(count)
    case .sendFailed(let error): event = .sendFailed(error.kind)
    case .queueMeasured: return
    case .closed: event = .closed
    case .file: event = .file
    case .rung:
      event = .rung
      rungTokens.append(token)
    }
    seen.append((token.verb, event))
  }
}

/// The bytes of a span as an array.
func copy(_ bytes: RawSpan) -> [UInt8] { bytes.withUnsafeBytes { Array($0) } }
