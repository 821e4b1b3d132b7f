import Bytes
import IOPort
import MQTT
import Simulator

/// A device that publishes its messages in order, sends what is not answered again, in order, on
/// its next connection, and checks that it is answered in order and only for what it sent.
final class SimulatedDevice: SimulatedLoop {
  private enum Verb {
    static let connect: UInt8 = 1
    static let receive: UInt8 = 2
    static let send: UInt8 = 3
    static let close: UInt8 = 4
  }

  private enum Link: Equatable {
    case away
    case connecting
    case greeting
    case open
    case closing
  }

  let portID: NodeID
  let name: String
  let habits: DeviceHabits
  let messages: [PlannedMessage]
  /// Is told of every answer, when it arrives.
  var onAnswer: ((_ message: Int, _ reason: UInt8) -> Void)?
  /// Once set it does not connect again.
  var staysAway = false
  /// Once set it does not leave any more by itself.
  var isCalm = false
  /// While set it sends as many pings as its socket takes.
  var floodsPings = false
  private(set) var pingCount = 0
  /// Once set it publishes no further messages.
  var isSilent = false

  private let world: SimulatedWorld
  private var port: SimulatedPort
  private var operations = OperationQueue()
  private let gateway: SocketAddress
  var random: SplitMix64
  var session: ClientSession
  private var outbox = Outbox()
  private var input = GrowableBytes()
  private var link = Link.away
  private var descriptor: Descriptor?
  private(set) var attempt: UInt32 = 0
  private var isReceiving = false
  private var isConnectPending = false
  /// Sent on this connection and not answered, oldest first.
  private var unanswered: [(packetID: UInt16, message: Int)] = []
  /// The next message to send on this connection.
  private var cursor = 0
  /// All messages before it are settled.
  var firstOpen = 0

  private var retryAt: Instant
  private var sendAt = Instant.distantFuture
  private var pingAt = Instant.distantFuture
  private var impatientAt = Instant.distantFuture
  private var readAgainAt = Instant.distantFuture

  /// How often each message was sent.
  private(set) var sentCounts: [Int]
  /// The answer to each message; nil while there is none.
  private(set) var answers: [UInt8?]
  private(set) var answeredCount = 0
  private(set) var connectionCount = 0
  private(set) var violations: [String] = []
  /// Reasons of DISCONNECT packets from the gateway.
  private(set) var disconnectReasons: [UInt8] = []
  /// The will of each connection, by its number.
  var wills: [UInt32: WillState] = [:]
  /// On which connection each message was sent first.
  private(set) var firstConnections: [UInt32]
  /// The newest of those connections, of the messages that were accepted with the will's key.
  var newestAccepted: UInt32 = 0
  /// Messages sent with an alias in place of their topic.
  var aliasedCount = 0
  var aliases: [[UInt8]: UInt16] = [:]
  /// Times that it found its session again.
  var resumedCount = 0
  /// Times it gave a silent connection up.
  private(set) var impatienceCount = 0

  init(
    _ world: SimulatedWorld, host: UInt32, name: String, gateway: SocketAddress,
    messages: [PlannedMessage], habits: DeviceHabits, seed: UInt64
  ) {
    self.world = world
    port = world.makePort(
      host: host, limits: SimulatedPortLimits(receiveBufferCount: 4, receiveBufferBytes: 256))
    portID = port.id
    self.name = name
    self.gateway = gateway
    self.messages = messages
    self.habits = habits
    random = SplitMix64(seed: seed)
    session = ClientSession(version: habits.version)
    sentCounts = Array(repeating: 0, count: messages.count)
    firstConnections = Array(repeating: 0, count: messages.count)
    answers = Array(repeating: nil, count: messages.count)
    retryAt = world.now.advanced(milliseconds: Int.random(in: 0...20, using: &random))
  }

  var isOpen: Bool { link == .open }
  var isAway: Bool { link == .away }
  var lentBufferCount: Int { port.lentBufferCount }

  /// Whether every message was sent, and answered if it asks for that.
  var isDone: Bool {
    settle()
    return firstOpen == messages.count
  }

  // MARK: The loop

  func turn() {
    let deadline = min(retryAt, sendAt, pingAt, min(impatientAt, readAgainAt))
    port.wait(until: deadline)
    while let completion = port.next() { handle(completion) }
    advance(to: port.now)
    if let descriptor, link == .open || link == .greeting {
      outbox.flush(to: descriptor, token: token(Verb.send), operations: &operations)
    }
    port.submit(&operations)
  }

  private func token(_ verb: UInt8) -> Token {
    Token(owner: 7, verb: verb, slot: SlotID(index: attempt, generation: 0))
  }

  private func advance(to now: Instant) {
    if now >= retryAt { connect(at: now) }
    if now >= impatientAt {
      impatienceCount += 1
      leave(says: false)
    }
    if now >= readAgainAt {
      readAgainAt = .distantFuture
      receive()
    }
    guard link == .open else { return }
    if habits.leavesPerMille > 0, !isCalm,
      Int.random(in: 0..<1_000, using: &random) < habits.leavesPerMille
    {
      return leave(says: Bool.random(using: &random))
    }
    if now >= sendAt { publish(at: now) }
    if floodsPings, outbox.isEmpty {
      for _ in 0..<200 { outbox.write { output in session.writePingreq(into: &output) } }
      pingCount += 200
    }
    if now >= pingAt {
      if outbox.pendingBytes < 4_096 {
        outbox.write { output in session.writePingreq(into: &output) }
      }
      schedulePing(at: now)
      if impatientAt == .distantFuture { expectAnswer(at: now) }
    }
  }

  private func connect(at now: Instant) {
    retryAt = .distantFuture
    if staysAway { return }
    attempt += 1
    link = .connecting
    isConnectPending = true
    operations.append(.connect(gateway), token: token(Verb.connect))
    expectAnswer(at: now)
  }

  private func expectAnswer(at now: Instant) {
    impatientAt = now.advanced(milliseconds: habits.patienceMilliseconds)
  }

  private func schedulePing(at now: Instant) {
    let keepAlive = Int(habits.keepAliveSeconds) * 1_000
    pingAt =
      keepAlive == 0 || habits.forgetsPings
      ? .distantFuture : now.advanced(milliseconds: keepAlive * 2 / 3)
  }

  private func publish(at now: Instant) {
    sendAt = .distantFuture
    let window = min(habits.window, habits.version == .v5 ? session.serverReceiveMaximum : 65_535)
    var left = habits.burst
    while !isSilent, left > 0, cursor < messages.count, outbox.pendingBytes < 65_536 {
      if sentCounts[cursor] > 0, isSettled(cursor) {
        cursor += 1
        continue
      }
      let message = messages[cursor]
      if message.qos == .atLeastOnce, unanswered.count >= window { return }
      send(message)
      left -= 1
      schedulePing(at: now)
    }
    if cursor < messages.count, !isSilent {
      let rest = Int.random(in: habits.restMilliseconds, using: &random)
      sendAt = now.advanced(milliseconds: outbox.isEmpty ? rest : max(rest, 1))
    }
  }

  private func send(_ message: PlannedMessage) {
    let isRepeated = sentCounts[cursor] > 0
    if !isRepeated { firstConnections[cursor] = attempt }
    var properties = PublishProperties()
    let topic = aliased(message.topic, &properties)
    let packetID = outbox.write { output in
      session.writePublish(
        topic: topic.span.bytes, payload: message.payload.span.bytes, qos: message.qos,
        duplicate: isRepeated && habits.marksDuplicates && message.qos == .atLeastOnce,
        properties: properties, into: &output)
    }
    sentCounts[cursor] += 1
    if message.qos == .atLeastOnce {
      if unanswered.isEmpty { expectAnswer(at: port.now) }
      unanswered.append((packetID, cursor))
    }
    cursor += 1
  }

  private func receive() {
    guard let descriptor, !isReceiving, link == .open || link == .greeting else { return }
    isReceiving = true
    operations.append(.receive(descriptor), token: token(Verb.receive))
  }

  /// Reads nothing for a while.
  func stopReading(forMilliseconds milliseconds: Int) {
    guard isReceiving, readAgainAt == .distantFuture else { return }
    operations.append(.cancel(token(Verb.receive)), token: Token(rawValue: 1))
    readAgainAt = port.now.advanced(milliseconds: milliseconds)
    world.ring(port.doorbell)
  }

  /// Connects again after `staysAway`.
  func comeBack() {
    staysAway = false
    guard link == .away else { return }
    retryAt = world.now
    world.ring(port.doorbell)
  }

  /// Ends the connection from this side; with `says` politely.
  func leave(says: Bool) {
    guard let descriptor else {
      if link == .connecting, isConnectPending {
        operations.append(.cancel(token(Verb.connect)), token: Token(rawValue: 1))
        impatientAt = .distantFuture
      }
      return
    }
    guard link != .closing else { return }
    if says, link == .open {
      outbox.write { output in session.writeDisconnect(into: &output) }
      outbox.flush(to: descriptor, token: token(Verb.send), operations: &operations)
    }
    noteWillAtEnd(says: says && link == .open)
    link = .closing
    (sendAt, pingAt) = (.distantFuture, .distantFuture)
    (impatientAt, readAgainAt) = (.distantFuture, .distantFuture)
    operations.append(.close(descriptor), token: token(Verb.close))
    world.ring(port.doorbell)
  }

  // MARK: Completions

  private func handle(_ completion: consuming Completion) {
    let isCurrent = completion.token.slot.index == attempt
    precondition(isCurrent || completion.token.rawValue == 0, "a completion after the last")
    switch consume completion.event {
    case .connected(let descriptor): connected(descriptor)
    case .connectFailed:
      isConnectPending = false
      rest()
    case .received(let received): take(received)
    case .receiveEnded(let error): receiveEnded(error)
    case .sent(let count): outbox.sent(count)
    case .sendFailed: leave(says: false)
    case .closed: rest()
    default: break
    }
  }

  private func connected(_ descriptor: Descriptor) {
    self.descriptor = descriptor
    isConnectPending = false
    connectionCount += 1
    link = .greeting
    session = ClientSession(version: habits.version)
    var options = ClientOptions(clientID: name)
    options.keepAliveSeconds = habits.keepAliveSeconds
    aliases.removeAll()
    setWill(&options)
    outbox.write { output in session.writeConnect(options, into: &output) }
    receive()
    expectAnswer(at: port.now)
  }

  private func receiveEnded(_ error: IOError?) {
    isReceiving = false
    switch error?.kind {
    case .resourcesExhausted: receive()
    case .cancelled:
      if readAgainAt == .distantFuture { receive() }
    default: leave(says: false)
    }
  }

  /// The connection is over: another one follows after a while.
  private func rest() {
    link = .away
    descriptor = nil
    isReceiving = false
    outbox.reset()
    input.removeAll()
    unanswered.removeAll()
    settle()
    cursor = firstOpen
    (sendAt, pingAt) = (.distantFuture, .distantFuture)
    (impatientAt, readAgainAt) = (.distantFuture, .distantFuture)
    retryAt = port.now.advanced(
      milliseconds: Int.random(in: habits.reconnectMilliseconds, using: &random))
  }

  private func take(_ received: consuming ReceivedBytes) {
    if link == .open || link == .greeting {
      input.append(received.bytes)
      readPackets()
      if habits.stopsReadingPerMille > 0, link == .open,
        Int.random(in: 0..<1_000, using: &random) < habits.stopsReadingPerMille
      {
        stopReading(forMilliseconds: Int.random(in: 1...2_000, using: &random))
      }
    }
    operations.recycle(received)
  }

  private func readPackets() {
    var bytes = GrowableBytes()
    swap(&bytes, &input)
    var used = 0
    while link == .open || link == .greeting,
      let packet = DevicePacket.next(in: bytes.bytes, consumed: &used, session: &session)
    {
      take(packet)
    }
    bytes.removeFirst(used)
    swap(&bytes, &input)
  }

  private func take(_ packet: DevicePacket) {
    let now = port.now
    impatientAt = .distantFuture
    switch packet {
    case .connack(let code, let isPresent):
      guard link == .greeting, code == 0 else { return complain("CONNACK with \(code)") }
      link = .open
      noteWill(isSessionPresent: isPresent)
      if isPresent, habits.will != .delayed { complain("a session that it did not ask for") }
      sendAt = now
      schedulePing(at: now)
    case .puback(let packetID, let reason): answered(packetID, reason)
    case .pingResponse: break
    case .disconnect(let reason):
      disconnectReasons.append(reason)
      leave(says: false)
      return
    case .unwanted(let what): complain("unwanted \(what)")
    }
    if !unanswered.isEmpty, link == .open { expectAnswer(at: now) }
  }

  private func answered(_ packetID: UInt16, _ reason: UInt8) {
    guard let oldest = unanswered.first else {
      return complain("an answer for \(packetID), but none is owed")
    }
    guard oldest.packetID == packetID else {
      return complain("an answer for \(packetID) before the one for \(oldest.packetID)")
    }
    unanswered.removeFirst()
    if answers[oldest.message] == nil { answeredCount += 1 }
    answers[oldest.message] = reason
    onAnswer?(oldest.message, reason)
    if sendAt == .distantFuture { sendAt = port.now }
  }

  private func complain(_ text: String) {
    violations.append("\(name): \(text)")
    leave(says: false)
  }
}
