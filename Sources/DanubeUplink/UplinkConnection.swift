import Bytes
import DanubeProtocol
import GRPC
import IOPort
import TLS

/// One connection to a broker: its HTTP/2 session and its bytes on the way.
struct UplinkConnection: ~Copyable {
  private static let statusTextLimit = 16 << 10
  private static let backlogBytes: UInt64 = 64 << 10

  let broker: Int
  let address: SocketAddress
  var phase: ConnectionPhase
  var session: ClientSession
  var transport: Transport
  /// Which of the uplink's tokens its calls carry.
  let tokenNumber: Int
  /// It takes no new calls and is closed when its last one is over.
  var isRetired = false
  /// The peer has answered a call.
  var isProven = false
  /// Whether there still is somebody.
  var keepalive: Keepalive
  /// Bytes of requests given to the session, and how many of them have left.
  private(set) var submittedBytes: UInt64 = 0
  private(set) var departedBytes: UInt64 = 0
  private let startedAt: Instant
  /// How many calls with records may be under way.
  var window: CallWindow
  /// Streams of lanes that replicate.
  var replicationStreams = 0
  /// What the kernel has.
  var link: LinkQueue
  /// When bytes left last.
  private(set) var sentAt: Instant

  init(
    broker: Int, address: SocketAddress, session: consuming ClientSession,
    tls: consuming TLSSession?, tokenNumber: Int, deadline: Instant, pingIntervalMilliseconds: Int,
    callDeadlineMilliseconds: Int, at now: Instant
  ) {
    self.broker = broker
    self.address = address
    self.session = session
    self.tokenNumber = tokenNumber
    // A session writes up to 256 KiB a turn, and what a buffer holds doubles when it grows.
    transport = Transport(tls, keptBytes: 512 << 10)
    phase = .connecting(deadline: deadline)
    keepalive = Keepalive(intervalMilliseconds: pingIntervalMilliseconds, at: deadline)
    sentAt = deadline
    window = CallWindow(deadlineMilliseconds: callDeadlineMilliseconds, at: now)
    link = LinkQueue(at: now)
    startedAt = now
  }

  /// How long it took to connect; known until that is over.
  func connectNanoseconds(at now: Instant) -> UInt64 { now.nanoseconds(since: startedAt) }

  /// Calls with records that may be under way.
  var sendLimit: Int { min(session.callLimit, window.size) }

  /// How many more may start.
  var freeSends: Int { min(session.freeCallCount, max(0, window.size - session.callsInFlight)) }

  /// The descriptor while the connection is open.
  var descriptor: Descriptor? { phase.descriptor }

  var isOpen: Bool { descriptor != nil }

  var isConnecting: Bool { phase.isConnecting }

  /// When it has to be looked at next; nil when only a completion changes it.
  var nextDeadline: Instant? {
    switch phase {
    case .connecting(let deadline), .securing(_, let deadline): return deadline
    case .abandoned, .closing: return nil
    case .open:
      let deadline = keepalive.deadline(hasCalls: session.callsInFlight > 0)
      guard let measure = nextMeasure else { return deadline }
      return min(measure, deadline ?? measure)
    }
  }

  /// When the kernel is to be asked what it has.
  private var nextMeasure: Instant? {
    link.nextMeasure(quietSince: session.callsInFlight > 0 ? keepalive.quietSince : nil)
  }

  /// Asks the kernel what it has, if that is due.
  mutating func measure(token: Token, at now: Instant, operations: inout OperationQueue) {
    guard let descriptor, let next = nextMeasure, now >= next else { return }
    link.beginMeasure()
    operations.append(.measureQueue(descriptor), token: token)
  }

  /// The kernel has so many bytes: a network that takes some is a sign of life.
  mutating func queueMeasured(_ count: Int, at now: Instant) {
    if link.measured(count, quietSince: keepalive.quietSince, at: now) { keepalive.heard(at: now) }
  }

  /// The network took bytes. While more wait behind them that is a sign of life: it took them
  /// because the peer made room.
  ///
  /// Frames are counted as if they were requests only, so that requests seem to leave a little
  /// early.
  mutating func sent(_ count: Int, at now: Instant) {
    transport.sent(count)
    link.sent(count)
    sentAt = now
    departedBytes = min(departedBytes &+ UInt64(count), submittedBytes)
    if !transport.isEmpty || session.hasOutput { keepalive.heard(at: now) }
  }

  /// The ``departedBytes`` at which a request that is started now has left. Streams take turns, so
  /// that a large one leaves after smaller ones behind it: with everything else.
  func sentMark(requestBytes: UInt64) -> UInt64 {
    requestBytes > Self.backlogBytes ? .max : submittedBytes &+ requestBytes
  }

  /// The bytes of the ``link`` behind which a small request leaves that is started now.
  var linkMark: UInt64 { link.sentBytes &+ UInt64(transport.pendingBytes) }

  /// Whether so much waits to leave that it may take as long as an answer.
  var isBackedUp: Bool { submittedBytes - departedBytes > Self.backlogBytes }

  /// Whether the request of a call waits for room in a network that still takes bytes.
  func isLeaving(_ call: Call) -> Bool {
    if call.kind != .send {
      return link.departedBytes < call.sentMark && link.progressAt > call.waitsSince
    }
    return departedBytes < min(call.sentMark, submittedBytes) && sentAt > call.waitsSince
  }

  /// Ends a call that had no answer in time; what has not left of its request never will.
  mutating func cancel(_ call: Call, tag: UInt64) {
    session.cancelCall(tag: tag)
    keepalive.doubt()
    let left = min(call.requestBytes, call.sentMark - min(call.sentMark, departedBytes))
    submittedBytes -= min(left, submittedBytes - departedBytes)
  }

  /// Starts a call with one message; false when the session takes none now.
  mutating func startCall(
    _ method: DanubeMethod, tag: UInt64, timeoutMilliseconds: Int,
    message: borrowing GrowableBytes, at now: Instant
  ) -> Bool {
    if session.callsInFlight == 0 { keepalive.callsBegin(at: now) }
    return session.startCall(
      MethodID(method), tag: tag, timeoutMilliseconds: timeoutMilliseconds,
      message: message.bytes)
  }

  /// Starts a SendMessage call whose message is `head`, `body` and `tail`. With a tag a large body
  /// is sent from where it lies. False when the session takes no call now.
  mutating func startSend(
    tag: UInt64, timeoutMilliseconds: Int, head: borrowing GrowableBytes, body: MemorySlice,
    bodyTag: UInt32?, tail: borrowing GrowableBytes, at now: Instant
  ) -> Bool {
    if session.callsInFlight == 0 {
      keepalive.callsBegin(at: now)
      departedBytes = submittedBytes
    }
    submittedBytes &+= UInt64(head.count + body.count + tail.count)
    return session.startCall(
      MethodID(.sendMessage), tag: tag, timeoutMilliseconds: timeoutMilliseconds,
      head: head.bytes, body: body, bodyTag: bodyTag, tail: tail.bytes)
  }

  /// Opens a call for messages to come; false when the session takes none now.
  mutating func startStream(_ method: DanubeMethod, tag: UInt64, at now: Instant) -> Bool {
    if session.callsInFlight == 0 { keepalive.callsBegin(at: now) }
    return session.startStream(MethodID(method), tag: tag)
  }

  /// Sends one more message on an open call. With a tag a large body is sent from where it lies.
  mutating func send(
    tag: UInt64, head: borrowing GrowableBytes, body: MemorySlice, bodyTag: UInt32?,
    tail: borrowing GrowableBytes
  ) {
    session.sendMessage(
      tag: tag, head: head.bytes, body: body, bodyTag: bodyTag, tail: tail.bytes)
  }

  /// Frames what is ready and asks for a send.
  mutating func flush(
    token: Token, scratch: inout Transport.Scratch, operations: inout OperationQueue
  ) {
    guard let socket = phase.socket else { return }
    if isOpen, !transport.isFull { writeOutput() }
    transport.flush(to: socket, token: token, scratch: &scratch, operations: &operations)
  }

  /// Frames what the link has room for; calls with one record each have a window of their own.
  private mutating func writeOutput() {
    guard replicationStreams > 0 else {
      link.setFull(false)
      return session.writeOutput(to: &transport.outbox)
    }
    let encrypted = transport.pendingBytes - transport.outbox.pendingBytes
    let limit = link.roomBytes - encrypted
    session.writeOutput(to: &transport.outbox, dataLimitBytes: limit)
    link.setFull(session.hasOutput && transport.outbox.pendingBytes >= limit)
  }

  /// A batch whose memory is named once less; nil when there is none.
  mutating func takeReleasedTag() -> UInt32? {
    transport.takeReleasedTag() ?? session.takeAbandonedBodyTag()
  }

  /// The last response message as the answer to a look-up; nil when it is not one.
  var lookupAnswer: TopicLookupResponse? {
    do throws(DanubeProtocolError) {
      return try TopicLookupResponse(decoding: session.currentMessage)
    } catch {
      return nil
    }
  }

  /// The last response message as the answer to CreateProducer; nil when it is not one.
  var producerAnswer: ProducerResponse? {
    do throws(DanubeProtocolError) {
      return try ProducerResponse(decoding: session.currentMessage)
    } catch {
      return nil
    }
  }

  /// The last response message as an acknowledgement; nil when it is not one.
  var replicateAnswer: ReplicateAck? {
    do throws(DanubeProtocolError) {
      return try ReplicateAck(decoding: session.currentMessage)
    } catch {
      return nil
    }
  }

  /// The last response message as the answer to RegisterEdge; nil when it is not one.
  var registrationAnswer: RegisterEdgeResponse? {
    do throws(DanubeProtocolError) {
      return try RegisterEdgeResponse(decoding: session.currentMessage)
    } catch {
      return nil
    }
  }

  /// The last response message as the answer to EdgeHeartbeat; nil when it is not one.
  var heartbeatAnswer: EdgeHeartbeatResponse? {
    do throws(DanubeProtocolError) {
      return try EdgeHeartbeatResponse(decoding: session.currentMessage)
    } catch {
      return nil
    }
  }

  /// A copy of what the broker said with the last status.
  var statusText: [UInt8] {
    let text = session.currentStatusMessage
    return Array(copying: text.extracting(0..<min(text.byteCount, Self.statusTextLimit)))
  }

  /// The descriptor is closed: nothing is read or written any more.
  mutating func abandon() {
    session.abandonAllCalls()
    transport.reset()
  }
}
