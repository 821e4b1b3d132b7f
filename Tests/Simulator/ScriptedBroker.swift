import Bytes
import DanubeProtocol
import GRPC
import IOPort
import TLS

/// A Danube broker for producers whose answers a test chooses: it looks topics up, creates
/// producers, takes messages, and keeps a log of what it accepted.
///
/// Left alone it behaves as a single broker in standalone mode: unknown topics are NOT_FOUND at the
/// look-up, CreateProducer creates them, unknown producers are NOT_FOUND, everything else is
/// accepted at once.
///
/// It lives in a simulated world, where a ``SimulationDriver`` drives it, or on real sockets, where
/// the test's own thread does by ``turn(atMostMilliseconds:)``.
public final class ScriptedBroker: SimulatedLoop {
  /// Its port's name in the world; without meaning on real sockets.
  public let portID: NodeID
  /// Where it listens.
  public let address: SocketAddress
  /// What look-ups answer as `connect_url` and `broker_url`.
  public var advertisedURL: String

  // MARK: Hooks

  /// Chooses the answer to a look-up of a topic.
  public var onLookup: ((_ topic: String) -> LookupAnswer)?
  /// Chooses the answer to a CreateProducer; `attempt` counts those of the topic from 0.
  public var onCreate: ((_ topic: String, _ attempt: Int) -> CreateAnswer)?
  /// Chooses what becomes of a new connection.
  public var onConnection: (() -> ConnectionAnswer)?
  /// Chooses what becomes of a message. Messages of unknown producers are NOT_FOUND without asking.
  public var onMessage: ((Message) -> SendAnswer)?

  /// Whether there is an edge service. Left alone it registers every topic under the edge's name,
  /// and acknowledges every batch at once.
  public var hasEdgeService = false
  /// Chooses the status that RegisterEdge fails with; nil for none.
  public var onEdgeCall: (() -> StatusCode?)?
  /// Chooses the error of a topic that is registered; empty for none.
  public var onRegister: ((_ topic: String) -> String)?
  /// Chooses what becomes of a batch that is not written yet.
  public var onBatch: ((_ topic: String, _ number: UInt64) -> SendAnswer)?

  // MARK: What happened

  /// RegisterEdge calls that arrived, with their topics.
  public internal(set) var registrations: [[String]] = []
  /// EdgeHeartbeat calls that arrived.
  public internal(set) var heartbeatCount = 0
  /// Batches that arrived, each with its number, in order.
  public internal(set) var batches: [(topic: String, number: UInt64, count: Int)] = []
  /// Batches that were acknowledged and not written, because their number was not new.
  public internal(set) var repeatedBatches = 0
  /// ReplicateData calls that arrived.
  public internal(set) var streamCount = 0
  /// The number of the last batch that was written of each topic: in a cluster it is everybody's.
  public var marks: [String: UInt64] = [:]

  /// Messages accepted, in order; a message that was sent twice may be in it twice.
  public internal(set) var accepted: [Message] = []
  /// SendMessage calls that arrived.
  public internal(set) var sendCount = 0
  /// Look-ups that arrived.
  public internal(set) var lookupCount = 0
  /// The dispatch strategy that the last CreateProducer of each topic asked for.
  public internal(set) var strategies: [String: DispatchStrategy] = [:]
  /// CreateProducer calls that arrived.
  public internal(set) var createCount = 0
  /// Calls whose client cancelled them.
  public internal(set) var cancelCount = 0
  /// SendMessage calls open now.
  public internal(set) var inFlight = 0
  /// The most SendMessage calls open at a time.
  public internal(set) var peakInFlight = 0
  /// The most SendMessage calls of one topic and key open at a time on one connection.
  public internal(set) var peakPerKey = 0
  /// Connections accepted.
  public internal(set) var connectionCount = 0
  /// Connections open now.
  public var openConnectionCount: Int { connections.count }
  /// Bytes received.
  public internal(set) var receivedBytes = 0

  let port: any BrokerPort
  var operations = OperationQueue()
  var connections = SlotTable<BrokerConnection>(capacity: 1024)
  private let listenAddress: SocketAddress
  /// Nil while it is down.
  private var listener: Descriptor?
  /// Its limits on calls and messages, for the connections to come.
  public var sessionOptions: ServerSession.Options
  /// What it shows to clients; in clear without.
  public var tls: TLSContext?
  /// Answers that wait for their time; the token is the place in `pending`.
  private var timers = TimerQueue()
  private var pending: [UInt64: PendingAnswer] = [:]
  private var pendingCount: UInt64 = 0

  var topics: Set<String> = []
  var knowsEdge = false
  /// Streams of batches that are open.
  var openStreams: Set<BatchStream> = []
  /// The most of them at a time.
  public internal(set) var peakStreams = 0
  /// Streams of batches that failed.
  var brokenStreams: Set<BatchStream> = []
  var producers: [UInt64: String] = [:]
  var producerIDs: [String: UInt64] = [:]
  var createAttempts: [String: Int] = [:]
  private var nextProducerID: UInt64 = 1

  enum Verb: UInt8 {
    case accept = 1
    case receive
    case send
    case close
    case stopListening
  }

  /// A broker on a host of the world. `options` sets its limits on calls and messages.
  public init(
    _ world: SimulatedWorld, host: UInt32, port number: UInt16 = 6650,
    options: ServerSession.Options = ServerSession.Options(), tls: TLSContext? = nil,
    limits: SimulatedPortLimits = SimulatedPortLimits()
  ) throws {
    let simulated = world.makePort(host: host, limits: limits)
    portID = simulated.id
    let bell = simulated.doorbell
    port = OwnedPort(simulated) { world.ring(bell) }
    sessionOptions = Self.streaming(options)
    address = SocketAddress(ipv4: host, port: number)
    listenAddress = SocketAddress(ipv4: 0, port: number)
    self.tls = tls
    advertisedURL = "\(tls == nil ? "http" : "https")://\(address)"
    try listen()
  }

  /// A broker on a real port, which listens on `address`; port 0 takes a free one.
  public init<Port: IOPort & ~Copyable>(
    port real: consuming Port, on address: SocketAddress,
    options: ServerSession.Options = ServerSession.Options(), tls: TLSContext? = nil
  ) throws {
    portID = NodeID(rawValue: -1)
    var real = real
    let (descriptor, bound) = try real.listen(on: address)
    port = OwnedPort(real) {}
    sessionOptions = Self.streaming(options)
    self.address = bound
    listenAddress = bound
    self.tls = tls
    advertisedURL = "\(tls == nil ? "http" : "https")://\(bound)"
    accept(on: descriptor)
  }

  private static func streaming(_ options: ServerSession.Options) -> ServerSession.Options {
    var options = options
    options.clientStreamingPaths = [DanubeMethod.replicateData.path.description]
    return options
  }

  private func listen() throws(IOError) {
    accept(on: try port.listen(on: listenAddress).descriptor)
  }

  private func accept(on descriptor: Descriptor) {
    listener = descriptor
    operations.append(.accept(descriptor), token: Token(owner: 1, verb: Verb.accept.rawValue))
  }

  // MARK: What a test does to it

  /// Forgets all producers, as a restart does. Topics stay.
  public func forgetProducers() {
    producers.removeAll()
    producerIDs.removeAll()
  }

  /// Forgets the edges that are registered: the next heartbeat is told so.
  public func forgetEdges() { knowsEdge = false }

  /// The most calls that a connection may have open; for those that come.
  public var maximumConcurrentCalls: Int {
    get { sessionOptions.maximumConcurrentCalls }
    set { sessionOptions.maximumConcurrentCalls = newValue }
  }

  /// Makes a topic known.
  public func addTopic(_ topic: String) { topics.insert(topic) }

  /// Tells every client to go elsewhere with new calls (GOAWAY).
  public func goAway() {
    eachConnection { id in self.connections[id].session.shutDown() }
    wake()
  }

  /// Closes every connection without answering what is open.
  public func closeConnections() {
    eachConnection { id in self.close(id) }
    wake()
  }

  /// Goes away as a process that is stopped: nobody listens, connections end, producers are
  /// forgotten.
  public func goDown() {
    if let listener {
      operations.append(
        .close(listener), token: Token(owner: 1, verb: Verb.stopListening.rawValue))
    }
    listener = nil
    forgetProducers()
    closeConnections()
  }

  /// Comes back after ``goDown()``, which was over before.
  public func comeUp() throws(IOError) {
    try listen()
    wake()
  }

  /// From now on nothing is heard or said on the connections that there are, as after a device
  /// between forgot them; new ones work.
  public func deafenConnections() {
    eachConnection { id in self.connections[id].isDeaf = true }
  }

  private func wake() { port.wake() }

  private func eachConnection(_ body: (SlotID) -> Void) {
    for index in 0..<connections.upperBound {
      if let id = connections.tenant(at: index) { body(id) }
    }
  }

  // MARK: The loop

  /// One turn of its loop; the driver calls it.
  public func turn() { turn(atMostUntil: .distantFuture) }

  /// One turn of its loop on a real port, in which it waits so long at most.
  public func turn(atMostMilliseconds milliseconds: Int) {
    turn(atMostUntil: port.now.advanced(milliseconds: milliseconds))
  }

  private func turn(atMostUntil limit: Instant) {
    port.wait(until: min(timers.nextDeadline, limit))
    while let completion = port.next() { handle(completion) }
    while let token = timers.popDue(at: port.now) {
      if let answer = pending.removeValue(forKey: token.rawValue) { give(answer) }
    }
    eachConnection { id in
      guard !self.connections[id].isClosing, !self.connections[id].isDeaf else { return }
      let token = self.token(.send, id)
      self.connections[id].flush(token: token, operations: &self.operations)
    }
    port.submit(&operations)
  }

  private func handle(_ completion: consuming Completion) {
    let id = completion.token.slot
    let isConnection = completion.token.verb == Verb.close.rawValue
    switch consume completion.event {
    case .accepted(let descriptor, _):
      connectionCount += 1
      let id = connections.insert(
        BrokerConnection(
          descriptor: descriptor, session: ServerSession(options: sessionOptions),
          tls: tls.map { try? TLSSession($0) } ?? nil))
      operations.append(.receive(descriptor), token: token(.receive, id))
      switch onConnection?() ?? .serve {
      case .serve: break
      case .goAway: connections[id].session.shutDown()
      case .close: close(id)
      case .silence: connections[id].isDeaf = true
      }
    case .acceptEnded: if let listener { accept(on: listener) }
    case .received(let received):
      take(received, id)
    case .receiveEnded(let error):
      if error?.kind == .resourcesExhausted, !connections[id].isClosing {
        operations.append(
          .receive(connections[id].descriptor), token: token(.receive, id))
      } else {
        close(id)
      }
    case .sent(let count):
      if !connections[id].isClosing { connections[id].transport.sent(count) }
    case .sendFailed: close(id)
    case .closed:
      if isConnection { _ = connections.remove(id) }
    case .file: break
    case .connected: break
    case .connectFailed: break
    case .queueMeasured: break
    case .rung: break
    }
  }

  private func take(_ received: consuming ReceivedBytes, _ id: SlotID) {
    receivedBytes += received.count
    if !connections[id].isClosing, !connections[id].isDeaf {
      let isSound = connections[id].receive(received.bytes)
      while !connections[id].isClosing, let event = connections[id].session.nextEvent() {
        switch event {
        case .call(let stream): call(stream, id)
        case .cancelled(let stream):
          cancelCount += 1
          openStreams.remove(BatchStream(connection: id, stream: stream))
          leave(stream, id)
        case .closed(let stream):
          openStreams.remove(BatchStream(connection: id, stream: stream))
          leave(stream, id)
        case .opened(let stream): streamOpened(stream, id)
        case .message(let stream): batchArrived(stream, id)
        case .finished(let stream):
          openStreams.remove(BatchStream(connection: id, stream: stream))
          connections[id].session.endStream(stream, status: .ok, message: "")
        }
      }
      if !isSound {
        // The client is told why.
        connections[id].flush(token: token(.send, id), operations: &operations)
        close(id)
      }
    }
    operations.recycle(received)
  }

  func close(_ id: SlotID) {
    guard !connections[id].isClosing else { return }
    connections[id].isClosing = true
    for (stream, _) in connections[id].openSends { leave(stream, id) }
    operations.append(.close(connections[id].descriptor), token: token(.close, id))
  }

  private func token(_ verb: Verb, _ id: SlotID) -> Token {
    Token(owner: 1, verb: verb.rawValue, slot: id)
  }

  /// Gives an answer after a while.
  func schedule(_ answer: PendingAnswer, afterMilliseconds delay: Int) {
    if delay == 0 { return give(answer) }
    schedule(answer, at: port.now.advanced(milliseconds: delay))
  }

  /// Gives an answer at an instant, after those that were to be given then before.
  func schedule(_ answer: PendingAnswer, at instant: Instant) {
    pendingCount += 1
    pending[pendingCount] = answer
    // A nanosecond apart, so that answers due together are given in the order of their calls.
    let due = instant.advanced(nanoseconds: pendingCount)
    timers.schedule(Token(rawValue: pendingCount), at: due)
  }

  func producerID(of topic: String, name: String) -> UInt64 {
    let identity = topic + "\u{0}" + name
    if let known = producerIDs[identity] { return known }
    let id = nextProducerID
    nextProducerID += 1
    producerIDs[identity] = id
    producers[id] = topic
    return id
  }
}
