import CGRPC
import Foundation
import Synchronization

/// A Danube broker as far as an uplink sees one, played by gRPC's C core: it answers as the test
/// says, and keeps what it was asked.
final class PlayedBroker: @unchecked Sendable {
  /// What to do with a message.
  enum Verdict {
    case accept
    /// Keep it without an answer until `releaseHeld`.
    case hold
    case fail(grpc_status_code, String)
  }

  /// A producer as it was asked for.
  struct Producer {
    let name: String
    let topic: String
    let accessMode: UInt64
    let dispatchStrategy: UInt64
  }

  struct Record {
    var producers: [UInt64: Producer] = [:]
    var producersCreated = 0
    var lookups: [String] = []
    /// What was answered with OK, in the order of the answers.
    var accepted: [DanubeMessage] = []
    /// What was asked, also when it failed: key and payload in the order of arrival.
    var attempts: [(key: String, text: String)] = []
    var outstanding = 0
    var mostOutstanding = 0
    var outstandingByKey: [String: Int] = [:]
    /// What no broker should see, as sentences.
    var complaints: [String] = []
    /// The `authorization` and `x-danube-broker-url` of the calls, each as often as it changed.
    var authorizations: [String?] = []
    var proxiedURLs: [String?] = []
    fileprivate var nextProducerID: UInt64 = 7_000
    fileprivate var held: [(CoreServerCall, DanubeMessage)] = []
  }

  let port: Int
  private let advertisedHost: String
  /// What it shows from the next start on; in clear without. Only the test's thread changes it.
  var tls: CoreTLS?
  /// What look-ups say instead of the own URL, as `connect_url` and `broker_url`.
  private let proxied: (connectURL: String, brokerURL: String)?
  private let record = Mutex(Record())
  private let decide: @Sendable (DanubeMessage, inout Record) -> Verdict
  // Only the test's thread starts and stops.
  private var server: CoreServer?

  /// Starts to serve; `advertisedHost` is what look-ups say.
  init(
    port: Int? = nil, advertisedHost: String = "127.0.0.1", tls: CoreTLS? = nil,
    proxiedBrokerURL: String? = nil,
    decide: @escaping @Sendable (DanubeMessage, inout Record) -> Verdict = { _, _ in .accept }
  ) throws {
    let port = try port ?? RawSocket.freePorts(1)[0]
    self.port = port
    self.advertisedHost = advertisedHost
    self.tls = tls
    scheme = tls == nil ? "http" : "https"
    let connectURL = "\(tls == nil ? "http" : "https")://\(advertisedHost):\(port)"
    proxied = proxiedBrokerURL.map { (connectURL, $0) }
    self.decide = decide
    try start()
  }

  deinit {
    stop()
  }

  private let scheme: String
  var url: String { "\(scheme)://127.0.0.1:\(port)" }
  var advertisedURL: String { "\(scheme)://\(advertisedHost):\(port)" }
  var seen: Record { record.withLock { $0 } }

  func start() throws {
    server = try CoreServer(port: port, tls: tls) { [weak self] call in self?.handle(call) }
  }

  /// Goes away: connections break, and producers are forgotten as by a restarted broker.
  func stop() {
    record.withLock { $0.held = [] }
    server?.stop()
    server = nil
    record.withLock { record in
      record.producers = [:]
      record.held = []
      record.outstanding = 0
      record.outstandingByKey = [:]
    }
  }

  func forgetProducers() {
    record.withLock { $0.producers = [:] }
  }

  /// Accepts what was held, in random order: the order of answers is the gateway's own work.
  func releaseHeld() {
    let held = record.withLock { record in
      defer { record.held = [] }
      return record.held
    }
    for (call, message) in held.shuffled() { accept(call, message) }
  }

  private func handle(_ call: CoreServerCall) {
    guard let request = Proto(call.request) else {
      complain("\(call.path): the request is no protobuf")
      return call.fail(GRPC_STATUS_INTERNAL, "no protobuf")
    }
    record.withLock { record in
      record.authorizations.note(call.headers["authorization"])
      if call.path != DanubePath.topicLookup {
        record.proxiedURLs.note(call.headers["x-danube-broker-url"])
      }
    }
    switch call.path {
    case DanubePath.topicLookup: lookUp(call, request)
    case DanubePath.createProducer: createProducer(call, request)
    case DanubePath.sendMessage: receive(call)
    case DanubePath.healthCheck: call.answer(Proto())
    default: call.fail(GRPC_STATUS_UNIMPLEMENTED, "")
    }
  }

  private func lookUp(_ call: CoreServerCall, _ request: Proto) {
    record.withLock { $0.lookups.append(request.text(2)) }
    let answer = Proto().with(3, request.number(1)).with(4, 1)
    guard let proxied else {
      return call.answer(answer.with(5, advertisedURL).with(6, advertisedURL))
    }
    call.answer(answer.with(5, proxied.connectURL).with(6, proxied.brokerURL).with(7, 1))
  }

  private func createProducer(_ call: CoreServerCall, _ request: Proto) {
    let producer = Producer(
      name: request.text(2), topic: request.text(3), accessMode: request.number(5),
      dispatchStrategy: request.number(6))
    let id = record.withLock { record in
      record.nextProducerID += 1
      record.producersCreated += 1
      record.producers[record.nextProducerID] = producer
      return record.nextProducerID
    }
    call.answer(Proto().with(1, request.number(1)).with(2, id).with(3, producer.name))
  }

  private func receive(_ call: CoreServerCall) {
    guard let message = DanubeMessage(call.request) else {
      complain("a message without msg_id")
      return call.fail(GRPC_STATUS_CANCELLED, "")
    }
    let key = message.routingKey ?? ""
    let verdict = record.withLock { record in
      record.attempts.append((key, message.text))
      guard let producer = record.producers[message.producerID] else {
        return Verdict.fail(GRPC_STATUS_NOT_FOUND, "Producer not found")
      }
      if producer.topic != message.topic {
        record.complaints.append("\(message.topic) by a producer of \(producer.topic)")
      }
      if producer.name != message.producerName {
        record.complaints.append("\(message.producerName) by producer \(producer.name)")
      }
      let verdict = decide(message, &record)
      guard case .fail = verdict else {
        record.outstanding += 1
        record.mostOutstanding = max(record.mostOutstanding, record.outstanding)
        let ofKey = record.outstandingByKey[key, default: 0] + 1
        record.outstandingByKey[key] = ofKey
        if ofKey > 1 { record.complaints.append("\(ofKey) messages of key \(key) at once") }
        if case .hold = verdict { record.held.append((call, message)) }
        return verdict
      }
      return verdict
    }
    switch verdict {
    case .accept: accept(call, message)
    case .hold: break
    case .fail(let status, let text): call.fail(status, text)
    }
  }

  private func accept(_ call: CoreServerCall, _ message: DanubeMessage) {
    record.withLock { record in
      record.outstanding -= 1
      record.outstandingByKey[message.routingKey ?? ""] = nil
      record.accepted.append(message)
    }
    call.answer(Proto().with(1, message.requestID))
  }

  private func complain(_ text: String) {
    record.withLock { $0.complaints.append(text) }
  }
}

extension [String?] {
  /// Appends what is not the same as before.
  fileprivate mutating func note(_ value: String?) {
    if isEmpty || self[count - 1] != value { append(value) }
  }
}
