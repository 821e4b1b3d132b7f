import Bytes
import MQTT
import Testing

@Suite("Topic aliases")
struct TopicAliasTests {
  /// A PUBLISH with QoS 0, a topic that may be empty, and an alias.
  private func publish(_ topic: String, _ alias: UInt16) -> [UInt8] {
    let text = Array(topic.utf8)
    return packet(
      0x30,
      [UInt8(text.count >> 8), UInt8(text.count & 0xFF)].hex + text.hex + "03 23"
        + [UInt8(alias >> 8), UInt8(alias & 0xFF)].hex)
  }

  private func topic(_ server: borrowing Server, _ alias: UInt16) -> String? {
    server.session.topic(ofAlias: alias).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test("The maximum is announced, also where it is 0 [MQTT-3.2.2-18]", arguments: [0, 1, 400])
  func announced(maximum: UInt16) throws {
    var limits = ServerLimits()
    limits.topicAliasMaximum = maximum
    var server = Server(limits)
    _ = try server.feed(connect(.v5))
    var client = ClientSession(version: .v5)
    let answer = server.takeOutput()
    var consumed = 0
    _ = Answer(try client.next(in: answer.span.bytes, consumed: &consumed))
    expectEqual(client.serverTopicAliasMaximum, Int(maximum))
    let error = server.rejection(of: publish("a", maximum + 1)).error
    #expect(error == .topicAliasNotSupported)
  }

  @Test(
    "Every alias from 1 to the maximum stands for its topic until it gets another [MQTT-3.3.2-12]")
  func all() throws {
    var server = Server(connected: .v5)
    for round in ["first", "second"] {
      for alias in 1...16 as ClosedRange<UInt16> {
        _ = try server.feed(publish("\(round)/\(alias)", alias))
        #expect(topic(server, alias) == "\(round)/\(alias)")
      }
      for alias in 1...16 as ClosedRange<UInt16> {
        guard case .publish(let message) = try server.feed(publish("", alias)).events.first else {
          Issue.record("no PUBLISH")
          return
        }
        #expect(message.topic == "")
        #expect(topic(server, alias) == "\(round)/\(alias)")
      }
    }
    #expect(topic(server, 17) == nil)
    #expect(topic(server, 0) == nil)
  }

  @Test("An alias without a topic is a protocol error until one came (0x82), 0 is invalid (0x94)")
  func unknown() throws {
    var server = Server(connected: .v5)
    _ = try server.feed(publish("a", 5))
    let (error, answer) = server.rejection(of: publish("", 4))
    #expect(error == .unknownTopicAlias)
    #expect(answer[0] == 0xE0 && answer[2] == 0x82)
    var other = Server(connected: .v5)
    let zero = other.rejection(of: publish("a", 0))
    #expect(zero.error == .zeroTopicAlias)
    #expect(zero.answer[0] == 0xE0 && zero.answer[2] == 0x94)
    var above = Server(connected: .v5)
    #expect(above.rejection(of: publish("a", 17)).answer[2] == 0x94)
  }

  @Test("The memory of the topics is counted and limited; the same topic again costs nothing")
  func memory() throws {
    var limits = ServerLimits()
    limits.topicAliasBytes = 1_000
    var server = Server(connected: .v5, limits)
    expectEqual(server.session.topicAliasBytes, 0)
    _ = try server.feed(publish(String(repeating: "t", count: 500), 1))
    let held = server.session.topicAliasBytes
    #expect(held >= 500 && held <= 600)
    for _ in 0..<10 { _ = try server.feed(publish(String(repeating: "t", count: 500), 1)) }
    expectEqual(server.session.topicAliasBytes, held)
    // A shorter one gives back what it does not need.
    _ = try server.feed(publish("t", 1))
    #expect(server.session.topicAliasBytes < 100)
    _ = try server.feed(publish(String(repeating: "u", count: 500), 2))
    #expect(
      server.rejection(of: publish(String(repeating: "v", count: 500), 3)).error
        == .topicAliasMemory)
    expectEqual(server.session.state, .closed)
  }

  @Test("The memory agrees with a count of all topics after random changes")
  func randomMemory() throws {
    let seed: UInt64 = 4711
    var random = SeededRandom(seed: seed)
    var limits = ServerLimits()
    limits.topicAliasMaximum = 50
    limits.topicAliasBytes = 1 << 20
    var server = Server(connected: .v5, limits)
    var topics: [UInt16: String] = [:]
    for _ in 0..<500 {
      let alias = UInt16.random(in: 1...50, using: &random)
      let text = String(repeating: "x", count: Int.random(in: 1...60, using: &random))
      topics[alias] = text
      _ = try server.feed(publish(text, alias))
    }
    for (alias, text) in topics { #expect(topic(server, alias) == text, "seed \(seed)") }
    let bytes = topics.values.reduce(0) { $0 + $1.utf8.count }
    #expect(server.session.topicAliasBytes == bytes + 48 * Int(topics.keys.max() ?? 0))
  }

  @Test("A client that may use none is told so")
  func withheld() throws {
    var session = ServerSession(limits: ServerLimits())
    var output = GrowableBytes()
    var consumed = 0
    let bytes = connect(.v5)
    _ = try session.next(in: bytes.span.bytes, consumed: &consumed)
    session.withholdTopicAliases()
    session.writeConnack(into: &output)
    let announced: [UInt8] = [0x22, 0x00, 0x00]
    #expect(array(output).contains(announced))
    expectEqual(session.topicAliasMaximum, 0)
  }
}
