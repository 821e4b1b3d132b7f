import Bytes
import DanubeProtocol
import DanubeUplink
import GRPC
import IOPort
import Records
import Simulator
import TLS

/// A record as a test published it.
struct Published: Hashable {
  let topic: String
  let key: [UInt8]
  let payload: [UInt8]
}

/// Runs an uplink on a simulated port, feeds it with batches, and checks what it tells: every
/// record is settled once, every batch is released once and after all its records. Batches are
/// compacted whenever that saves memory, whether it is short or not. A lane can be withdrawn; its
/// records are stored then and sent again from there, as `UplinkLoop+Storing.swift` has it.
final class UplinkLoop: SimulatedLoop {
  let portID: NodeID
  private(set) var topics: [String]
  let store: BatchStore
  let metrics = UplinkMetrics()
  var uplink: DanubeUplink
  /// Answers the uplink's questions for addresses.
  var resolver: ((NamedHost) -> [SocketAddress])?

  private(set) var published: [Published] = []
  private(set) var accepted: [Published] = []
  private(set) var refused: [(record: Published, reason: RefusalReason)] = []
  var returnedCount = 0
  private(set) var releasedCount = 0
  var batchCount = 0
  /// Compactions that began, and that ended.
  private(set) var compactionCount = 0
  private(set) var compactedCount = 0
  /// Most bytes of batches in use.
  private(set) var peakBytes = 0
  /// What the uplink did that it must not do.
  var violations: [String] = []

  /// Records that the uplink has, by their place in `published`.
  var underWay: [RecordRef: Int] = [:]
  var openBatches: [BatchID: Int] = [:]
  /// Records that ingest was told of.
  var told: Set<RecordRef> = []
  /// What was taken back, by lane.
  var storage: [Int: LaneStorage] = [:]
  /// Batches with stored records that the uplink has released.
  var toComplete: [BatchID] = []

  private let world: SimulatedWorld
  private var port: SimulatedPort
  private var operations = OperationQueue()
  private var toSubmit: [BatchID] = []
  private var toCompact: [BatchID] = []
  private var isStarted = false

  init(
    _ world: SimulatedWorld, host: UInt32 = 0x0a00_0001, topics: [String] = ["/default/t"],
    seeds: [ResolvedHost], limits: UplinkLimits = .quick, batches: BatchLimits = BatchLimits(),
    replay: ReplayLimits = .none, security: ClientSecurity = ClientSecurity()
  ) {
    self.world = world
    self.topics = topics
    port = world.makePort(host: host)
    portID = port.id
    store = BatchStore(limits: batches, replay: replay)
    uplink = DanubeUplink(
      owner: 5, limits: limits, seeds: seeds, security: security, store: store,
      metrics: metrics, seed: world.seed)
    for topic in topics { uplink.addLane(Self.lane(topic)) }
  }

  private static func lane(_ topic: String, isReliable: Bool = true) -> LaneDescription {
    LaneDescription(
      topic: Array(topic.utf8), producerName: Array("edge-1".utf8), isReliable: isReliable)
  }

  /// Adds a lane while the loop runs; its number.
  @discardableResult
  func addLane(_ topic: String, isReliable: Bool = true) -> Int {
    topics.append(topic)
    uplink.addLane(Self.lane(topic, isReliable: isReliable))
    wake()
    return topics.count - 1
  }

  /// Adds a lane with a number beyond those there are.
  func addLane(_ topic: String, number: Int) {
    while topics.count < number { topics.append("") }
    topics.append(topic)
    uplink.addLane(Self.lane(topic), id: LaneID(rawValue: UInt32(number)))
    wake()
  }

  var status: UplinkStatus { uplink.status }
  var isIdle: Bool { uplink.isIdle }
  var isClosed: Bool { uplink.isClosed }
  var underWayCount: Int { underWay.count }
  func recordsUnderWay(lane: Int) -> Int {
    uplink.recordsUnderWay(of: LaneID(rawValue: UInt32(lane)))
  }
  func isReady(lane: Int) -> Bool { uplink.isReady(LaneID(rawValue: UInt32(lane))) }
  var roundTripMilliseconds: Int { uplink.smoothedRoundTripMilliseconds }

  /// Puts messages of one lane into batches; false when the store is full, with the rest left out.
  @discardableResult
  func publish(lane: Int = 0, _ messages: [(key: String, payload: [UInt8])]) -> Bool {
    var open: BatchID?
    defer { if let open { seal(open) } }
    for (key, payload) in messages {
      let room = payload.count + 256
      if let batch = open, !store.hasRoom(batch, bodyBytes: room) {
        seal(batch)
        open = nil
      }
      if open == nil {
        open = store.open(
          lane: LaneID(rawValue: UInt32(lane)), bodyBytes: room, expectedBytes: 64 << 10)
        if let open {
          openBatches[open] = 0
          batchCount += 1
        }
      }
      guard let batch = open else { return false }
      append(Array(key.utf8), payload, lane: lane, to: batch)
    }
    return true
  }

  /// Whether the uplink was given a batch.
  func isSubmitted(_ batch: BatchID) -> Bool { !toSubmit.contains(batch) }

  /// Lets the loop have a turn although nothing happened to its port.
  func wake() { world.ring(port.doorbell) }

  private func append(_ key: [UInt8], _ payload: [UInt8], lane: Int, to batch: BatchID) {
    var prefix = GrowableBytes()
    MessageID(topicName: Array(topics[lane].utf8)).encode(asField: 2, into: &prefix)
    prefix.appendField(5, bytes: Array("edge-1".utf8))
    let attributes = GrowableBytes()
    var hash = FNV1a()
    hash.combine(key.rawBytes)
    let pieces = RecordPieces(
      prefix: prefix.bytes, attributes: attributes.bytes, routingKey: key.rawBytes,
      payload: payload.rawBytes, publishTimeMilliseconds: 1_700_000_000_000,
      keyHash: hash.value, source: .none)
    let record = store.append(pieces, to: batch)
    let message = Published(topic: topics[lane], key: key, payload: payload)
    underWay[record] = published.count
    published.append(message)
    openBatches[batch, default: 0] += 1
  }

  private func seal(_ batch: BatchID) {
    store.seal(batch)
    toSubmit.append(batch)
    wake()
  }

  func turn() {
    port.wait(until: isStarted ? uplink.nextDeadline : Instant(nanoseconds: 0))
    if !isStarted {
      isStarted = true
      uplink.start(at: port.now, operations: &operations)
    }
    while let completion = port.next() {
      if completion.token.owner == 5 {
        uplink.handle(completion, at: port.now, operations: &operations)
      }
    }
    uplink.advance(to: port.now, operations: &operations)
    completeStored()
    for batch in toSubmit where !storeNew(batch) { uplink.submit(batch) }
    toSubmit.removeAll()
    replayStored()
    for batch in toCompact { uplink.compact(batch) }
    toCompact.removeAll()
    if let resolver {
      for host in uplink.hostsToResolve { uplink.resolved(host, addresses: resolver(host)) }
    }
    uplink.flush(operations: &operations)
    takeProgress()
    compact()
    port.submit(&operations)
  }

  /// The uplink learns of it a turn later: a batch may be settled in between, as it may while it
  /// travels through a ring.
  private func compact() {
    peakBytes = max(peakBytes, store.bytesInUse)
    var effort = Int.max
    while let batch = store.compactNext(effort: &effort) {
      toCompact.append(batch)
      compactionCount += 1
      wake()
    }
  }

  private func takeProgress() {
    while let progress = uplink.nextProgress() {
      switch progress {
      case .accepted(let record):
        if let message = settle(record) { accepted.append(message) }
      case .refused(let record, let reason):
        if let message = settle(record) { refused.append((message, reason)) }
      case .returned(let record): returned(record)
      case .released(let batch):
        if openBatches.removeValue(forKey: batch) != 0 {
          violations.append("batch \(batch.rawValue) released early or twice")
        }
        releasedCount += 1
        release(batch)
      case .compacted(let batch):
        compactedCount += 1
        store.endCompaction(of: batch)
      case .replicated, .replicationOwner, .replicationLost:
        violations.append("nothing is replicated here")
      }
    }
  }

  private func settle(_ record: RecordRef) -> Published? {
    openBatches[record.batch, default: 0] -= 1
    if !store.isSettled(record) { violations.append("record \(record) is not settled") }
    tell(record)
    guard let number = underWay.removeValue(forKey: record) else {
      violations.append("record \(record) settled twice")
      return nil
    }
    forgetStored(number, lane: Int(store.lane(of: record.batch).rawValue))
    return published[number]
  }
}

extension UplinkLimits {
  /// Short times, so that simulated faults pass quickly.
  static var quick: UplinkLimits {
    UplinkLimits(
      callDeadlineMilliseconds: 2_000, connectTimeoutMilliseconds: 1_000,
      backoffMinimumMilliseconds: 20, backoffMaximumMilliseconds: 1_000,
      blockedMilliseconds: 5_000, pingIntervalMilliseconds: 1_000)
  }
}

/// A world with one broker and one uplink.
final class Scene {
  static let brokerHost: UInt32 = 0x0a00_0064

  let world: SimulatedWorld
  let driver: SimulationDriver
  let broker: ScriptedBroker
  let loop: UplinkLoop

  init(
    seed: UInt64 = 1, topics: [String] = ["/default/t"], limits: UplinkLimits = .quick,
    batches: BatchLimits = BatchLimits(), replay: ReplayLimits = .none,
    seeds: [ResolvedHost]? = nil,
    brokerOptions: ServerSession.Options = ServerSession.Options(), tls: TLSContext? = nil,
    security: ClientSecurity = ClientSecurity()
  ) throws {
    world = SimulatedWorld(seed: seed)
    driver = SimulationDriver(world)
    broker = try ScriptedBroker(
      world, host: Self.brokerHost, options: brokerOptions, tls: tls)
    loop = UplinkLoop(
      world, topics: topics, seeds: seeds ?? [.at(Self.brokerHost)], limits: limits,
      batches: batches, replay: replay, security: security)
    driver.add(broker)
    driver.add(loop)
  }

  /// Runs until every record is settled and every batch released.
  func settle(withinMilliseconds limit: Int = 60_000) -> Bool {
    driver.run(milliseconds: limit) {
      loop.underWayCount == 0 && loop.releasedCount == loop.batchCount && loop.uplink.isIdle
    }
  }

  /// The payloads of a key that the broker accepted, each where it came first.
  func acceptedPayloads(key: String, topic: String = "/default/t") -> [[UInt8]] {
    var seen: Set<[UInt8]> = []
    return broker.accepted.filter { $0.topic == topic && $0.key == Array(key.utf8) }
      .map(\.payload).filter { seen.insert($0).inserted }
  }
}

extension ResolvedHost {
  /// A seed given by its address.
  static func at(_ host: UInt32, port: UInt16 = 6650) -> ResolvedHost {
    let address = SocketAddress(ipv4: host, port: port)
    return ResolvedHost(host: address.host, port: port, addresses: [address])
  }
}

/// A payload that tells its number.
func numbered(_ number: Int, bytes: Int = 4) -> [UInt8] {
  let filler = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: max(bytes - 4, 0))
  return withUnsafeBytes(of: UInt32(number).bigEndian, Array.init) + filler
}
