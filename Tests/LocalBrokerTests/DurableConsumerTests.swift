import DanubeProtocol
import LocalBroker
import Simulator
import Spool
import Testing

@Suite("Consumers of the local broker with a spool", .timeLimit(.minutes(1)))
struct DurableConsumerTests {
  private static let topic = "/default/kept"

  @Test("The names of consumers survive a crash, and stay bounded", arguments: [false, true])
  func consumerNames(losesPower: Bool) throws {
    func names(_ scene: Scene, _ subscription: String) -> [String]? {
      let lanes = scene.broker.broker.spoolListing?.lanes ?? []
      let lane = lanes.first { $0.topic == utf8(Self.topic) }
      let reader = lane?.readers.first { $0.name == utf8(subscription) }
      return reader?.consumers.map { String(decoding: $0, as: UTF8.self) }
    }
    let scene = try Scene.durable()
    _ = try scene.createProducer(Self.topic)
    for number in 0..<20 {
      _ = try scene.subscribe(Self.topic, consumer: "c\(number)", subscription: "shared")
    }
    _ = try scene.subscribe(
      Self.topic, consumer: "one", subscription: "alone", type: .exclusive)
    scene.driver.run(milliseconds: 100)
    let last = (4..<20).map { "c\($0)" }
    for round in 0..<3 {
      try scene.crash(losesPower: losesPower)
      scene.driver.run(milliseconds: 100)
      #expect(names(scene, "shared") == last, "round \(round)")
      #expect(names(scene, "alone") == ["one"], "round \(round)")
    }
    // One that is known comes back as itself; an exclusive one that is gone gives way.
    _ = try scene.subscribe(Self.topic, consumer: "c7", subscription: "shared")
    _ = try scene.subscribe(
      Self.topic, consumer: "another", subscription: "alone", type: .exclusive)
    #expect(names(scene, "shared") == last)
    #expect(names(scene, "alone") == ["another"])
    scene.driver.run(milliseconds: 100)
    try scene.crash(losesPower: losesPower)
    scene.driver.run(milliseconds: 100)
    #expect(names(scene, "alone") == ["another"])
  }
}
