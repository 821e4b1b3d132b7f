import Foundation
import Testing

extension EndToEnd {
  @Suite("The embedded broker keeps its promises through kill -9")
  struct EmbeddedCrashTests {
    private static let topic = "/default/temperature"

    @Test("Every acknowledged record is there after kill -9, and the subscription goes on")
    func killed() throws {
      let gateway = try GatewayProcess()
      var consumer = try DanubeConsumer(gateway.brokerURL, topic: Self.topic)
      var devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["first"])
      try devices.flood(["first"], count: 100, topic: "sensors/a/temperature")
      #expect(try consumer.receive(100).map(\.offset) == Array(0..<100))
      // What a consumer has acknowledged is on the disk after a second.
      usleep(2_000_000)
      try consumer.close()

      let clients = (0..<3).map { "device-\($0)" }
      var next: UInt64 = 100
      for round in 0..<2 {
        devices = try MQTTPeer(port: gateway.mqttPort)
        try devices.connect(clients, version: round == 0 ? 5 : 4)
        for client in clients {
          try devices.peer.send([
            "do": "stream", "client": client, "topic": "sensors/a/temperature", "window": 20,
          ])
        }
        usleep(700_000)
        try gateway.process.killNow()
        var acknowledged: [String: Int] = [:]
        while acknowledged.count < clients.count {
          let event = try devices.peer.nextEvent()
          guard event.event == "streamed", let client = event.client else { continue }
          let texts = try #require(event.acknowledged)
          #expect(texts == (0..<texts.count).map { "\(client) \($0)" })
          acknowledged[client] = texts.count
        }
        #expect(acknowledged.values.allSatisfy { $0 > 10 }, "\(acknowledged)")

        try gateway.startAgain()
        consumer = try DanubeConsumer(gateway.brokerURL, topic: Self.topic)
        var seen: [String: Int] = [:]
        let deadline = Deadline()
        while clients.contains(where: { seen[$0] ?? 0 < acknowledged[$0] ?? 0 }) {
          let message = try #require(try consumer.receive(1, deadline).first)
          // Nothing that was acknowledged comes again, and no offset is left out.
          #expect(message.offset == next)
          next += 1
          let client = try #require(message.routingKey)
          #expect(message.text == "\(client) \(seen[client] ?? 0)")
          seen[client, default: 0] += 1
        }
        // What nobody was answered for may be there too.
        next += UInt64(try consumer.receiveMore(milliseconds: 2_000).count)
        try consumer.close()
      }
    }
  }
}
