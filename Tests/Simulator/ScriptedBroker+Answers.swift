import Bytes
import DanubeProtocol
import GRPC
import IOPort
import TLS

extension ScriptedBroker {
  /// A message as a producer sent it.
  public struct Message: Equatable, Sendable {
    /// The topic.
    public var topic: String
    /// The routing key.
    public var key: [UInt8]
    /// What was sent.
    public var payload: [UInt8]
    /// The producer that sent it.
    public var producerID: UInt64
    /// `msg_id.broker_addr`.
    public var brokerAddress: String
    /// When it was published, Unix milliseconds.
    public var publishTimeMilliseconds: UInt64
    /// Its attribute `gateway.record_id`; empty when it has none.
    public var recordID = ""
    /// When it arrived.
    public var arrivedAt: Instant
    /// Whether it came in a batch.
    public var isReplicated = false
  }

  /// What becomes of a new connection.
  public enum ConnectionAnswer {
    /// It is served.
    case serve
    /// It is told at once to take its calls elsewhere.
    case goAway
    /// It is closed at once.
    case close
    /// Nothing is heard or said on it.
    case silence
  }

  /// What a look-up answers.
  public enum LookupAnswer {
    /// An answer with these URLs; `isProxy` when they differ.
    case at(connectURL: String, brokerURL: String, type: LookupType)
    /// A status instead.
    case fail(StatusCode, String)
    /// No answer.
    case never
  }

  /// What CreateProducer answers.
  public enum CreateAnswer {
    /// The producer, which may be new.
    case ok
    /// A status instead; the topic is created when `createsTopic`.
    case fail(StatusCode, String, createsTopic: Bool)
    /// No answer.
    case never
  }

  /// What becomes of a message.
  public struct SendAnswer: Sendable {
    /// How it ends.
    public enum Outcome: Sendable {
      /// It is accepted.
      case ok
      /// It is not.
      case fail(StatusCode, String)
      /// No answer; it is accepted all the same when `isAccepted`.
      case never(isAccepted: Bool)
      /// The connection ends instead of an answer; it is accepted all the same when `isAccepted`.
      case closeConnection(isAccepted: Bool)
    }

    /// How it ends.
    public var outcome: Outcome
    /// After how long.
    public var delayMilliseconds: Int

    /// An outcome, at once or after a while.
    public init(_ outcome: Outcome, delayMilliseconds: Int = 0) {
      self.outcome = outcome
      self.delayMilliseconds = delayMilliseconds
    }
  }

  /// The answer to one message, while it waits for its time.
  struct PendingAnswer {
    let connection: SlotID
    let stream: Int32
    let message: Message
    let requestID: UInt64
    /// The messages of a batch, which are acknowledged as one.
    var batch: (topic: String, number: UInt64, messages: [Message])?
    let outcome: SendAnswer.Outcome
  }

  // MARK: Calls

  func call(_ stream: Int32, _ id: SlotID) {
    switch connections[id].method {
    case .topicLookup: lookUp(stream, id)
    case .createProducer: create(stream, id)
    case .sendMessage: send(stream, id)
    case .registerEdge where hasEdgeService: register(stream, id)
    case .edgeHeartbeat where hasEdgeService: beat(stream, id)
    default: connections[id].session.fail(stream, status: .unimplemented, message: "scripted")
    }
  }

  private func lookUp(_ stream: Int32, _ id: SlotID) {
    lookupCount += 1
    guard let request = connections[id].lookupRequest else {
      return fail(stream, id, .internalError, "not a TopicLookupRequest")
    }
    let topic = String(decoding: request.topic, as: UTF8.self)
    let known: LookupAnswer =
      topics.contains(topic)
      ? .at(connectURL: advertisedURL, brokerURL: advertisedURL, type: .connect)
      : .fail(.notFound, "Topic \(topic) not found")
    switch onLookup?(topic) ?? known {
    case .at(let connectURL, let brokerURL, let type):
      let answer = TopicLookupResponse(
        requestID: request.requestID, lookupType: type, connectURL: Array(connectURL.utf8),
        brokerURL: Array(brokerURL.utf8), isProxy: connectURL != brokerURL)
      var bytes = GrowableBytes()
      answer.encode(into: &bytes)
      connections[id].session.respond(stream, message: bytes.bytes)
    case .fail(let status, let text): fail(stream, id, status, text)
    case .never: break
    }
  }

  private func create(_ stream: Int32, _ id: SlotID) {
    createCount += 1
    guard let request = connections[id].producerRequest else {
      return fail(stream, id, .internalError, "not a ProducerRequest")
    }
    let topic = String(decoding: request.topicName, as: UTF8.self)
    strategies[topic] = request.dispatchStrategy
    let attempt = createAttempts[topic, default: 0]
    createAttempts[topic] = attempt + 1
    switch onCreate?(topic, attempt) ?? .ok {
    case .ok:
      topics.insert(topic)
      let name = String(decoding: request.producerName, as: UTF8.self)
      let answer = ProducerResponse(
        requestID: request.requestID, producerID: producerID(of: topic, name: name),
        producerName: request.producerName)
      var bytes = GrowableBytes()
      answer.encode(into: &bytes)
      connections[id].session.respond(stream, message: bytes.bytes)
    case .fail(let status, let text, let createsTopic):
      if createsTopic { topics.insert(topic) }
      fail(stream, id, status, text)
    case .never: break
    }
  }

  private func send(_ stream: Int32, _ id: SlotID) {
    sendCount += 1
    guard let (message, requestID) = connections[id].message(at: port.now) else {
      // A real broker's handler panics when there is no msg_id, and the stream is reset.
      return fail(stream, id, .cancelled, "no msg_id")
    }
    guard producers[message.producerID] == message.topic else {
      return fail(stream, id, .notFound, "producer \(message.producerID) not found")
    }
    enter(stream, id, message)
    let answer = onMessage?(message) ?? SendAnswer(.ok)
    schedule(
      PendingAnswer(
        connection: id, stream: stream, message: message, requestID: requestID,
        outcome: answer.outcome),
      afterMilliseconds: answer.delayMilliseconds)
  }

  /// Gives an answer whose time has come. The message counts whether or not its connection lives.
  func give(_ answer: PendingAnswer) {
    if let batch = answer.batch { return give(answer, to: batch) }
    let isThere = connections.contains(answer.connection)
    let id = answer.connection
    switch answer.outcome {
    case .ok:
      accepted.append(answer.message)
      guard isThere, !connections[id].isClosing else { return }
      var bytes = GrowableBytes()
      RequestEcho(requestID: answer.requestID).encode(into: &bytes)
      leave(answer.stream, id)
      connections[id].session.respond(answer.stream, message: bytes.bytes)
    case .fail(let status, let text):
      guard isThere, !connections[id].isClosing else { return }
      leave(answer.stream, id)
      fail(answer.stream, id, status, text)
    case .never(let isAccepted):
      if isAccepted { accepted.append(answer.message) }
    case .closeConnection(let isAccepted):
      if isAccepted { accepted.append(answer.message) }
      if isThere { close(id) }
    }
  }

  func fail(_ stream: Int32, _ id: SlotID, _ status: StatusCode, _ text: String) {
    connections[id].session.fail(stream, status: status, message: text)
  }

  // MARK: How much is open

  private func enter(_ stream: Int32, _ id: SlotID, _ message: Message) {
    let key = OpenSend(topic: message.topic, key: message.key)
    connections[id].openSends[stream] = key
    let open = connections[id].openByKey[key, default: 0] + 1
    connections[id].openByKey[key] = open
    inFlight += 1
    peakInFlight = max(peakInFlight, inFlight)
    peakPerKey = max(peakPerKey, open)
  }

  /// A call is answered, cancelled, or its connection is gone.
  func leave(_ stream: Int32, _ id: SlotID) {
    guard let key = connections[id].openSends.removeValue(forKey: stream) else { return }
    inFlight -= 1
    let open = connections[id].openByKey[key, default: 1] - 1
    connections[id].openByKey[key] = open == 0 ? nil : open
  }
}

/// What an open SendMessage call is about.
struct OpenSend: Hashable {
  let topic: String
  let key: [UInt8]
}

/// One client of a ``ScriptedBroker``.
struct BrokerConnection: ~Copyable {
  let descriptor: Descriptor
  var session: ServerSession
  var transport: Transport
  private var scratch = Transport.Scratch()
  var isClosing = false
  /// Nothing is heard or said on it any more.
  var isDeaf = false
  var openSends: [Int32: OpenSend] = [:]
  var openByKey: [OpenSend: Int] = [:]
  /// Streams of batches that get no answer any more.
  var hangingStreams: [Int32: ScriptedBroker.SendAnswer.Outcome] = [:]
  /// When the last answer of a stream is due.
  var lastDue: [Int32: Instant] = [:]

  init(
    descriptor: Descriptor, session: consuming ServerSession, tls: consuming TLSSession?
  ) {
    self.descriptor = descriptor
    self.session = session
    transport = Transport(tls)
  }

  /// Takes bytes; false when the connection is of no use any more.
  mutating func receive(_ bytes: RawSpan) -> Bool {
    guard transport.isEncrypted else { return (try? session.receive(bytes)) != nil }
    let isSound = (try? transport.receive(bytes, scratch: &scratch)) != nil
    let received = Array(copying: scratch.received.bytes)
    return (try? session.receive(received.span.bytes)) != nil && isSound
  }

  var method: DanubeMethod? { DanubeMethod(path: session.currentPath) }

  var lookupRequest: TopicLookupRequest? {
    try? TopicLookupRequest(decoding: session.currentMessage)
  }

  var producerRequest: ProducerRequest? { try? ProducerRequest(decoding: session.currentMessage) }

  /// The message of a SendMessage; nil when it is none, or has no `msg_id`.
  func message(at now: Instant) -> (ScriptedBroker.Message, requestID: UInt64)? {
    do {
      let view = try StreamMessageView(decoding: session.currentMessage)
      guard view.hasMessageID else { return nil }
      var message = ScriptedBroker.Message(
        topic: String(decoding: Array(copying: view.topicName), as: UTF8.self),
        key: Array(copying: view.routingKey), payload: Array(copying: view.payload),
        producerID: view.producerID,
        brokerAddress: String(decoding: Array(copying: view.brokerAddress), as: UTF8.self),
        publishTimeMilliseconds: view.publishTimeMilliseconds, arrivedAt: now)
      message.readRecordID(view)
      return (message, view.requestID)
    } catch {
      return nil
    }
  }

  mutating func flush(token: Token, operations: inout OperationQueue) {
    if transport.isReady { session.writeOutput(to: &transport.outbox) }
    transport.flush(to: descriptor, token: token, scratch: &scratch, operations: &operations)
  }
}

extension ScriptedBroker {
  /// CreateProducer calls for a topic.
  public func createAttempts(of topic: String) -> Int { createAttempts[topic, default: 0] }
}
