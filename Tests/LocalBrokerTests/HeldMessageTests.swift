import Bytes
import DanubeProtocol
import GRPC
import IOPort
import LocalBroker
import Metrics
import Simulator
import Testing

@Suite("Messages of clients wait for room in the spool", .timeLimit(.minutes(1)))
struct HeldMessageTests {
  private static let topic = "/default/kept"

  /// A kilobyte that does not get smaller.
  private static func noise(_ number: Int) -> String {
    var random = SplitMix64(seed: UInt64(number))
    return (0..<64).map { _ in String(random.next(), radix: 16) }.joined()
  }

  @Test("They wait while the oldest go, and none is refused, however many come at once")
  func trimming() throws {
    let configuration = LocalBrokerConfiguration(
      newSubscription: .earliest, maximumUnacknowledged: 3_000)
    let scene = try Scene.durable(configuration: configuration, bytes: 512 << 10)
    let producer = try scene.createProducer(Self.topic)
    var calls: [UInt64] = []
    for turn in 0..<30 {
      calls += scene.sendAll(
        Self.topic, producer: producer,
        (turn * 100..<turn * 100 + 100).map { "\($0) \(Self.noise($0))" })
      scene.driver.run(milliseconds: 20)
    }
    scene.driver.run(milliseconds: 20_000) { calls.allSatisfy { scene.status($0) != nil } }
    #expect(calls.allSatisfy { scene.status($0) == .ok })
    let expired = scene.broker.metrics.recordsExpired.value
    #expect(expired > 1_000 && expired < 2_900)
    // In the order in which they came.
    let stream = scene.receive(try scene.subscribe(Self.topic))
    let messages = try scene.messages(stream, count: Int(3_000 - expired))
    #expect(messages.offsets == Array(expired..<3_000))
    let last = try #require(messages.last)
    #expect(last.payload.starts(with: Array("2999 ".utf8)))
  }
}
