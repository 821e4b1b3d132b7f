import CGRPC
import Foundation
import Synchronization
import Testing

extension EndToEnd {
  @Suite("`danube-gateway spool quarantine` lists, shows, sends again and drops what was refused")
  struct QuarantineCommandTests {
    private static let topic = "/default/temperature"
    private static let reason = "PERMISSION_DENIED: Schema validation failed"

    /// Whether the broker takes everything.
    private final class Switch: Sendable {
      let isOpen = Atomic<Bool>(false)
    }

    private func spool(
      _ arguments: [String], in gateway: GatewayProcess
    ) throws -> (end: ChildProcess.End, output: String, errorOutput: String) {
      try GatewayProcess.command(["spool", "quarantine"] + arguments, in: gateway.folder)
    }

    private func objects(_ text: String) throws -> [[String: Any]] {
      try text.split(separator: "\n").map { line in
        try #require(
          try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      }
    }

    /// How many records the list has of the topic.
    private func count(in gateway: GatewayProcess) throws -> Int {
      let list = try spool(["ls", "--json", "--config", "edge.toml"], in: gateway)
      #expect(list.end == .exited(0), "\(list.errorOutput)")
      let lanes = try #require(try objects(list.output).first?["quarantine"] as? [[String: Any]])
      return lanes.first?["records"] as? Int ?? 0
    }

    private func wrongUse(in gateway: GatewayProcess) throws {
      let cases: [(arguments: [String], code: Int32, words: String)] = [
        ([], 64, "needs one of ls, show"), (["export"], 64, "needs one of ls, show"),
        (["drop", "--dir", "data", "--yes"], 64, "--lane"),
        (["show", "/default/x", "--dir", "data"], 1, "no lane quarantine:/default/x"),
        (["ls", Self.topic, "--dir", "data"], 64, "does not take"),
        (["ls", "--admin", "127.0.0.1:1"], 64, "--dir or --config"),
      ]
      for (arguments, code, words) in cases {
        let result = try spool(arguments, in: gateway)
        #expect(result.end == .exited(code), "\(arguments): \(result.errorOutput)")
        #expect(result.errorOutput.contains(words), "\(arguments): \(result.errorOutput)")
      }
    }

    @Test("With a gateway that runs, and with its files when it has ended")
    func commands() throws {
      let gate = Switch()
      let broker = try PlayedBroker { message, _ in
        guard message.text.hasPrefix("bad"), !gate.isOpen.load(ordering: .relaxed) else {
          return .accept
        }
        return .fail(GRPC_STATUS_PERMISSION_DENIED, "Schema validation failed")
      }
      var configuration = GatewayProcess.Configuration()
      configuration.brokerURL = broker.url
      configuration.spool = "mode = \"always\"\nsegment_bytes = \"64KiB\""
      let gateway = try GatewayProcess(configuration)
      for text in ["bad 0", "good 1", "bad 2", "bad 3"] {
        try Mosquitto.publish(
          port: gateway.mqttPort, version: "mqttv5", client: "device",
          topic: "sensors/attic/temperature", qos: 1, message: ["-m", text])
      }
      try Deadline(seconds: 30).wait(for: "three records in quarantine") {
        try count(in: gateway) == 3 ? () : nil
      }
      let table = try spool(["ls", "--dir", "data"], in: gateway)
      #expect(table.output.contains("\(Self.topic): 3 records"), "\(table.output)")
      #expect(table.output.contains(Self.reason), "\(table.output)")
      let shown = try objects(try spool(["show", Self.topic, "--dir", "data"], in: gateway).output)
      #expect(shown.map { $0["payload"] as? String } == ["bad 0", "bad 2", "bad 3"])
      #expect(shown.map { $0["sequence"] as? Int } == [0, 1, 2])
      for record in shown {
        #expect(record["reason"] as? String == Self.reason)
        #expect(record["key"] as? String == "device")
        #expect(record["quarantined_ms"] as? Int ?? 0 > 0)
        let attributes = try #require(record["attributes"] as? [String: String])
        #expect(attributes["room"] == "attic")
        #expect(attributes["x-danube-gateway-reason"] == nil)
      }
      let one = try spool(["show", Self.topic, "--limit", "1", "--dir", "data"], in: gateway)
      #expect(try objects(one.output).count == 1)

      gate.isOpen.store(true, ordering: .relaxed)
      let replay = try spool(
        ["replay", Self.topic, "--from", "1", "--config", "edge.toml"], in: gateway)
      #expect(replay.end == .exited(0), "\(replay.errorOutput)")
      #expect(replay.output.hasPrefix("2 records of quarantine:\(Self.topic), from 1 on"))
      try Deadline(seconds: 30).wait(for: "what was sent again") {
        broker.seen.accepted.map(\.text) == ["good 1", "bad 2", "bad 3"] ? () : nil
      }
      // It came as it was.
      #expect(broker.seen.accepted.allSatisfy { $0.topic == Self.topic })
      #expect(
        broker.seen.accepted.allSatisfy {
          $0.attributes.keys.allSatisfy { !$0.hasPrefix("x-danube-gateway-reason") }
        })
      try Deadline(seconds: 30).wait(for: "one record in quarantine") {
        try count(in: gateway) == 1 ? () : nil
      }
      gateway.process.signal(SIGTERM)
      #expect(try gateway.process.wait() == .exited(0))
      #expect(try count(in: gateway) == 1)
      let offline = try spool(["replay", Self.topic, "--dir", "data"], in: gateway)
      #expect(offline.end == .exited(69) && offline.errorOutput.contains("a gateway that runs"))
      let drop = try spool(["drop", Self.topic, "--yes", "--dir", "data"], in: gateway)
      #expect(drop.end == .exited(0), "\(drop.errorOutput)")
      #expect(drop.output.contains("of which 1 were not delivered"))
      #expect(
        try spool(["ls", "--dir", "data"], in: gateway).output == "nothing is in quarantine\n")
      try wrongUse(in: gateway)
    }
  }
}
