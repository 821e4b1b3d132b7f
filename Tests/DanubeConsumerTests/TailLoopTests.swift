import Bytes
import DanubeConsumer
import DanubeProtocol
import Gateway
import IOPort
import Simulator
import Testing

/// Runs `tail` on a simulated port and collects what it prints.
final class TailDriver: SimulatedLoop {
  let portID: NodeID
  private var loop: TailLoop<SimulatedPort>
  private(set) var output = ""
  private(set) var notices: [String] = []

  init(_ world: SimulatedWorld, _ options: TailLoopOptions) {
    let port = world.makePort(host: 0x0a00_0001)
    portID = port.id
    loop = TailLoop(port: port, options: options)
  }

  var isFinished: Bool { loop.isFinished }
  var recordCount: Int { loop.recordCount }
  var lines: [String] { output.split(separator: "\n").map(String.init) }

  func turn() {
    loop.turn()
    let taken = loop.takeOutput()
    output += String(decoding: Array(copying: taken.bytes), as: UTF8.self)
    notices += loop.takeNotices()
  }

  func beginStop() { loop.beginStop() }
}

@Suite("The tail command")
struct TailLoopTests {
  private struct TailScene {
    let world: SimulatedWorld
    let driver: SimulationDriver
    let broker: SubscriptionBroker
    let tail: TailDriver

    init(_ format: TailLoopOptions.Format = .text, recordLimit: Int = 0) throws {
      world = SimulatedWorld(seed: 7)
      driver = SimulationDriver(world)
      broker = try SubscriptionBroker(world, host: Scene.brokerHost)
      tail = TailDriver(
        world,
        TailLoopOptions(
          topic: "/default/t", subscription: "tail-7", consumerName: "tail-7",
          seeds: [.at(Scene.brokerHost)], format: format, recordLimit: recordLimit, seed: 7))
      driver.add(broker)
      driver.add(tail)
    }
  }

  struct Golden: Sendable {
    let payload: [UInt8]
    var key: String?
    var attributes: [(String, String)] = []
    let text: String
    let json: String

    init(
      _ payload: String, key: String? = nil, attributes: [(String, String)] = [], text: String,
      json: String
    ) {
      self.init(Array(payload.utf8), key: key, attributes: attributes, text: text, json: json)
    }

    init(
      _ payload: [UInt8], key: String? = nil, attributes: [(String, String)] = [], text: String,
      json: String
    ) {
      self.payload = payload
      self.key = key
      self.attributes = attributes
      self.text = text
      self.json = json
    }
  }

  /// What follows the offset, in text and in JSON.
  static let golden: [Golden] = [
    Golden(
      "21.5", key: "dev-1", attributes: [("source", "mqtt"), ("room", "kitchen")],
      text: "key=dev-1 21.5  {room=kitchen source=mqtt}",
      json: #""key":"dev-1","producer":"maker","payload":"21.5","#
        + #""attributes":{"room":"kitchen","source":"mqtt"}}"#),
    Golden(
      "21.5 °C", text: "key= 21.5 °C",
      json: #""producer":"maker","payload":"21.5 °C","attributes":{}}"#),
    Golden(
      "two\nlines\tand a \\", text: #"key= two\nlines\tand a \\"#,
      json: #""producer":"maker","payload":"two\nlines\tand a \\","attributes":{}}"#),
    Golden(
      [0xff, 0x00, 0x0a], text: "key= 0xff000a",
      json: #""producer":"maker","payload_hex":"ff000a","attributes":{}}"#),
    Golden(
      "\u{1b}[2J", text: "key= 0x1b5b324a",
      json: #""producer":"maker","payload":"\u001b[2J","attributes":{}}"#),
    Golden(
      "\u{9b}2J", text: "key= 0xc29b324a",
      json: "\"producer\":\"maker\",\"payload\":\"\u{9b}2J\",\"attributes\":{}}"),
    Golden(
      "", key: "", text: "key= ",
      json: #""key":"","producer":"maker","payload":"","#
        + #""attributes":{}}"#),
    Golden(
      #"{"a":1}"#, key: "a b", attributes: [("x", "1=\"2\""), ("x", "3\u{7}"), ("a b", "c")],
      text: #"key="a b" {"a":1}  {"a b"=c x=3\u{7}}"#,
      json: #""key":"a b","producer":"maker","payload":"{\"a\":1}","#
        + #""attributes":{"a b":"c","x":"3\u0007"}}"#),
  ]

  @Test("Records are printed as text, a line each")
  func text() throws {
    let scene = try TailScene()
    for record in Self.golden {
      scene.broker.publish(
        "/default/t", bytes: record.payload, key: record.key, attributes: record.attributes)
    }
    #expect(scene.driver.run(milliseconds: 5_000) { scene.tail.lines.count == Self.golden.count })
    for (offset, record) in Self.golden.enumerated() {
      let line = "2025-06-15T15:06:40.00\(offset)Z /default/t offset=\(offset) \(record.text)"
      #expect(scene.tail.lines[offset] == line)
    }
    #expect(scene.driver.run(milliseconds: 1_000) { scene.broker.acks.count == Self.golden.count })
  }

  @Test("Records are printed as JSON, an object a line")
  func json() throws {
    let scene = try TailScene(.json)
    for record in Self.golden {
      scene.broker.publish(
        "/default/t", bytes: record.payload, key: record.key, attributes: record.attributes)
    }
    #expect(scene.driver.run(milliseconds: 5_000) { scene.tail.lines.count == Self.golden.count })
    for (offset, record) in Self.golden.enumerated() {
      let head =
        "{\"topic\":\"/default/t\",\"offset\":\(offset),"
        + "\"publish_time_ms\":\(1_750_000_000_000 + offset),"
      #expect(scene.tail.lines[offset] == head + record.json)
    }
  }

  @Test("After the last record that was asked for, tail acknowledges and ends")
  func ends() throws {
    let scene = try TailScene(recordLimit: 3)
    for number in 0..<8 { scene.broker.publish("/default/t", "\(number)") }
    #expect(scene.driver.run(milliseconds: 5_000) { scene.tail.isFinished })
    #expect(scene.tail.recordCount == 3)
    #expect(scene.tail.lines.count == 3)
    #expect(scene.broker.acks.compactMap { $0.messageID?.topicOffset }.sorted() == [0, 1, 2])
  }

  @Test("Tail says what it waits for, and can be stopped while it waits")
  func waits() throws {
    let scene = try TailScene()
    scene.driver.run(milliseconds: 3_000)
    #expect(scene.tail.notices == ["waiting for topic /default/t"])
    scene.tail.beginStop()
    #expect(scene.driver.run(milliseconds: 2_500) { scene.tail.isFinished })
  }
}
