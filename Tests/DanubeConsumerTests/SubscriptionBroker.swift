import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Simulator

/// A broker for consumers: topics with records, subscriptions that deliver what is not acknowledged
/// within a window, and whatever trouble a test asks for.
final class SubscriptionBroker: SimulatedLoop {
  struct Connection: ~Copyable {
    let descriptor: Descriptor
    var session = ServerSession(options: ServerSession.Options())
    var outbox = Outbox()
    var isClosing = false
  }

  /// A consumer's session and how far it came.
  struct Consumer {
    let topic: String
    let name: String
    let subscription: String
    var connection: SlotID?
    var stream: Int32 = 0
    /// Offsets that were delivered and not acknowledged.
    var pending: Set<UInt64> = []
    /// Nothing is to be delivered below this offset.
    var next: Int
    var acknowledged: Set<UInt64> = []
    var isActive = true
  }

  enum Verb {
    static let accept: UInt8 = 1
    static let receive: UInt8 = 2
    static let send: UInt8 = 3
    static let close: UInt8 = 4
  }

  var port: SimulatedPort
  let portID: NodeID
  let address: SocketAddress
  var listener: Descriptor
  var connections = SlotTable<Connection>(capacity: 64)
  var operations = OperationQueue()

  var topics: [String: [StreamMessage]] = [:]
  /// Names that TopicPartitions tells besides the topics.
  var extraNames: [String] = []
  /// What look-ups answer; empty: no URL.
  var connectURL = ""
  /// The broker behind a proxy at ``connectURL``; nil without one.
  var brokerURL: [UInt8]?
  /// Topics of which look-ups and Subscribe know nothing, though TopicPartitions tells them.
  var unassigned: Set<String> = []
  var consumers: [UInt64: Consumer] = [:]
  var nextConsumerID: UInt64 = 1
  private var publishedCount: UInt64 = 0
  /// Messages delivered ahead of acknowledgements.
  var window = 10
  /// New subscriptions begin at the first record instead of behind the last one.
  var startsAtFirst = true
  var failingAcks = 0
  /// Calls of these methods are not answered.
  var silent: Set<DanubeMethod> = []
  var refusal: (method: DanubeMethod, status: StatusCode, text: String)?
  var closesHealth = false

  var acks: [AckRequest] = []
  var nacks: [NackRequest] = []
  var counts: [DanubeMethod: Int] = [:]
  var subscribes: [ConsumerRequest] = []

  init(_ world: SimulatedWorld, host: UInt32, port number: UInt16 = 6650) throws {
    port = world.makePort(host: host)
    portID = port.id
    address = SocketAddress(ipv4: host, port: number)
    listener = try port.listen(on: SocketAddress(ipv4: 0, port: number)).descriptor
    operations.append(.accept(listener), token: Token(owner: 1, verb: Verb.accept))
  }

  // MARK: What tests do

  /// Adds a record to a topic, and creates the topic.
  func publish(
    _ topic: String, _ payload: String, key: String? = nil,
    attributes: [(String, String)] = []
  ) {
    publish(topic, bytes: Array(payload.utf8), key: key, attributes: attributes)
  }

  /// Adds a record whose payload need not be text.
  func publish(
    _ topic: String, bytes: [UInt8], key: String? = nil, attributes: [(String, String)] = []
  ) {
    var message = StreamMessage()
    let offset = UInt64(topics[topic, default: []].count)
    message.messageID = MessageID(
      producerID: 77, topicName: Array(topic.utf8), brokerAddress: Array("http://b:6650".utf8),
      topicOffset: offset)
    message.payload = bytes
    message.publishTimeMilliseconds = 1_750_000_000_000 + publishedCount
    publishedCount += 1
    message.producerName = Array("maker".utf8)
    message.routingKey = key.map { Array($0.utf8) }
    message.attributes = attributes.map {
      StreamMessage.Attribute(key: Array($0.0.utf8), value: Array($0.1.utf8))
    }
    topics[topic, default: []].append(message)
    port.submit(&operations)
    operations.append(.ring(port.doorbell), token: Token(rawValue: 0))
    port.submit(&operations)
  }

  /// Ends every open stream with a status.
  func endStreams(_ status: StatusCode = .ok, _ text: String = "") {
    for (id, consumer) in consumers {
      guard let connection = consumer.connection, connections.contains(connection) else { continue }
      connections[connection].session.endStream(consumer.stream, status: status, message: text)
      consumers[id]?.connection = nil
    }
    wake()
  }

  /// Closes every connection.
  func dropConnections() {
    for index in 0..<connections.upperBound {
      if let id = connections.tenant(at: index) { close(id) }
    }
    wake()
  }

  /// Forgets every consumer id, as a restart does; subscriptions keep what was acknowledged.
  func forgetConsumers() {
    for id in Array(consumers.keys) { consumers[id]?.isActive = false }
    let old = consumers
    consumers = [:]
    for (id, consumer) in old { consumers[id + 1_000_000] = consumer }
    wake()
  }

  private func wake() {
    operations.append(.ring(port.doorbell), token: Token(rawValue: 0))
    port.submit(&operations)
  }

  // MARK: The loop

  func turn() {
    port.wait(until: .distantFuture)
    while let completion = port.next() { handle(completion) }
    deliver()
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index), !connections[id].isClosing else { continue }
      flush(id)
    }
    port.submit(&operations)
  }

  private func flush(_ id: SlotID) {
    let descriptor = connections[id].descriptor
    let token = Token(owner: 1, verb: Verb.send, slot: id)
    func write(_ connection: inout Connection, _ operations: inout OperationQueue) {
      connection.session.writeOutput(to: &connection.outbox)
      connection.outbox.flush(to: descriptor, token: token, operations: &operations)
    }
    write(&connections[id], &operations)
  }

  private func handle(_ completion: consuming Completion) {
    let id = completion.token.slot
    switch consume completion.event {
    case .accepted(let descriptor, _):
      let id = connections.insert(Connection(descriptor: descriptor))
      operations.append(
        .receive(descriptor), token: Token(owner: 1, verb: Verb.receive, slot: id))
    case .acceptEnded:
      operations.append(.accept(listener), token: Token(owner: 1, verb: Verb.accept))
    case .received(let received): take(received, id)
    case .receiveEnded(let error):
      guard !connections[id].isClosing else { return }
      if error?.kind == .resourcesExhausted {
        operations.append(
          .receive(connections[id].descriptor),
          token: Token(owner: 1, verb: Verb.receive, slot: id))
      } else {
        close(id)
      }
    case .sent(let count): connections[id].outbox.sent(count)
    case .sendFailed: close(id)
    case .closed: _ = connections.remove(id)
    case .connected: break
    case .connectFailed: break
    case .queueMeasured: break
    case .rung: break
    case .file: break
    }
  }

  private func take(_ received: consuming ReceivedBytes, _ id: SlotID) {
    if !connections[id].isClosing {
      var isBroken = false
      do throws(GRPCError) {
        try connections[id].session.receive(received.bytes)
      } catch {
        isBroken = true
      }
      while let event = connections[id].session.nextEvent() {
        switch event {
        case .call(let stream): call(stream, id)
        case .cancelled(let stream): streamGone(stream, id)
        case .opened, .message, .finished, .closed: break
        }
      }
      if isBroken { close(id) }
    }
    operations.recycle(received)
  }

  private func streamGone(_ stream: Int32, _ id: SlotID) {
    for (key, consumer) in consumers where consumer.connection == id && consumer.stream == stream {
      consumers[key]?.connection = nil
    }
  }

  func close(_ id: SlotID) {
    guard !connections[id].isClosing else { return }
    connections[id].isClosing = true
    for (key, consumer) in consumers where consumer.connection == id {
      consumers[key]?.connection = nil
    }
    operations.append(
      .close(connections[id].descriptor), token: Token(owner: 1, verb: Verb.close, slot: id))
  }
}
