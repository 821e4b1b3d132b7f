import Foundation
import Testing

extension EndToEnd {
  @Suite("SIGTERM ends the gateway without losing what it acknowledged")
  struct ShutdownTests {
    @Test("Devices hear why; everything acknowledged is at the broker", arguments: [5, 4])
    func whilePublishing(version: Int) throws {
      // Answers that take their time, so that messages are under way when the signal comes.
      let broker = try PlayedBroker { _, record in
        record.attempts.count % 5 == 0 ? .hold : .accept
      }
      var configuration = GatewayProcess.Configuration()
      configuration.brokerURL = broker.url
      configuration.danube = "backoff_min_ms = 20"
      let gateway = try GatewayProcess(configuration)
      let clients = (0..<5).map { "device-\($0)" }
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(clients, version: version)
      for client in clients {
        try devices.peer.send([
          "do": "stream", "client": client, "topic": "sensors/a/temperature", "window": 20,
        ])
      }
      var isSignalled = false
      try Deadline().wait(for: "the end of the gateway") {
        broker.releaseHeld()
        if !isSignalled, broker.seen.accepted.count > 500 {
          gateway.process.signal(SIGTERM)
          isSignalled = true
        }
        return gateway.process.poll() == nil ? nil : ()
      }
      #expect(gateway.process.poll() == .exited(0))
      var acknowledged: [String: [String]] = [:]
      for _ in 0..<(2 * clients.count) {
        let event = try devices.peer.nextEvent()
        if event.event == "disconnected", version == 5 {
          #expect(event.fromServer == true)
          #expect(event.reason == 0x8b)
        } else if event.event == "streamed" {
          acknowledged[event.client ?? ""] = event.acknowledged
        }
      }
      #expect(acknowledged.count == clients.count)
      let accepted = Dictionary(grouping: broker.seen.accepted, by: \.routingKey)
      for client in clients {
        let texts = (accepted[client] ?? []).map(\.text)
        let answers = try #require(acknowledged[client])
        #expect(answers.count > 10)
        #expect(answers == (0..<answers.count).map { "\(client) \($0)" })
        // In order, and at least as far as the device was told.
        #expect(texts == (0..<texts.count).map { "\(client) \($0)" })
        #expect(texts.count >= answers.count)
      }
      #expect(broker.seen.complaints == [])
    }

    @Test(
      "A broker that is away does not hold up the end; what the disk has is answered, else nothing",
      arguments: ["memory", "spill"])
    func brokerAway(spool: String) throws {
      let broker = try PlayedBroker()
      var configuration = GatewayProcess.Configuration()
      configuration.brokerURL = broker.url
      configuration.gateway = "shutdown_s = 2"
      configuration.spool = "mode = \"\(spool)\"\nspill_after_ms = 60000"
      let gateway = try GatewayProcess(configuration)
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["device"])
      try devices.publish("device", "sensors/a/temperature", "first")
      #expect(try devices.peer.expect("published").payload == "first")
      broker.stop()
      try devices.publish("device", "sensors/a/temperature", "second")
      usleep(200_000)
      let start = ContinuousClock.now
      gateway.process.signal(SIGTERM)
      let end = try gateway.process.wait()
      let duration = ContinuousClock.now - start
      #expect(end == .exited(0))
      // The simulation holds the limit to the millisecond; this machine may be busy.
      #expect(duration < .seconds(4), "\(duration)")
      if spool == "spill" {
        #expect(try devices.peer.expect("published").payload == "second")
      }
      let event = try devices.peer.nextEvent()
      #expect(event.event == "disconnected")
      #expect(event.reason == 0x8b)
    }

    @Test("With the embedded broker, a consumer that keeps up has everything acknowledged")
    func embedded() throws {
      let gateway = try GatewayProcess()
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: "/default/temperature")
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["device"])
      try devices.flood(["device"], count: 300, topic: "sensors/a/temperature")
      let messages = try consumer.receive(300)
      #expect(messages.map(\.text) == (0..<300).map { "device \($0)" })
      gateway.process.signal(SIGINT)
      #expect(try gateway.process.wait() == .exited(0))
      let event = try devices.peer.expect("disconnected")
      #expect(event.reason == 0x8b)
      #expect(event.fromServer == true)
    }
  }
}
