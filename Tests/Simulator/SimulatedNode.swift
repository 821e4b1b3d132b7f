import Bytes
import IOPort

/// Names a port of a world.
public struct NodeID: Hashable, Sendable, Comparable {
  /// Counted from 0 in the order the ports were made.
  public let rawValue: Int

  /// The port made as number `rawValue`, counted from 0.
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// Made earlier than.
  public static func < (left: NodeID, right: NodeID) -> Bool { left.rawValue < right.rawValue }
}

/// A completion in a form that arrays can hold.
enum PendingEvent {
  case accepted(Descriptor, SocketAddress)
  case acceptEnded(IOError)
  case connected(Descriptor)
  case connectFailed(IOError)
  case received(buffer: Int, count: Int)
  case receiveEnded(IOError?)
  case sent(Int)
  case sendFailed(IOError)
  case queueMeasured(Int)
  case closed
  case rung
  case file(FileEvent)

  /// The case's number and what it carries, for the trace.
  var trace: (kind: UInt64, value: UInt64) {
    switch self {
    case .accepted(let descriptor, _): (32, UInt64(descriptor.rawValue))
    case .acceptEnded(let error): (33, UInt64(error.kind.rawValue))
    case .connected(let descriptor): (34, UInt64(descriptor.rawValue))
    case .connectFailed(let error): (35, UInt64(error.kind.rawValue))
    case .received(_, let count): (36, UInt64(count))
    case .receiveEnded(let error): (37, error.map { UInt64($0.kind.rawValue) } ?? 255)
    case .sent(let count): (38, UInt64(count))
    case .sendFailed(let error): (39, UInt64(error.kind.rawValue))
    case .closed: (40, 0)
    case .rung: (41, 0)
    case .queueMeasured(let count): (46, UInt64(count))
    case .file(.opened(let descriptor, _)): (42, UInt64(descriptor.rawValue))
    case .file(.transferred(let count)): (43, UInt64(count))
    case .file(.done): (44, 0)
    case .file(.failed(let error)): (45, UInt64(error.kind.rawValue))
    }
  }
}

/// The kernel's side of one port.
final class SimulatedNode {
  let id: NodeID
  let host: UInt32
  let limits: SimulatedPortLimits
  /// As of the last `wait`.
  var now: Instant
  var unixMilliseconds: UInt64
  var waitedNanoseconds: UInt64 = 0
  /// Until when the last `wait` was willing to wait.
  var deadline = Instant(nanoseconds: 0)
  /// Whether the last `wait` found nothing and had time to wait: whoever waits before it works must
  /// turn once more, since what it then waits for is known only after its work.
  var isSettled = false
  /// Waits in a row that found nothing and had no time to wait.
  var idleLooks = 0
  var isDead = false
  var isRung = false

  var sockets: [Int32: SimulatedSocket] = [:]
  /// Ascending; descriptors below `descriptorBound` that are free again.
  private var freeDescriptors: [Int32] = []
  private var descriptorBound: Int32 = 3
  var connects: [ConnectRequest] = []
  /// Files and directories, by descriptor.
  var openFiles: [Int32: OpenFile] = [:]
  /// Work on files that did not take effect yet.
  var diskRequests: [DiskRequest] = []

  private var completions: [(token: Token, event: PendingEvent)] = []
  private var completionsTaken = 0

  private let buffers: UnsafeMutableRawPointer
  private(set) var freeBuffers: [Int]
  private var isLent: [Bool]

  init(id: NodeID, host: UInt32, limits: SimulatedPortLimits, now: Instant) {
    self.id = id
    self.host = host
    self.limits = limits
    self.now = now
    unixMilliseconds = 0
    let byteCount = max(limits.receiveBufferCount * limits.receiveBufferBytes, 1)
    buffers = .allocate(byteCount: byteCount, alignment: 16)
    buffers.initializeMemory(as: UInt8.self, repeating: 0xdd, count: byteCount)
    freeBuffers = Array(0..<limits.receiveBufferCount)
    isLent = Array(repeating: false, count: limits.receiveBufferCount)
  }

  deinit {
    buffers.deallocate()
  }

  // MARK: Completions

  var hasCompletions: Bool { completionsTaken < completions.count }

  func post(_ event: PendingEvent, token: Token) {
    completions.append((token, event))
  }

  func takeCompletion() -> (token: Token, event: PendingEvent)? {
    guard hasCompletions else {
      completions.removeAll(keepingCapacity: true)
      completionsTaken = 0
      return nil
    }
    completionsTaken += 1
    return completions[completionsTaken - 1]
  }

  func dropCompletions() {
    while let completion = takeCompletion() {
      if case .received(let buffer, _) = completion.event { _ = takeBack(buffer: buffer) }
    }
  }

  // MARK: Descriptors

  /// The lowest free descriptor, as a kernel gives it; nil at the limit.
  func takeDescriptor() -> Descriptor? {
    guard sockets.count + openFiles.count < limits.descriptorLimit else { return nil }
    if !freeDescriptors.isEmpty { return Descriptor(rawValue: freeDescriptors.removeFirst()) }
    descriptorBound += 1
    return Descriptor(rawValue: descriptorBound - 1)
  }

  /// Descriptors that are open.
  var descriptorCount: Int { sockets.count + openFiles.count }

  func release(_ descriptor: Descriptor) {
    sockets[descriptor.rawValue] = nil
    let place = freeDescriptors.firstIndex { $0 > descriptor.rawValue } ?? freeDescriptors.count
    freeDescriptors.insert(descriptor.rawValue, at: place)
  }

  /// Open sockets in the order of their descriptors: the order of a dictionary differs from run to
  /// run.
  var socketsInOrder: [SimulatedSocket] {
    sockets.values.sorted { $0.descriptor.rawValue < $1.descriptor.rawValue }
  }

  // MARK: Receive buffers

  /// Buffers that the owner has seen and not given back; those in completions it has not taken do
  /// not count.
  var lentBufferCount = 0

  /// Lends the free buffer at `place` of the list of free ones, with the first bytes of `source`
  /// copied in.
  func lendBuffer(at place: Int, holding count: Int, of source: borrowing GrowableBytes) -> Int {
    let index = freeBuffers[place]
    freeBuffers.swapAt(place, freeBuffers.count - 1)
    freeBuffers.removeLast()
    isLent[index] = true
    source.bytes.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress {
        address(of: index).copyMemory(from: base, byteCount: count)
      }
    }
    return index
  }

  /// Takes a buffer back and overwrites it, so that a late reader notices; false when it was not
  /// lent.
  func takeBack(buffer index: Int) -> Bool {
    guard index >= 0, index < isLent.count, isLent[index] else { return false }
    isLent[index] = false
    address(of: index).initializeMemory(
      as: UInt8.self, repeating: 0xdd, count: limits.receiveBufferBytes)
    freeBuffers.append(index)
    return true
  }

  /// A hash of a buffer's first bytes, for the trace.
  func digest(buffer index: Int, count: Int) -> UInt64 {
    var hash = FNV1a()
    let head = UnsafeRawBufferPointer(start: address(of: index), count: min(count, 64))
    hash.combine(head.bytes)
    return hash.value
  }

  func received(buffer index: Int, count: Int) -> ReceivedBytes {
    let memory = unsafe MemorySlice(
      baseAddress: UnsafeRawPointer(address(of: index)), count: count)
    return unsafe ReceivedBytes(memory: memory, bufferIndex: UInt32(index))
  }

  private func address(of index: Int) -> UnsafeMutableRawPointer {
    buffers + index * limits.receiveBufferBytes
  }
}
