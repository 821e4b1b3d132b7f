import IOPort

/// Something that happens in a world at a time.
enum Event {
  /// The kernel looks at what an end wants to send.
  case take(Endpoint)
  /// The oldest packet that an end sent reaches the other end.
  case arrive(from: Endpoint)
  /// The other end has read so many bytes: there is room for more.
  case window(Endpoint, bytes: Int)
  /// The kernel looks whether an end has something to receive.
  case pump(Endpoint)
  /// An end learns that its connection is reset.
  case reset(Endpoint)
  /// A silent connection is reset at last.
  case cutEnds(SimulatedConnection)
  /// A connect's first packet leaves.
  case attempt(ConnectRequest)
  /// A connect's first packet arrives.
  case knock(ConnectRequest)
  /// The answer to a connect is back.
  case answer(ConnectRequest, IOError?)
  /// The kernel looks whether a listener has something to accept.
  case accept(SimulatedSocket)
  /// A close takes effect.
  case close(SimulatedSocket)
  /// Somebody rings a node's doorbell.
  case ring(SimulatedNode)
  /// Work on a file takes effect.
  case disk(DiskRequest)
  /// A file's close takes effect, when nothing is under way on it.
  case closeFile(OpenFile, SimulatedNode)
  /// A test's own action.
  case script(() -> Void)

  /// The case's number and who it concerns, for the trace.
  var trace: (kind: UInt64, subject: UInt64) {
    switch self {
    case .take(let endpoint): (1, endpoint.traceID)
    case .arrive(let endpoint): (2, endpoint.traceID)
    case .window(let endpoint, let bytes): (3, endpoint.traceID ^ UInt64(bytes) << 32)
    case .pump(let endpoint): (4, endpoint.traceID)
    case .reset(let endpoint): (5, endpoint.traceID)
    case .cutEnds(let connection): (6, UInt64(connection.id))
    case .attempt(let request): (7, UInt64(request.id))
    case .knock(let request): (8, UInt64(request.id))
    case .answer(let request, let error): (9, UInt64(request.id) << 8 | (error == nil ? 0 : 1))
    case .accept(let socket): (10, UInt64(socket.descriptor.rawValue))
    case .close(let socket): (11, UInt64(socket.descriptor.rawValue))
    case .ring(let node): (12, UInt64(node.id.rawValue))
    case .script: (13, 0)
    case .disk(let request): (14, request.token.rawValue)
    case .closeFile(let file, _): (15, UInt64(file.descriptor.rawValue))
    }
  }
}

/// Events by time; those of one time in the order they were asked for. O(log n).
struct EventQueue {
  private var heap: [(at: Instant, sequence: UInt64, event: Event)] = []
  private var sequence: UInt64 = 0

  /// When the next event is, nil when there is none.
  var nextInstant: Instant? { heap.first?.at }

  mutating func schedule(_ event: Event, at instant: Instant) {
    sequence += 1
    heap.append((instant, sequence, event))
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      if !precedes(child, parent) { break }
      heap.swapAt(parent, child)
      child = parent
    }
  }

  mutating func popFirst() -> (at: Instant, event: Event)? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      var parent = 0
      while true {
        var child = 2 * parent + 1
        guard child < heap.count else { break }
        if child + 1 < heap.count, precedes(child + 1, child) { child += 1 }
        if !precedes(child, parent) { break }
        heap.swapAt(parent, child)
        parent = child
      }
    }
    return (first.at, first.event)
  }

  private func precedes(_ left: Int, _ right: Int) -> Bool {
    heap[left].at != heap[right].at
      ? heap[left].at < heap[right].at : heap[left].sequence < heap[right].sequence
  }
}
