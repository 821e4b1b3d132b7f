import Bytes
import IOPort
import MQTT
import Metrics
import Records
import Settings

@testable import Ingest

/// An ingest side played by hand: the test says what completes, and sees what is asked for.
final class IngestBench {
  /// One connection as the port sees it.
  struct Socket {
    var receive: Token?
    var send: Token?
    var sendingCount = 0
    var close: Token?
    /// Bytes asked to be sent and not looked at yet.
    var output: [UInt8] = []
    var hasShutDown = false
    var cancelCount = 0
  }

  static let owner: UInt8 = 3

  var ingest: Ingest
  let store: BatchStore
  let registry = MetricsRegistry()
  let metrics: IngestMetrics
  let lanes: LaneTable
  let topics = UnroutedTopics()
  var now = Instant(nanoseconds: 5_000_000_000)
  private(set) var sockets: [Int32: Socket] = [:]
  private var acceptTokens: [Int: Token] = [:]
  private(set) var acceptCount = 0
  private(set) var isListenerClosed = false
  private(set) var recycledCount = 0
  private var operations = OperationQueue()
  private var nextDescriptor: Int32 = 10
  /// Descriptors of listeners begin here.
  private static let firstListener: Int32 = 3

  init(
    routes: [(mqtt: String, to: String, key: String)] = [("t/#", "/default/t", "{client_id}")],
    memoryBytes: Int = 1 << 20, maxTopics: Int = 64,
    _ change: (inout GatewayConfiguration) throws -> Void = { _ in }
  ) throws {
    var configuration = GatewayConfiguration(
      routes: try routes.map { try RouteConfiguration(mqtt: $0.mqtt, to: $0.to, key: $0.key) })
    configuration.gateway.name = "edge"
    try change(&configuration)
    metrics = IngestMetrics(registry: registry, configuration: configuration)
    store = BatchStore(
      limits: BatchLimits(batches: 64, memoryBytes: memoryBytes, batchBytes: 64 << 10))
    lanes = LaneTable(
      configuration: configuration, capacity: min(configuration.limits.maxTopics, maxTopics))
    ingest = Ingest(
      owner: Self.owner, configuration: configuration,
      limits: IngestLimits(configuration: configuration), store: store,
      lanes: lanes, metrics: metrics,
      unroutedTopics: topics, seed: 1)
    ingest.setTimeOfDay(unixMilliseconds: 1_700_000_000_000)
    for (index, listener) in configuration.listeners.enumerated() {
      ingest.start(
        listener: Descriptor(rawValue: Self.firstListener + Int32(index)), configuration: listener,
        operations: &operations)
    }
    take()
  }

  var inputBytes: Int { ingest.inputBytes }
  var spareInputBytes: Int { ingest.inputMemory.spareBytes }
  var timerCount: Int { ingest.timers.count }
  var inputLimits: IngestLimits { ingest.limits }

  /// What the connections hold in truth, to compare with what is counted.
  var heldInputBytes: Int {
    var sum = 0
    for index in 0..<ingest.connections.upperBound {
      guard let id = ingest.connections.tenant(at: index) else { continue }
      sum += max(
        ingest.connections[id].input.capacity, ingest.connections[id].reservedBytes)
      sum += ingest.connections[id].webhook.backlog.capacity
    }
    return sum
  }
  var connectionCount: Int { ingest.connectionCount }
  var isDrained: Bool { ingest.isDrained }

  // MARK: What completes

  private func complete(_ token: Token, _ event: consuming Completion.Event) {
    ingest.handle(Completion(token: token, event: event), at: now, operations: &operations)
  }

  /// Ends the turn and looks at what is asked for.
  func endTurn() {
    ingest.advance(to: now, operations: &operations)
    ingest.flush(at: now, operations: &operations)
    take()
  }

  func pass(milliseconds: Int) {
    now = now.advanced(milliseconds: milliseconds)
    endTurn()
  }

  /// Somebody connects; his descriptor.
  func accept(
    on listener: Int = 0, peer: SocketAddress = SocketAddress(ipv4: 1, port: 2)
  ) -> Int32 {
    guard let acceptToken = acceptTokens[listener] else { return -1 }
    let descriptor = nextDescriptor
    nextDescriptor += 1
    sockets[descriptor] = Socket()
    complete(
      acceptToken,
      .accepted(Descriptor(rawValue: descriptor), peer: peer))
    endTurn()
    return descriptor
  }

  /// A connection of a client that is accepted already; its CONNACK is dropped.
  func connect(
    _ version: ProtocolVersion, id: String = "dev", keepAlive: UInt16 = 0, listener: Int = 0,
    _ change: (inout ClientOptions) -> Void = { _ in }
  ) -> Int32 {
    let descriptor = accept(on: listener)
    receive(descriptor, connectPacket(version, id: id, keepAlive: keepAlive, change))
    finishSend(descriptor)
    _ = output(descriptor)
    return descriptor
  }

  func connectPacket(
    _ version: ProtocolVersion, id: String = "dev", keepAlive: UInt16 = 0,
    _ change: (inout ClientOptions) -> Void = { _ in }
  ) -> [UInt8] {
    var options = ClientOptions(clientID: id)
    options.keepAliveSeconds = keepAlive
    change(&options)
    var bytes = GrowableBytes()
    ClientSession(version: version).writeConnect(options, into: &bytes)
    return [UInt8](copying: bytes.bytes)
  }

  func receive(_ descriptor: Int32, _ bytes: [UInt8], endsTurn: Bool = true) {
    guard let token = sockets[descriptor]?.receive else { return }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { memory.deallocate() }
    memory.copyBytes(from: bytes)
    guard let base = memory.baseAddress else { return }
    let slice = unsafe MemorySlice(baseAddress: UnsafeRawPointer(base), count: bytes.count)
    complete(token, .received(unsafe ReceivedBytes(memory: slice, bufferIndex: 0)))
    if endsTurn { endTurn() }
  }

  func endReceive(_ descriptor: Int32, _ error: IOError?, endsTurn: Bool = true) {
    guard let token = sockets[descriptor]?.receive else { return }
    sockets[descriptor]?.receive = nil
    complete(token, .receiveEnded(error))
    if endsTurn { endTurn() }
  }

  func endAccept(_ error: IOError) {
    guard let token = acceptTokens.removeValue(forKey: 0) else { return }
    complete(token, .acceptEnded(error))
    endTurn()
  }

  /// The port takes everything of the sends that are under way.
  func finishSend(_ descriptor: Int32) {
    while let token = sockets[descriptor]?.send {
      let count = sockets[descriptor]?.sendingCount ?? 0
      sockets[descriptor]?.send = nil
      complete(token, .sent(count))
      endTurn()
    }
  }

  /// The port could not send.
  func failSend(_ descriptor: Int32) {
    guard let token = sockets[descriptor]?.send else { return }
    sockets[descriptor]?.send = nil
    complete(token, .sendFailed(IOError(.connectionReset)))
    endTurn()
  }

  /// The port closes: what was under way ends first.
  func finishClose(_ descriptor: Int32) {
    guard let socket = sockets[descriptor], let token = socket.close else { return }
    let cancelled = IOError(.cancelled)
    if let send = socket.send { complete(send, .sendFailed(cancelled)) }
    if let receive = socket.receive { complete(receive, .receiveEnded(cancelled)) }
    complete(token, .closed)
    sockets[descriptor] = nil
    endTurn()
  }

  func tell(_ progress: Progress) {
    ingest.progress(progress, at: now, operations: &operations)
    endTurn()
  }

  func beginShutdown() {
    ingest.beginShutdown(at: now, operations: &operations)
    endTurn()
  }

  func disconnectAll() {
    ingest.disconnectAll(at: now, operations: &operations)
    endTurn()
  }

  func endShutdown() {
    ingest.endShutdown(operations: &operations)
    endTurn()
  }

  // MARK: What is asked for

  /// Takes all sealed batches and returns their records, delivered: the batches are complete.
  func deliver() -> [Record] {
    var records: [Record] = []
    while let batch = takeBatch() {
      for index in 0..<store.recordCount(of: batch) {
        records.append(Record(store.body(batch, UInt32(index))))
      }
      tell(Progress(batch: batch, kind: .complete))
    }
    return records
  }

  /// Takes the next sealed batch, as delivery does.
  func takeBatch() -> BatchID? {
    let handover = ingest.nextHandover
    if handover != nil { ingest.removeNextHandover() }
    return handover?.batch
  }

  /// What was sent since the last look.
  func output(_ descriptor: Int32) -> [UInt8] {
    finishSend(descriptor)
    let bytes = sockets[descriptor]?.output ?? []
    sockets[descriptor]?.output = []
    return bytes
  }

  func isClosing(_ descriptor: Int32) -> Bool {
    sockets[descriptor].map { $0.close != nil } ?? true
  }

  private func take() {
    for (token, operation) in operations.entries {
      switch operation {
      case .accept:
        acceptTokens[Int(token.slot.index)] = token
        acceptCount += 1
      case .receive(let descriptor): sockets[descriptor.rawValue]?.receive = token
      case .cancel(let target):
        for (descriptor, socket) in sockets where socket.receive == target {
          sockets[descriptor]?.cancelCount += 1
        }
      case .send(let descriptor, let first, let count):
        var bytes: [UInt8] = []
        for slice in operations.slices[Int(first)..<Int(first + count)] {
          slice.withBytes { bytes += RecordFields.array($0) }
        }
        sockets[descriptor.rawValue]?.send = token
        sockets[descriptor.rawValue]?.sendingCount = bytes.count
        sockets[descriptor.rawValue]?.output += bytes
      case .shutdownWrites(let descriptor): sockets[descriptor.rawValue]?.hasShutDown = true
      case .close(let descriptor):
        if descriptor.rawValue == Self.firstListener { isListenerClosed = true }
        sockets[descriptor.rawValue]?.close = token
      case .measureQueue: break
      case .recycle: recycledCount += 1
      case .connect, .ring, .file: break
      }
    }
    operations.removeAll()
  }
}

/// A PUBLISH as a device sends it.
func publish(
  _ version: ProtocolVersion, _ packetID: UInt16, topic: String = "t/x",
  payload: [UInt8] = [1, 2, 3], qos: QoS = .atLeastOnce,
  _ change: (inout PublishProperties) -> Void = { _ in }
) -> [UInt8] {
  var properties = PublishProperties()
  change(&properties)
  var bytes = GrowableBytes()
  var session = ClientSession(version: version)
  session.writePublish(
    topic: Array(topic.utf8).span.bytes, payload: payload.span.bytes, qos: qos,
    packetID: packetID, properties: properties, into: &bytes)
  return RecordFields.array(bytes.bytes)
}

/// A PUBACK as a device gets it.
func puback(_ packetID: UInt8, _ reason: UInt8 = 0) -> [UInt8] {
  reason == 0 ? [0x40, 2, 0, packetID] : [0x40, 3, 0, packetID, reason]
}
