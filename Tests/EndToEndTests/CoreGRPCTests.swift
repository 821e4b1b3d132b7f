import CGRPC
import Testing

extension EndToEnd {
  /// The tests' own tools: when these fail, nothing else here says anything.
  @Suite("The peers made of gRPC's C core work together")
  struct CoreGRPCTests {
    @Test("A client is answered, refused and held by a played broker")
    func clientAndServer() throws {
      let broker = try PlayedBroker(advertisedHost: "0.0.0.0") { message, _ in
        switch message.text {
        case "held": .hold
        case "refused": .fail(GRPC_STATUS_UNAVAILABLE, "not now: 100% busy")
        default: .accept
        }
      }
      let client = CoreClient(port: broker.port)
      let lookup = try client.call(
        DanubePath.topicLookup, Proto().with(1, 5).with(2, "/default/a"))
      let found = try #require(Proto(lookup.message ?? []))
      #expect(lookup.status == GRPC_STATUS_OK)
      #expect(found.number(3) == 5)
      #expect(found.text(5) == "http://0.0.0.0:\(broker.port)")
      let created = try client.call(
        DanubePath.createProducer, Proto().with(2, "p").with(3, "/default/a").with(6, 1))
      let producer = try #require(Proto(created.message ?? [])).number(2)

      func message(_ text: String, producer: UInt64, key: String = "k") -> Proto {
        Proto().with(1, 9).with(2, Proto().with(1, producer).with(2, "/default/a")).with(3, text)
          .with(5, "p").with(10, key)
      }
      let accepted = try client.call(
        DanubePath.sendMessage, message("fine", producer: producer))
      #expect(Proto(accepted.message ?? [])?.number(1) == 9)
      let refused = try client.call(
        DanubePath.sendMessage, message("refused", producer: producer))
      #expect(refused.status == GRPC_STATUS_UNAVAILABLE)
      #expect(refused.statusMessage == "not now: 100% busy")
      let unknown = try client.call(DanubePath.sendMessage, message("fine", producer: 1))
      #expect(unknown.status == GRPC_STATUS_NOT_FOUND)

      let held = (0..<20).map { number in
        client.start(
          DanubePath.sendMessage,
          message("held", producer: producer, key: "k\(number)").encoded)
      }
      _ = try Deadline().wait(for: "20 calls") { () -> Bool? in
        try? client.runOnce(Deadline(seconds: 0.01))
        return broker.seen.outstanding == 20 ? true : nil
      }
      #expect(held.allSatisfy { $0.answer == nil })
      broker.releaseHeld()
      for call in held { #expect(try client.finish(call).status == GRPC_STATUS_OK) }
      #expect(broker.seen.mostOutstanding == 20)
      #expect(broker.seen.complaints == [])
      #expect(broker.seen.accepted.count == 21)
    }

    @Test("A played broker goes away and comes back on its port")
    func restart() throws {
      let broker = try PlayedBroker()
      let request = Proto().with(2, "/default/a")
      for _ in 0..<3 {
        let client = CoreClient(port: broker.port)
        #expect(try client.call(DanubePath.topicLookup, request).status == GRPC_STATUS_OK)
        broker.stop()
        #expect(
          try client.call(DanubePath.topicLookup, request).status == GRPC_STATUS_UNAVAILABLE)
        try broker.start()
      }
      #expect(broker.seen.lookups.count == 3)
    }
  }
}
