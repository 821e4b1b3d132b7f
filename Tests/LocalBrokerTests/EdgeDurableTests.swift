import Bytes
import DanubeProtocol
import GRPC
import IOPort
import LocalBroker
import Metrics
import Simulator
import Spool
import Testing

@Suite("Edges of the local broker with a spool", .timeLimit(.minutes(1)))
struct EdgeDurableTests {
  private static let topic = "/plant/a"
  private static let earliest = LocalBrokerConfiguration(
    namespaces: [utf8("plant")], newSubscription: .earliest, maximumUnacknowledged: 100_000)

  @Test("An acknowledged batch and its number survive a crash", arguments: [false, true])
  func acknowledged(losesPower: Bool) throws {
    for seed in UInt64(1)...8 {
      let scene = try Scene.durable(seed: seed, configuration: Self.earliest)
      let call = scene.client.open(.replicateData)
      scene.client.send(call, Scene.batch(Self.topic, ["0", "1"], last: 1))
      scene.client.send(call, Scene.batch(Self.topic, ["2"], last: 2))
      #expect(try scene.acks(call, count: 2).map(\.ackedOffset) == [1, 2], "seed \(seed)")
      try scene.crash(losesPower: losesPower)
      let again = scene.client.open(.replicateData)
      for (payload, last) in [("0", 1), ("2", 2), ("3", 3)] as [(String, UInt64)] {
        scene.client.send(again, Scene.batch(Self.topic, [payload], last: last))
      }
      #expect(try scene.acks(again, count: 3).map(\.ackedOffset) == [1, 2, 3], "seed \(seed)")
      let stream = scene.receive(try scene.subscribe(Self.topic))
      let messages = try scene.messages(stream, count: 4)
      #expect(messages.payloads == ["0", "1", "2", "3"], "seed \(seed)")
      #expect(messages.offsets == [0, 1, 2, 3], "seed \(seed)")
    }
  }

  @Test("A batch is answered when it is durable, a repeat of it no sooner")
  func slowSync() throws {
    let scene = try Scene.durable(configuration: Self.earliest)
    let call = scene.client.open(.replicateData)
    scene.client.send(call, Scene.batch(Self.topic, ["0"], last: 0))
    try scene.acks(call, count: 1)
    let stream = scene.receive(try scene.subscribe(Self.topic))
    scene.driver.run(milliseconds: 2_000)
    scene.disk.faults.syncNanoseconds = 500_000_000...500_000_001
    scene.client.send(call, Scene.batch(Self.topic, ["1"], last: 1))
    let other = scene.makeClient()
    let second = other.open(.replicateData)
    other.send(second, Scene.batch(Self.topic, ["1"], last: 1))
    other.send(second, Scene.batch(Self.topic, ["0"], last: 0))
    scene.driver.run(milliseconds: 400)
    #expect(try scene.acks(call, count: 2, milliseconds: 1).count == 1)
    #expect(try scene.messages(stream, count: 2, milliseconds: 1).count == 1)
    // In the order of the batches: what is known to be there waits, too.
    #expect(try scene.acks(second, count: 1, from: other, milliseconds: 1).isEmpty)
    scene.driver.run(milliseconds: 300)
    // The records are durable and delivered, the number is not.
    #expect(try scene.messages(stream, count: 2, milliseconds: 1).payloads == ["0", "1"])
    #expect(try scene.acks(call, count: 2, milliseconds: 1).count == 1)
    #expect(try scene.acks(call, count: 2).map(\.ackedOffset) == [0, 1])
    #expect(try scene.acks(second, count: 2, from: other).map(\.ackedOffset) == [1, 0])
    // With nothing under way a repeat is answered at once.
    scene.driver.run(milliseconds: 2_000)
    scene.client.send(call, Scene.batch(Self.topic, ["1"], last: 1))
    #expect(try scene.acks(call, count: 3, milliseconds: 100).count == 3)
    #expect(try scene.messages(stream, count: 3, milliseconds: 100).count == 2)
  }

  /// An edge that resends what has no ack, in the batches it had.
  private struct Edge {
    var random: SplitMix64
    let batches: [[String]]
    var acknowledged = 0
    /// Batches that were under way when the broker crashed.
    var doubtful: Set<Int> = []
    private var sent = 0
    private var call: UInt64?

    init(seed: UInt64) {
      random = SplitMix64(seed: seed)
      var batches: [[String]] = []
      for number in 0..<40 {
        // Some are larger than a block of the log.
        let count = Int.random(in: 1...120, using: &random)
        batches.append((0..<count).map { "\(number)/\($0) " + String(repeating: "x", count: 200) })
      }
      self.batches = batches
    }

    mutating func crashed() {
      doubtful.formUnion(acknowledged..<sent)
      call = nil
    }

    mutating func go(_ scene: Scene, topic: String) throws {
      if call == nil {
        call = scene.client.open(.replicateData)
        sent = acknowledged
      }
      guard let call else { return }
      let start = acknowledged
      while sent < min(acknowledged + 6, batches.count) {
        scene.client.send(
          call, Scene.batch(topic, batches[sent], last: UInt64(sent) * 10 + 5))
        sent += 1
      }
      scene.driver.run(milliseconds: Int.random(in: 0...12, using: &random))
      if let status = scene.client.outcomes[call]?.status {
        Issue.record("the call ended: \(status)")
      }
      let numbers = try scene.acks(call, count: 1, milliseconds: 0).map(\.ackedOffset)
      for number in numbers where number == UInt64(acknowledged) * 10 + 5 { acknowledged += 1 }
      try #require(acknowledged >= start)
    }
  }

  @Test("Whenever it crashes, nothing is lost, the order is kept, only what was in doubt is double")
  func crashes() throws {
    for seed in UInt64(1)...8 {
      let scene = try Scene.durable(seed: seed, configuration: Self.earliest)
      var edge = Edge(seed: seed)
      var crashCount = 0
      while edge.acknowledged < edge.batches.count {
        try edge.go(scene, topic: Self.topic)
        if crashCount < 6, Int.random(in: 0..<8, using: &edge.random) == 0 {
          crashCount += 1
          edge.crashed()
          try scene.crash(losesPower: Bool.random(using: &edge.random))
        }
      }
      edge.crashed()
      try scene.crash(losesPower: true)
      let stream = scene.receive(try scene.subscribe(Self.topic))
      let expected = edge.batches.flatMap { $0 }
      var seen: [String: Int] = [:]
      var order: [String] = []
      // The end is told by silence.
      for payload in try scene.messages(stream, count: .max, milliseconds: 5_000).payloads {
        if seen[payload, default: 0] == 0 { order.append(payload) }
        seen[payload, default: 0] += 1
      }
      #expect(order == expected, "seed \(seed)")
      for (number, batch) in edge.batches.enumerated() where !edge.doubtful.contains(number) {
        #expect(batch.allSatisfy { seen[$0] == 1 }, "seed \(seed), batch \(number)")
      }
    }
  }

  @Test("A disk that takes nothing ends calls; a repeat is written once all the same")
  func refused() throws {
    let scene = try Scene.durable(configuration: Self.earliest)
    let call = scene.client.open(.replicateData)
    scene.client.send(call, Scene.batch(Self.topic, ["0"], last: 0))
    try scene.acks(call, count: 1)
    scene.driver.run(milliseconds: 1_500)
    scene.disk.isReadOnly = true
    scene.client.send(call, Scene.batch(Self.topic, ["1"], last: 1))
    scene.driver.run(milliseconds: 500)
    // The disk is known to be stuck now: this one waits for room.
    scene.client.send(call, Scene.batch(Self.topic, ["2"], last: 2))
    scene.driver.run(milliseconds: 500)
    #expect(try scene.acks(call, count: 2, milliseconds: 1).count == 1)
    scene.broker.refuseWaiting()
    #expect(scene.end(call) == .resourceExhausted)
    scene.disk.isReadOnly = false
    let again = scene.client.open(.replicateData)
    for number in [1, 2] as [UInt64] {
      scene.client.send(again, Scene.batch(Self.topic, ["\(number)"], last: number))
    }
    #expect(try scene.acks(again, count: 2, milliseconds: 20_000).map(\.ackedOffset) == [1, 2])
    let stream = scene.receive(try scene.subscribe(Self.topic))
    #expect(try scene.messages(stream, count: 4, milliseconds: 500).payloads == ["0", "1", "2"])
  }

  @Test("Batches wait for room in bounded memory, their senders held back by flow control")
  func held() throws {
    var limits = LocalBrokerLimits()
    limits.heldBatchBytes = 3 << 20
    let scene = try Scene(
      limits: limits, configuration: Self.earliest, spool: Scene.limits())
    let call = scene.client.open(.replicateData)
    scene.client.send(call, Scene.batch(Self.topic, ["0"], last: 0))
    try scene.acks(call, count: 1)
    scene.driver.run(milliseconds: 1_500)
    scene.disk.isReadOnly = true
    scene.client.send(call, Scene.batch(Self.topic, ["1"], last: 1))
    scene.driver.run(milliseconds: 500)
    let payloads = [String](repeating: String(repeating: "x", count: 1_000), count: 100)
    for number in 2..<42 as Range<UInt64> {
      scene.client.send(call, Scene.batch(Self.topic, payloads, last: number))
    }
    scene.driver.run(milliseconds: 2_000)
    // A window of 1 MiB came, the rest waits at the sender.
    #expect(scene.client.unsentBytes(call) > 2 << 20)
    #expect(scene.broker.broker.heldReplicationBytes > 512 << 10)
    #expect(scene.broker.broker.heldReplicationBytes < 2 << 20)
    // Two more of the kind are too much; the one that comes to it is refused.
    let others = (0..<3).map { _ in scene.makeClient() }
    let calls = others.map { $0.open(.replicateData) }
    for (other, call) in zip(others, calls) {
      for number in 2..<42 as Range<UInt64> {
        other.send(call, Scene.batch("/plant/b", payloads, last: number))
      }
    }
    scene.driver.run(milliseconds: 2_000)
    #expect(zip(others, calls).contains { $0.outcomes[$1]?.status == .resourceExhausted })
    #expect(scene.broker.broker.heldReplicationBytes <= 3 << 20)
    for (other, call) in zip(others, calls) { other.cancel(call) }
    scene.driver.run(milliseconds: 100)
    scene.disk.isReadOnly = false
    scene.client.finish(call)
    let acks = try scene.acks(call, count: 42, milliseconds: 60_000)
    #expect(acks.map(\.ackedOffset) == Array(0..<42))
    #expect(scene.end(call) == .ok)
    #expect(scene.broker.broker.heldReplicationBytes == 0)
  }

  @Test("The publish time of an edge's message is the edge's, whatever the clock here")
  func publishTime() throws {
    let scene = try Scene.durable(configuration: Self.earliest)
    scene.broker.wallOffset = 0
    var message = Scene.edgeMessage(Self.topic, String(repeating: "x", count: 1_000))
    message.publishTimeMilliseconds = 40
    let call = scene.client.open(.replicateData)
    scene.client.send(call, Scene.batch(Self.topic, [message], last: 1))
    try scene.acks(call, count: 1)
    scene.broker.wallOffset = 1_780_000_000_000
    scene.driver.run(milliseconds: 100)
    for restarts in [false, true] {
      if restarts {
        try scene.crash(losesPower: false)
        scene.broker.wallOffset = 1_780_000_000_000
      }
      let stream = scene.receive(
        try scene.subscribe(Self.topic, subscription: restarts ? "b" : "a"))
      let received = try #require(try scene.messages(stream, count: 1).first)
      #expect(received.publishTimeMilliseconds == 40)
      #expect(received.messageID.producerID == 0)
      #expect(received.messageID.topicName == utf8(Self.topic))
    }
  }
}
