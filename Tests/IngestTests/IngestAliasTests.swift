import Bytes
import MQTT
import Metrics
import Settings
import Testing

@testable import Ingest

@Suite("Topic aliases of devices", .timeLimit(.minutes(1)))
struct IngestAliasTests {
  private func aliased(
    _ packetID: UInt16, _ topic: String, alias: UInt16, payload: [UInt8] = [1]
  ) -> [UInt8] {
    publish(.v5, packetID, topic: topic, payload: payload) { $0.topicAlias = alias }
  }

  @Test("A message by alias has the topic, the route and the key of what came before")
  func resolved() throws {
    let bench = try IngestBench(routes: [
      ("t/+", "/default/t", "{1}"), ("u/#", "/default/u", "{topic}"),
    ])
    let device = bench.connect(.v5)
    bench.receive(
      device,
      aliased(1, "t/a", alias: 1) + aliased(2, "u/b/c", alias: 16) + aliased(3, "", alias: 1)
        + aliased(4, "", alias: 16) + aliased(5, "t/z", alias: 1) + aliased(6, "", alias: 1))
    let records = bench.deliver()
    #expect(bench.output(device) == (1...6).flatMap { puback($0) })
    let topics = records.compactMap { $0.attributes["mqtt.topic"] }
    #expect(topics.sorted() == ["t/a", "t/a", "t/z", "t/z", "u/b/c", "u/b/c"])
    for record in records {
      let topic = record.attributes["mqtt.topic"] ?? ""
      #expect(record.key == (topic.hasPrefix("t/") ? String(topic.dropFirst(2)) : topic))
    }
  }

  @Test("Aliases end with their connection [MQTT-3.3.2-7], and so does their memory")
  func forgotten() throws {
    let bench = try IngestBench()
    let device = bench.connect(.v5)
    bench.receive(device, aliased(1, "t/a", alias: 3))
    #expect(bench.ingest.aliasBytes > 0)
    bench.endReceive(device, nil)
    _ = bench.deliver()
    #expect(bench.output(device) == puback(1))
    bench.finishClose(device)
    #expect(bench.ingest.aliasBytes == 0)
    let again = bench.connect(.v5)
    bench.receive(again, aliased(1, "", alias: 3))
    let answer = bench.output(again)
    #expect(answer.first == 0xE0 && answer.dropFirst(2).first == 0x82)
  }

  @Test("topic_alias_max is announced and held to")
  func maximum() throws {
    let bench = try IngestBench { $0.listeners[0].topicAliasMaximum = 2 }
    let device = bench.accept()
    bench.receive(device, bench.connectPacket(.v5))
    let announced: [UInt8] = [0x22, 0, 2]
    #expect(bench.output(device).contains(announced))
    bench.receive(device, aliased(1, "t/a", alias: 3))
    let answer = bench.output(device)
    #expect(answer.first == 0xE0 && answer.dropFirst(2).first == 0x94)
  }

  @Test("A message by alias that finds no memory is taken later, with its topic")
  func takenBack() throws {
    let bench = try IngestBench(memoryBytes: 16 << 10)
    let device = bench.connect(.v5)
    let payload = [UInt8](repeating: 1, count: 7_000)
    bench.receive(
      device,
      aliased(1, "t/a", alias: 1, payload: payload)
        + (2...5).flatMap { aliased($0, "", alias: 1, payload: payload) })
    var topics: [String] = []
    while true {
      let records = bench.deliver()
      if records.isEmpty { break }
      topics += records.compactMap { $0.attributes["mqtt.topic"] }
    }
    #expect(topics == Array(repeating: "t/a", count: 5))
    #expect(bench.output(device) == (1...5).flatMap { puback($0) })
  }

  @Test("All connections together are bounded: above half nobody is offered aliases, above it 0x97")
  func memory() throws {
    let bench = try IngestBench { $0.listeners[0].maxPacketBytes = 64 << 10 }
    let limit = bench.ingest.limits.topicAliasBytes
    var devices: [Int32] = []
    var wasWithheld = false
    let topic = "t/" + String(repeating: "x", count: 15_000)
    // The aliases are offered before the memory is used, so that all devices connect first.
    for number in 0..<(limit / 15_000 + 2) { devices.append(bench.connect(.v5, id: "d\(number)")) }
    var isEnded = false
    for device in devices {
      bench.receive(device, aliased(1, topic, alias: 1))
      _ = bench.deliver()
      #expect(bench.ingest.aliasBytes <= limit + 16_000)
      if bench.ingest.aliasBytes > limit / 2, !wasWithheld {
        wasWithheld = true
        let late = bench.accept()
        bench.receive(late, bench.connectPacket(.v5, id: "late"))
        let announced: [UInt8] = [0x22, 0, 0]
        #expect(bench.output(late).contains(announced))
      }
      let answer = bench.output(device)
      if answer != puback(1) {
        isEnded = true
        #expect(answer.first == 0xE0 && answer.dropFirst(2).first == 0x97)
        bench.endReceive(device, nil)
        bench.finishClose(device)
        break
      }
    }
    #expect(wasWithheld && isEnded)
    #expect(bench.metrics.disconnects(.aliasMemory).value == 1)
  }
}
