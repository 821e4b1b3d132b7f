import CGRPC
import Testing

extension EndToEnd {
  /// gRPC's C core as a client of the embedded broker.
  @Suite("The embedded broker serves gRPC's C core")
  struct LocalBrokerTests {
    private let gateway: GatewayProcess
    private let client: CoreClient
    private let topic = "/default/core"

    init() throws {
      gateway = try GatewayProcess()
      client = CoreClient(port: gateway.brokerPort)
    }

    /// The answer of a call that has to succeed.
    private func ask(_ path: String, _ request: Proto) throws -> Proto {
      let answer = try client.call(path, request)
      guard answer.status == GRPC_STATUS_OK, let message = Proto(answer.message ?? []) else {
        throw EndToEndError("\(path): \(answer.status) \(answer.statusMessage)")
      }
      return message
    }

    private func createProducer(_ name: String = "core") throws -> UInt64 {
      let answer = try ask(
        DanubePath.createProducer,
        Proto().with(1, 3).with(2, name).with(3, topic).with(6, 1))
      #expect(answer.number(1) == 3)
      #expect(answer.text(3) == name)
      return answer.number(2)
    }

    private func message(_ text: String, producer: UInt64, key: String? = nil) -> Proto {
      let message = Proto().with(1, 77)
        .with(2, Proto().with(1, producer).with(2, topic).with(3, gateway.brokerURL))
        .with(3, text).with(4, 1_700_000_000_123).with(5, "core")
        .with(7, Proto().with(1, "unit").with(2, "°C"))
      return key.map { message.with(10, $0) } ?? message
    }

    private func subscribe(_ name: String = "c", type: UInt64 = 1) throws -> UInt64 {
      try ask(
        DanubePath.subscribe,
        Proto().with(1, 4).with(2, topic).with(3, name).with(4, "s").with(5, type)
      ).number(2)
    }

    private func status(_ path: String, _ request: Proto) throws -> grpc_status_code {
      try client.call(path, request).status
    }

    @Test("Look-ups, partitions and producers answer as a broker's")
    func discovery() throws {
      let lookup = Proto().with(1, 8).with(2, topic)
      #expect(try status(DanubePath.topicLookup, lookup) == GRPC_STATUS_NOT_FOUND)
      #expect(try ask(DanubePath.topicPartitions, lookup).optionalBytes(2) == nil)
      let producer = try createProducer()
      #expect(try createProducer() == producer, "the same name is the same producer")
      #expect(try createProducer("other") != producer)
      let found = try ask(DanubePath.topicLookup, lookup)
      #expect(found.number(3) == 8)
      #expect(found.number(4) == 1)
      #expect(found.text(5) == gateway.brokerURL)
      #expect(found.text(6) == gateway.brokerURL)
      #expect(found.number(7) == 0)
      #expect(try ask(DanubePath.topicPartitions, lookup).text(2) == topic)
      // The routes' topics are there from the start.
      let routed = Proto().with(2, "/default/temperature")
      #expect(try ask(DanubePath.topicLookup, routed).text(5) == gateway.brokerURL)
    }

    @Test("1,000 calls, 256 in flight, and the stream of a consumer that acknowledges")
    func publishAndReceive() throws {
      let producer = try createProducer()
      let consumer = try subscribe()
      let stream = client.start(
        DanubePath.receiveMessages, Proto().with(1, 1).with(2, consumer).encoded, seconds: 100)
      var open: [CoreCall] = []
      var sent = 0
      func finishOldest() throws {
        let answer = try client.finish(open.removeFirst())
        #expect(answer.status == GRPC_STATUS_OK, "\(answer.statusMessage)")
        #expect(Proto(answer.message ?? [])?.number(1) == 77)
      }
      while sent < 1000 {
        if open.count == 256 { try finishOldest() }
        open.append(
          client.start(
            DanubePath.sendMessage,
            message("message \(sent)", producer: producer, key: "key \(sent)").encoded))
        sent += 1
      }
      while !open.isEmpty { try finishOldest() }

      var texts: Set<String> = []
      var offsets: [UInt64] = []
      for _ in 0..<1000 {
        let bytes = try #require(try client.nextMessage(stream))
        let message = try #require(DanubeMessage(bytes))
        texts.insert(message.text)
        offsets.append(message.offset)
        #expect(message.routingKey == message.text.replacing("message", with: "key"))
        #expect(message.attributes == ["unit": "°C"])
        #expect(message.topic == topic)
        #expect(message.publishTime == 1_700_000_000_123)
        #expect(message.producerName == "core")
        #expect(message.subscription == "s")
        #expect(message.requestID == 77)
        let acknowledgement = Proto().with(1, 6).with(2, message.messageID).with(3, "s")
        #expect(try ask(DanubePath.ack, acknowledgement).number(1) == 6)
      }
      #expect(texts.count == 1000)
      #expect(offsets == offsets.sorted() && Set(offsets).count == 1000)
      client.cancel(stream)
      #expect(try client.finish(stream).status == GRPC_STATUS_CANCELLED)
    }

    @Test("A message with neither key, attributes nor payload stays like that")
    func bareMessage() throws {
      let producer = try createProducer()
      let consumer = try subscribe(type: 0)
      let stream = client.start(
        DanubePath.receiveMessages, Proto().with(2, consumer).encoded, seconds: 100)
      _ = try ask(
        DanubePath.sendMessage, Proto().with(2, Proto().with(1, producer).with(2, topic)))
      let message = try #require(DanubeMessage(try client.nextMessage(stream) ?? []))
      #expect(message.payload.isEmpty)
      #expect(message.routingKey == nil)
      #expect(message.attributes.isEmpty)
    }

    @Test("HealthCheck knows who is there, and closes whom it does not know")
    func health() throws {
      let producer = try createProducer()
      let consumer = try subscribe()
      func health(_ kind: UInt64, _ id: UInt64) throws -> UInt64 {
        try ask(DanubePath.healthCheck, Proto().with(1, 1).with(2, kind).with(3, id)).number(1)
      }
      #expect(try health(0, producer) == 0)
      #expect(try health(1, consumer) == 0)
      #expect(try health(0, 987_654) == 1)
      #expect(try health(1, 987_654) == 1)
    }

    @Test("Errors have the status codes of a broker")
    func errors() throws {
      let producer = try createProducer()
      #expect(
        try status("/danube.ProducerService/NoSuchMethod", Proto()) == GRPC_STATUS_UNIMPLEMENTED)
      #expect(try status("/other.Service/Call", Proto()) == GRPC_STATUS_UNIMPLEMENTED)
      #expect(
        try status(DanubePath.sendMessage, message("x", producer: 123_456))
          == GRPC_STATUS_NOT_FOUND)
      #expect(
        try status(
          DanubePath.subscribe,
          Proto().with(2, "/default/nobody").with(3, "c").with(4, "s").with(5, 1))
          == GRPC_STATUS_NOT_FOUND)
      #expect(
        try status(DanubePath.receiveMessages, Proto().with(2, 123_456)) == GRPC_STATUS_NOT_FOUND)
      #expect(
        try status(
          DanubePath.createProducer, Proto().with(2, "p").with(3, "no topic").with(6, 1))
          == GRPC_STATUS_INVALID_ARGUMENT)
      // 4 MiB is the largest message; a little less goes through, the room that a consumer's
      // fields need.
      let large = [UInt8](repeating: 0x61, count: 4 << 20)
      let id = Proto().with(1, producer).with(2, topic)
      #expect(
        try status(DanubePath.sendMessage, Proto().with(2, id).with(3, large))
          == GRPC_STATUS_OUT_OF_RANGE)
      let fitting = Array(large.dropLast(600))
      #expect(
        try status(DanubePath.sendMessage, Proto().with(2, id).with(3, fitting))
          == GRPC_STATUS_OK)
      _ = try subscribe("first", type: 0)
      #expect(
        try status(
          DanubePath.subscribe, Proto().with(2, topic).with(3, "second").with(4, "s"))
          == GRPC_STATUS_PERMISSION_DENIED)
    }
  }
}
