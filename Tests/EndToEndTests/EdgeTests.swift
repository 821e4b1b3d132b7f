import Foundation
import Testing

extension EndToEnd {
  /// The embedded broker stands in for a cluster: an edge made with gRPC's C core and Google's
  /// protobuf replicates to it, Danube's own client consumes.
  @Suite("Edges replicate to the embedded broker")
  struct EdgeTests {
    private static let topic = "/plant/a"

    private func edge(_ gateway: GatewayProcess) throws -> PythonPeer {
      let edge = try PythonPeer("danube_edge", ["--url", gateway.brokerURL])
      try edge.send(["do": "register", "edge": "plant", "topics": [Self.topic, "/other/a"]])
      let event = try edge.expect("registered")
      #expect(event.offset == 1)
      #expect(event.details?.hasPrefix("[\"\", \"topic /other/a is not under") == true)
      try edge.send(["do": "open"])
      try edge.expect("opened")
      return edge
    }

    private func replicate(_ edge: PythonPeer, _ payloads: [String], last: Int) throws {
      try edge.send(["do": "replicate", "topic": Self.topic, "payloads": payloads, "last": last])
    }

    @Test("Batches are acknowledged in order, repeats are not written, and consumers get them")
    func replicate() throws {
      let gateway = try GatewayProcess()
      let edge = try edge(gateway)
      try edge.send(["do": "heartbeat", "edge": "plant", "version": 1])
      #expect(try edge.expect("beaten").offset == 1)
      try edge.send(["do": "heartbeat", "edge": "nobody", "version": 1])
      #expect(try edge.expect("failed").code == "NOT_FOUND")
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: Self.topic)
      for number in 0..<20 {
        try replicate(edge, (0..<50).map { "\(number * 50 + $0)" }, last: number)
      }
      try replicate(edge, ["repeat"], last: 19)
      for number in Array(0..<20) + [19] {
        #expect(try edge.expect("ack").offset == UInt64(number))
      }
      let messages = try consumer.receive(1_000)
      #expect(messages.map(\.text) == (0..<1_000).map { "\($0)" })
      #expect(messages.map(\.offset) == Array(0..<1_000))
      for message in messages {
        #expect(message.topic == Self.topic)
        #expect(message.producer == "edge" && message.routingKey == "k")
        #expect(message.attributes == ["from": "edge"])
        #expect(message.isPublishTimeSane)
      }
      #expect(try consumer.receiveMore().isEmpty)
      // One batch of nearly 4 MiB, then one above.
      let large = (0..<40).map { "\($0) " + String(repeating: "x", count: 100_000) }
      try replicate(edge, large, last: 20)
      #expect(try edge.expect("ack").offset == 20)
      #expect(try consumer.receive(40).map(\.text) == large)
      try replicate(edge, large + large, last: 21)
      #expect(try edge.expect("ended").code == "OUT_OF_RANGE")
      try edge.send(["do": "open"])
      try edge.expect("opened")
      try edge.send(["do": "finish"])
      #expect(try edge.expect("ended").code == "OK")
    }

    @Test("What was acknowledged is there after kill -9, and a repeat is known to be one")
    func killed() throws {
      let gateway = try GatewayProcess(.init(broker: "new_subscription = \"earliest\""))
      var first = try edge(gateway)
      var acknowledged = -1
      for round in 0..<2 {
        for number in acknowledged + 1..<acknowledged + 60 {
          try replicate(first, (0..<20).map { "\(number)/\($0)" }, last: number)
        }
        // In the middle of it.
        for _ in 0..<20 {
          acknowledged += 1
          #expect(try first.expect("ack").offset == UInt64(acknowledged), "round \(round)")
        }
        try gateway.process.killNow()
        try gateway.startAgain()
        while let event = try? first.nextEvent(), event.event == "ack" { acknowledged += 1 }
        first = try edge(gateway)
      }
      // A repeat of what was acknowledged, and what comes next.
      for number in [acknowledged, acknowledged + 1] {
        try replicate(first, (0..<20).map { "\(number)/\($0)" }, last: number)
        #expect(try first.expect("ack").offset == UInt64(number))
      }
      let consumer = try DanubeConsumer(gateway.brokerURL, topic: Self.topic)
      var seen: [String: Int] = [:]
      for message in try consumer.receiveMore(milliseconds: 3_000) {
        seen[message.text, default: 0] += 1
      }
      for number in 0...acknowledged + 1 {
        for place in 0..<20 {
          let count = seen["\(number)/\(place)"] ?? 0
          // In doubt were those without an ack when it was killed.
          #expect(count == 1 || (count == 2 && number > 19), "\(number)/\(place): \(count)")
        }
      }
    }
  }
}
