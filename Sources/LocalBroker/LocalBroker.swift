import Bytes
import DanubeProtocol
import GRPC
public import IOPort
public import JWT
import Metrics
import Records
public import Spool
public import TLS

/// The broker inside the gateway, which ordinary Danube clients use as they use Danube: look-ups,
/// producers, subscriptions of all four types with acks and nacks, health checks, and the service
/// for edges.
///
/// A decider: it is fed with completions and the time and answers with operations.
///
/// With a spool reliable topics are lanes of it and subscriptions cursors: they survive a crash, an
/// offset is a record's sequence, a record is answered and delivered when it is durable, and the
/// newest ones are in memory besides. While the disk takes nothing SendMessage is answered
/// `RESOURCE_EXHAUSTED` at once; clients are accepted when the spool knows what it holds. Subscribe
/// is answered when a new subscription is on the disk; acks may be forgotten by a crash within a
/// second, and their records then come again. Without a spool records are kept in memory, the
/// oldest of all topics leaving first. Records of non-reliable topics are in memory in any case.
///
/// What differs from Danube 0.15, on purpose:
/// producers never wait for consumers, a consumer that lags misses nothing that is still kept, an
/// Exclusive subscription whose consumer is gone takes another one, of a Failover subscription the
/// next consumer receives when the one that did is gone, consumers are woken by what an edge
/// replicates, names that nobody could read under are no topics of an edge, a record that is
/// refused again and again comes again and again, at growing intervals, and a silent client that
/// does not answer a PING is gone. The schema registry is `UNIMPLEMENTED`.
public struct LocalBroker: ~Copyable {
  enum Verb: UInt8 {
    case accept
    case receive
    case send
    case close
    case closeRefused
  }

  /// How long a connection that is to be closed may take to send what it has, milliseconds.
  private static let closingMilliseconds = 1_000
  /// How long accepting rests after it failed, milliseconds.
  private static let acceptPauseMilliseconds = 100

  let owner: UInt8
  var state: BrokerState
  var connections: SlotTable<BrokerConnection>
  /// Connections with something to write at the end of the turn.
  private var touched: [SlotID] = []
  private var listener: Descriptor?
  var acceptAgainAt = Instant.distantFuture
  /// Whether the spool is ready and clients are not accepted yet.
  var opensSoon = false
  /// No connection is to be closed for being late before this.
  private var closeDue = Instant.distantFuture
  var isStopping = false
  /// The memory of the gateway's batches; nil before the first one.
  var store: BatchStore?
  /// Batches that wait for the spool, oldest first.
  var waitingBatches = RingQueue<BatchID>() {
    didSet { state.isBatchWaiting = !waitingBatches.isEmpty }
  }
  /// Batches that are accepted or refused.
  var settled = RingQueue<SettledBatch>()
  /// Writes, reads and syncs of the disk that failed; they are tried again.
  public internal(set) var diskFailures: UInt64 = 0
  /// No connection is to be asked for a sign of life before this.
  var keepaliveDue = Instant.distantFuture
  /// Batches of edges that wait for room in the spool, oldest first, and their bytes.
  var heldBatches: [HeldBatch] = []
  var heldBatchBytes = 0
  /// ReplicateData calls of all connections.
  var replicateCallCount = 0
  /// What new connections are opened with; in clear without.
  var tls: TLSContext?
  /// What tells tokens that calls may come with; nil when they need none.
  var tokens: TokenVerifier?
  /// Counts the secrets that there were.
  var tokenGeneration: UInt32 = 0
  var plaintext = Transport.Scratch()
  var answer = GrowableBytes()
  var tail = GrowableBytes()
  /// Keys that a sweep over a KeyShared subscription has passed: later records of theirs wait.
  var passedKeys: Set<UInt64> = []

  /// A broker without lanes yet; it listens after
  /// ``start(listener:bound:operations:)``. All its tokens have `owner`. Ids that clients get
  /// follow from `seed`, which is to differ from run to run. Tokens of the spool have the owner
  /// that it was made with. With `tokens` every call has to come with one of them.
  public init(
    owner: UInt8, limits: LocalBrokerLimits, configuration: LocalBrokerConfiguration,
    metrics: LocalBrokerMetrics, seed: UInt64, spool: consuming Spool? = nil,
    tls: TLSContext? = nil, tokens: TokenVerifier? = nil
  ) {
    self.owner = owner
    self.tls = tls
    self.tokens = tokens
    state = BrokerState(
      configuration: configuration, limits: limits, metrics: metrics, seed: seed,
      spool: consume spool)
    connections = SlotTable(capacity: limits.connections)
  }

  /// Begins to accept clients on `listener`; `bound` is what look-ups tell. An unspecified address
  /// is told as it is: clients take it for the host they reached. The spool begins to find out what
  /// it holds.
  public mutating func start(
    listener: Descriptor, bound: SocketAddress, at now: Instant = Instant(nanoseconds: 0),
    operations: inout OperationQueue
  ) {
    self.listener = listener
    state.advertisedURL = Array("\(tls == nil ? "http" : "https")://\(bound)".utf8)
    if state.isOpen { operations.append(.accept(listener), token: token(.accept)) }
    state.spool?.start(at: now, operations: &operations)
  }

  private func token(_ verb: Verb) -> Token { Token(owner: owner, verb: verb.rawValue) }

  func token(_ verb: Verb, _ id: SlotID) -> Token {
    Token(owner: owner, verb: verb.rawValue, slot: id)
  }

  // MARK: The turn

  /// Takes a completion whose token has this broker's owner.
  public mutating func handle(
    _ completion: consuming Completion, at now: Instant, operations: inout OperationQueue
  ) {
    state.now = now
    let id = completion.token.slot
    switch consume completion.event {
    case .accepted(let descriptor, let peer):
      accepted(descriptor, from: peer, at: now, operations: &operations)
    case .acceptEnded:
      if !isStopping { acceptAgainAt = now.advanced(milliseconds: Self.acceptPauseMilliseconds) }
    case .received(let received):
      take(received, from: id, at: now, operations: &operations)
    case .receiveEnded(let error):
      guard connections.contains(id), !connections[id].isClosing else { return }
      if error?.kind == .resourcesExhausted {
        operations.append(.receive(connections[id].descriptor), token: token(.receive, id))
      } else {
        close(id, at: now, operations: &operations)
      }
    case .sent(let count):
      guard connections.contains(id) else { return }
      connections[id].outbox.sent(count)
      if !connections[id].isClosing { sent(id, at: now, operations: &operations) }
    case .sendFailed:
      if connections.contains(id) { close(id, at: now, operations: &operations) }
    case .closed:
      guard connections.contains(id), connections[id].isClosing else { return }
      connections[id].outbox.reset()
      _ = connections.remove(id)
      state.metrics.connections.set(connections.count)
    case .connected: return
    case .connectFailed: return
    case .queueMeasured: return
    case .rung: return
    case .file: return
    }
  }

  /// Fires what is due.
  public mutating func advance(to now: Instant, operations: inout OperationQueue) {
    if acceptAgainAt <= now, let listener, !isStopping {
      acceptAgainAt = .distantFuture
      operations.append(.accept(listener), token: token(.accept))
    }
    if closeDue <= now { closeLate(at: now, operations: &operations) }
    state.now = now
    state.spool?.advance(to: now, operations: &operations)
    if keepaliveDue <= now { keepAlive(at: now, operations: &operations) }
    state.advance(to: now)
  }

  /// When `advance` or `flush` has something to do next.
  public var nextDeadline: Instant {
    if !touched.isEmpty || !state.queued.isEmpty { return Instant(nanoseconds: 0) }
    return min(min(acceptAgainAt, closeDue, keepaliveDue), min(state.nextDue, spoolDeadline))
  }

  /// Ends a turn: writes and reads the spool, delivers to consumers, sends what connections have.
  /// `clock` is the time of day as the spool remembers it.
  public mutating func flush(
    at now: Instant, clock: SpoolClock = .unknown, operations: inout OperationQueue
  ) {
    state.now = now
    if clock != .unknown {
      state.time.set(clock, at: now)
      state.clockCorrection.observe(
        bootMilliseconds: clock.bootMilliseconds,
        offsetMilliseconds: clock.wallOffsetMilliseconds, isSynchronised: clock.isTrusted,
        atNanoseconds: now.nanoseconds)
    }
    flushSpool(at: now, clock: clock, operations: &operations)
    // What flow control let go makes room for more.
    for id in touched where connections.contains(id) && !connections[id].isClosing {
      connections[id].writeOutput()
    }
    deliverQueued(at: now, operations: &operations)
    var index = 0
    while index < touched.count {
      let id = touched[index]
      index += 1
      guard connections.contains(id) else { continue }
      connections[id].isTouched = false
      if connections[id].isClosing { continue }
      connections[id].writeOutput()
      takeEvents(id, at: now)
      connections[id].outbox.flush(
        to: connections[id].descriptor, token: token(.send, id), scratch: &plaintext,
        operations: &operations)
      let isOver = connections[id].closeAt != nil && isSentEntirely(id)
      if isOver || connections[id].outbox.failure != nil {
        close(id, at: now, operations: &operations)
      }
    }
    touched.removeAll(keepingCapacity: true)
  }

  func isSentEntirely(_ id: SlotID) -> Bool {
    connections[id].outbox.isEmpty && connections[id].session.callsOpen == 0
  }

  /// Lets the end of the turn look at a connection.
  mutating func touch(_ id: SlotID) {
    guard !connections[id].isTouched else { return }
    connections[id].isTouched = true
    touched.append(id)
  }

  // MARK: Connections

  private mutating func accepted(
    _ descriptor: Descriptor, from peer: SocketAddress, at now: Instant,
    operations: inout OperationQueue
  ) {
    guard !connections.isFull, !isStopping else {
      state.metrics.connectionsRefused.add()
      operations.append(.close(descriptor), token: token(.closeRefused))
      return
    }
    let id = connections.insert(
      BrokerConnection(
        descriptor: descriptor, peer: peer, limits: state.limits, tls: makeTLSSession(),
        needsToken: tokens != nil, at: now))
    keepaliveDue = min(keepaliveDue, connections[id].lifeDeadline)
    state.metrics.connections.set(connections.count)
    operations.append(.receive(descriptor), token: token(.receive, id))
    touch(id)
  }

  private mutating func take(
    _ received: consuming ReceivedBytes, from id: SlotID, at now: Instant,
    operations: inout OperationQueue
  ) {
    if connections.contains(id), !connections[id].isClosing {
      if connections[id].outbox.isEncrypted {
        receivedEncrypted(id, received.bytes, at: now)
      } else {
        self.received(id, received.bytes, at: now)
      }
    }
    operations.recycle(received)
  }

  mutating func received(_ id: SlotID, _ bytes: RawSpan, at now: Instant) {
    touch(id)
    connections[id].heard(at: now)
    do throws(GRPCError) {
      try connections[id].session.receive(bytes)
    } catch {
      state.metrics.protocolErrors.add()
      takeEvents(id, at: now)
      closeSoon(id, at: now)
      return
    }
    takeEvents(id, at: now)
    // The client may have opened its flow-control window.
    if !connections[id].consumerStreams.isEmpty { state.queueSubscriptions(ofConnection: id) }
  }

  private mutating func sent(_ id: SlotID, at now: Instant, operations: inout OperationQueue) {
    if connections[id].closeAt != nil, isSentEntirely(id) {
      close(id, at: now, operations: &operations)
      return
    }
    let hasMore = connections[id].session.hasOutput || !connections[id].outbox.isEmpty
    if hasMore { touch(id) }
    if !connections[id].consumerStreams.isEmpty { state.queueSubscriptions(ofConnection: id) }
  }

  /// Closes a connection when what it has was sent, at the latest after a second.
  mutating func closeSoon(_ id: SlotID, at now: Instant) {
    guard connections[id].closeAt == nil else { return }
    let latest = now.advanced(milliseconds: Self.closingMilliseconds)
    connections[id].closeAt = latest
    closeDue = min(closeDue, latest)
    touch(id)
  }

  private mutating func closeLate(at now: Instant, operations: inout OperationQueue) {
    closeDue = .distantFuture
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index), !connections[id].isClosing,
        let latest = connections[id].closeAt
      else { continue }
      if latest <= now {
        close(id, at: now, operations: &operations)
      } else {
        closeDue = min(closeDue, latest)
      }
    }
  }

  mutating func close(_ id: SlotID, at now: Instant, operations: inout OperationQueue) {
    guard !connections[id].isClosing else { return }
    connections[id].isClosing = true
    connections[id].session.abandonAllCalls()
    state.connectionClosed(id, at: now)
    forgetReplication(on: id)
    operations.append(.close(connections[id].descriptor), token: token(.close, id))
  }

  // MARK: The end

  /// Stops: no more clients, streams end as `unavailable`, connections close when what they have
  /// was sent, at the latest after a second.
  public mutating func beginStop(at now: Instant, operations: inout OperationQueue) {
    guard !isStopping else { return }
    isStopping = true
    if let listener { operations.append(.close(listener), token: token(.closeRefused)) }
    listener = nil
    acceptAgainAt = .distantFuture
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index), !connections[id].isClosing else { continue }
      for stream in connections[id].consumerStreams {
        connections[id].session.endStream(
          stream, status: .unavailable, message: "the broker is shutting down")
      }
      for call in connections[id].replicateCalls {
        endReplication(
          ConsumerStream(connection: id, stream: call.stream),
          Refusal(.unavailable, "the broker is shutting down"))
      }
      connections[id].session.shutDown()
      closeSoon(id, at: now)
    }
  }

  /// Whether it was stopped, every connection is closed and what was appended is on the disk. That
  /// may take for ever when the disk is full: its owner has a limit for the end.
  public var isStopped: Bool { isStopping && connections.count == 0 && isSpoolSettled }
}
