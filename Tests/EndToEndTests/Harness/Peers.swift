import Foundation
import Testing

/// The MQTT clients of paho in one process.
struct MQTTPeer {
  let peer: PythonPeer

  init(port: Int) throws {
    peer = try PythonPeer("mqtt_peer", ["--port", "\(port)"])
  }

  /// Connects clients; all have to be let in. Their CONNACKs in the order of arrival.
  @discardableResult
  func connect(
    _ clients: [String], version: Int = 5, inflight: Int = 200, will: [String: Any]? = nil,
    clean: Bool = true, expiry: Int? = nil
  ) throws -> [PythonPeer.Event] {
    var command: [String: Any] = [
      "do": "connect", "clients": clients, "version": version, "inflight": inflight,
      "clean": clean,
    ]
    if let will { command["will"] = will }
    if let expiry { command["expiry"] = expiry }
    try peer.send(command)
    let events = try clients.map { _ in try peer.expect("connected") }
    #expect(events.allSatisfy { $0.reason == 0 })
    #expect(Set(events.compactMap(\.client)) == Set(clients))
    return events
  }

  func publish(
    _ client: String, _ topic: String, _ payload: String, qos: Int = 1, retain: Bool = false,
    properties: [String: Any]? = nil
  ) throws {
    var command: [String: Any] = [
      "do": "publish", "client": client, "topic": topic, "payload": payload, "qos": qos,
      "retain": retain,
    ]
    if let properties { command["properties"] = properties }
    try peer.send(command)
  }

  /// Every client publishes `count` messages "client number"; waits for all answers.
  func flood(_ clients: [String], count: Int, topic: String) throws {
    try peer.send(["do": "flood", "clients": clients, "count": count, "topic": topic])
    for _ in clients {
      let event = try peer.expect("flooded", Deadline(seconds: 60))
      #expect(event.outOfOrder == 0, "PUBACKs of \(event.client ?? "") came out of order")
    }
  }
}

/// A consumer of the official Python client.
struct DanubeConsumer {
  let peer: PythonPeer

  /// Starts one and waits until it is subscribed.
  init(
    _ url: String, topic: String, name: String = "consumer-1", subscription: String = "tests",
    type: String = "shared", acknowledges: Bool = true, filters: [String] = []
  ) throws {
    peer = try Self.start(
      url, topic: topic, name: name, subscription: subscription, type: type,
      acknowledges: acknowledges, filters: filters)
    try peer.expect("subscribed")
  }

  /// Starts one without waiting for anything.
  static func start(
    _ url: String, topic: String, name: String, subscription: String, type: String,
    acknowledges: Bool, filters: [String] = []
  ) throws -> PythonPeer {
    var arguments = ["--url", url, "--topic", topic, "--name", name]
    arguments += ["--subscription", subscription, "--type", type]
    if acknowledges { arguments.append("--auto-ack") }
    for filter in filters { arguments += ["--filter", filter] }
    return try PythonPeer("danube_consumer", arguments, title: "danube_consumer \(name)")
  }

  /// The next `count` messages.
  func receive(_ count: Int, _ deadline: Deadline = Deadline()) throws -> [ReceivedMessage] {
    try (0..<count).map { _ in try ReceivedMessage(peer.expect("message", deadline)) }
  }

  /// Messages that come although they should not: waits a moment for them.
  func receiveMore(milliseconds: UInt32 = 500) throws -> [ReceivedMessage] {
    usleep(milliseconds * 1000)
    return try peer.takeEvents().filter { $0.event == "message" }.map(ReceivedMessage.init)
  }

  func acknowledge(_ message: ReceivedMessage) throws {
    try peer.send(["do": "ack", "offset": message.offset])
    try peer.expect("acked")
  }

  func refuse(_ message: ReceivedMessage, delayMilliseconds: Int) throws {
    try peer.send(["do": "nack", "offset": message.offset, "delay_ms": delayMilliseconds])
    try peer.expect("nacked")
  }

  func close() throws {
    try peer.send(["do": "close"])
    try peer.expect("closed")
  }
}

/// A message as the official Python client handed it out.
struct ReceivedMessage {
  let payload: [UInt8]
  let topic: String
  let offset: UInt64
  let attributes: [String: String]
  let routingKey: String?
  let publishTime: Int64
  let receivedTime: Int64
  let producer: String
  let subscription: String

  init(_ event: PythonPeer.Event) throws {
    payload = Array(Data(base64Encoded: event.payload ?? "?") ?? Data())
    topic = event.topic ?? ""
    offset = event.offset ?? 0
    attributes = event.attributes ?? [:]
    routingKey = event.routingKey
    publishTime = event.publishTime ?? 0
    receivedTime = event.receivedTime ?? 0
    producer = event.producer ?? ""
    subscription = event.subscription ?? ""
  }

  var text: String { String(decoding: payload, as: UTF8.self) }

  /// Published within the last minute, by the same clock.
  var isPublishTimeSane: Bool {
    publishTime <= receivedTime + 5 && publishTime > receivedTime - 60_000
  }
}

/// Checks that every key's payloads are "key 0", "key 1", … once each and in this order.
func expectOrder(
  of messages: [(key: String, text: String)], keys: [String], count: Int,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let byKey = Dictionary(grouping: messages, by: \.key)
  #expect(Set(byKey.keys) == Set(keys), sourceLocation: sourceLocation)
  for key in keys {
    let texts = (byKey[key] ?? []).map(\.text)
    let expected = (0..<count).map { "\(key) \($0)" }
    let firstDifference = zip(texts, expected).first { $0 != $1 }
    #expect(
      texts == expected,
      "\(key): \(texts.count) of \(count), differs at \(String(describing: firstDifference))",
      sourceLocation: sourceLocation)
  }
}

extension [String: String] {
  /// Attributes without the record's id, which is another one each time; none where it is missing.
  var withoutRecordID: [String: String] {
    guard self["gateway.record_id"]?.utf8.count == 29 else { return [:] }
    return filter { $0.key != "gateway.record_id" }
  }
}
