import Foundation
import Testing

extension EndToEnd {
  @Suite("`danube-gateway spool` looks into the buffer on the disk, and changes it")
  struct SpoolCommandTests {
    private static let topic = "/default/temperature"
    private static let always = "mode = \"always\"\nsegment_bytes = \"64KiB\""

    private func publish(_ count: Int, to gateway: GatewayProcess, from first: Int = 0) throws {
      for number in first..<first + count {
        try Mosquitto.publish(
          port: gateway.mqttPort, version: "mqttv5", client: "device",
          topic: "sensors/attic/temperature", qos: 1, message: ["-m", "value \(number)"])
      }
    }

    private func spool(
      _ arguments: [String], in gateway: GatewayProcess
    ) throws -> (end: ChildProcess.End, output: String, errorOutput: String) {
      try GatewayProcess.command(["spool"] + arguments, in: gateway.folder)
    }

    /// A gateway whose broker is away, and that has ended with records in its spool.
    private func stopped(records: Int) throws -> GatewayProcess {
      let port = try RawSocket.freePorts(1)[0]
      var configuration = GatewayProcess.Configuration()
      configuration.brokerURL = "http://127.0.0.1:\(port)"
      configuration.spool = Self.always
      let gateway = try GatewayProcess(configuration)
      try publish(records, to: gateway)
      gateway.process.signal(SIGTERM)
      #expect(try gateway.process.wait() == .exited(0))
      return gateway
    }

    private func objects(_ text: String) throws -> [[String: Any]] {
      try text.split(separator: "\n").map { line in
        try #require(
          try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      }
    }

    @Test("What a stopped gateway left is listed, verified, printed and exported")
    func offline() throws {
      let gateway = try stopped(records: 5)
      for place in [["--dir", "data"], ["--dir", "data/spool/"], ["--config", "edge.toml"]] {
        let list = try spool(["ls", "--json"] + place, in: gateway)
        #expect(list.end == .exited(0), "\(list.errorOutput)")
        let lanes = try #require(try objects(list.output).first?["lanes"] as? [[String: Any]])
        #expect(lanes.map { $0["topic"] as? String } == [Self.topic])
        #expect(lanes.map { $0["records"] as? Int } == [5])
        let cursors = try #require(lanes.first?["cursors"] as? [[String: Any]])
        #expect(cursors.map { $0["waiting"] as? Int } == [5])
        #expect((lanes.first?["oldest_waiting_age_ms"] as? Int).map { $0 < 120_000 } == true)
      }
      let table = try spool(["ls", "--dir", "data"], in: gateway)
      #expect(table.output.contains(Self.topic) && table.output.contains("00000001.seg"))
      let verified = try spool(["verify", "--dir", "data"], in: gateway)
      #expect(verified.end == .exited(0))
      #expect(verified.output.contains("5 records"))
      let dump = try spool(
        ["dump", "--dir", "data", "--lane", Self.topic, "--from", "1", "--limit", "2"],
        in: gateway)
      #expect(dump.end == .exited(0))
      let lines = dump.output.split(separator: "\n")
      #expect(lines.count == 2)
      #expect(lines[0].hasPrefix("1 20") && lines[0].contains("key=device value 1  {"))
      #expect(lines[0].contains("room=attic"))
      let export = try spool(["export", "--ndjson", "--dir", "data"], in: gateway)
      let records = try objects(export.output)
      #expect(records.map { $0["payload"] as? String } == (0..<5).map { "value \($0)" })
      #expect(records.map { $0["sequence"] as? Int } == Array(0..<5))
      #expect(records.allSatisfy { $0["key"] as? String == "device" })
      #expect(records.allSatisfy { $0["topic"] as? String == Self.topic })
    }

    @Test("A damaged copy is told with file and sequences, and exit code 1; nothing is written")
    func damaged() throws {
      let gateway = try stopped(records: 5)
      let copy = gateway.folder.path("copy")
      try FileManager.default.copyItem(atPath: gateway.folder.path("data/spool"), toPath: copy)
      let segment = URL(fileURLWithPath: copy + "/00000001.seg")
      var bytes = try Data(contentsOf: segment)
      bytes[700] ^= 0xff
      try bytes.write(to: segment)
      let result = try spool(["verify", "--dir", "copy"], in: gateway)
      #expect(result.end == .exited(1))
      #expect(result.output.contains("damaged: 00000001.seg at 512"))
      let json = try spool(["verify", "--dir", "copy", "--json"], in: gateway)
      #expect(json.end == .exited(1))
      #expect(try objects(json.output).first?["is_whole"] as? Bool == false)
      #expect(try Data(contentsOf: segment) == bytes)
      // What is left can still be had.
      let export = try spool(["export", "--dir", "copy"], in: gateway)
      let left = try objects(export.output)
      #expect(left.count < 5 && !left.isEmpty)
    }

    @Test("Records are given up only when that is confirmed, and can be had back while there")
    func dropAndReplay() throws {
      let gateway = try stopped(records: 5)
      func waiting() throws -> Int {
        let output = try spool(["export", "--undelivered", "--dir", "data"], in: gateway).output
        return output.split(separator: "\n").count
      }
      let process = try ChildProcess(
        "spool drop",
        [try Paths.gateway(), "spool", "drop", "--dir", "data", "--lane", Self.topic],
        in: gateway.folder.url.path)
      try process.write("n\n")
      #expect(try process.wait() == .exited(1))
      #expect(process.output.contains("Give up 5 records of \(Self.topic), of which 5 were not"))
      #expect(process.output.contains("nothing was changed"))
      #expect(try waiting() == 5)
      let drop = try spool(
        ["drop", "--dir", "data", "--lane", Self.topic, "--before", "3", "--yes"], in: gateway)
      #expect(drop.end == .exited(0), "\(drop.errorOutput)")
      #expect(drop.output.contains("gave up 3 records"))
      #expect(try waiting() == 2)
      let replay = try spool(
        ["replay", "--dir", "data", "--lane", Self.topic, "--from", "1"], in: gateway)
      #expect(replay.end == .exited(0))
      #expect(try waiting() == 4)
    }

    @Test("What can't be done says why, with the exit code for it")
    func wrongUse() throws {
      let gateway = try stopped(records: 1)
      let cases: [(arguments: [String], code: Int32, words: String)] = [
        ([], 64, "spool needs one of"), (["rm"], 64, "no command rm"),
        (["ls", "--dir", "nowhere"], 69, "nowhere"),
        (["replay", "--dir", "data", "--lane", "/default/x"], 64, "--from"),
        (["replay", "--dir", "data", "--lane", "/default/x", "--from", "0"], 1, "no lane"),
        (["replay", "--dir", "data", "--lane", Self.topic, "--from", "7"], 1, "next record is 1"),
        (["drop", "--dir", "data", "--yes"], 64, "--lane"),
        (["drop", "--dir", "data", "--lane", Self.topic, "--before", "x"], 64, "--before"),
        (["ls", "--dir", "data", "--lane", "/default/x"], 64, "does not take --lane"),
        (["ls", "--dir", "data", "--config", "edge.toml"], 64, "give one"),
        (["dump", "--dir", "data", "--lane", "/default/x"], 1, "no lane"),
        (["ls", "--admin", "127.0.0.1:1"], 69, "127.0.0.1:1"),
      ]
      for (arguments, code, words) in cases {
        let result = try spool(arguments, in: gateway)
        #expect(result.end == .exited(code), "\(arguments): \(result.errorOutput)")
        #expect(result.errorOutput.contains(words), "\(arguments): \(result.errorOutput)")
      }
    }

    private func shell(
      _ script: String, in gateway: GatewayProcess
    ) throws -> (end: ChildProcess.End, output: String, errorOutput: String) {
      let process = try ChildProcess(
        "sh", ["/bin/sh", "-c", script, "sh", try Paths.gateway()], in: gateway.folder.url.path)
      return (try process.wait(), process.output, process.errorOutput)
    }

    @Test("Output that can't be written is told, with exit code 74; who stops reading is not")
    func fullOutput() throws {
      let gateway = try stopped(records: 5)
      for command in ["export", "dump", "ls", "ls --json", "verify", "verify --json"] {
        let full = try shell("exec \"$1\" spool \(command) --dir data > /dev/full", in: gateway)
        #expect(full.end == .exited(74), "\(command)")
        #expect(full.errorOutput.contains("No space left"), "\(command): \(full.errorOutput)")
        let closed = try shell(
          "{ \"$1\" spool \(command) --dir data; echo $? >&2; } | true", in: gateway)
        #expect(closed.errorOutput == "0\n", "\(command): \(closed.errorOutput)")
      }
    }

    @Test("A gateway that runs has its spool, by whatever name somebody else finds it")
    func otherNames() throws {
      let gateway = try stopped(records: 5)
      let files = FileManager.default
      // The folder itself is elsewhere, by a link.
      try files.moveItem(
        atPath: gateway.folder.path("data/spool"), toPath: gateway.folder.path("flash"))
      try files.createSymbolicLink(
        atPath: gateway.folder.path("data/spool"), withDestinationPath: "../flash")
      try files.createSymbolicLink(
        atPath: gateway.folder.path("link"), withDestinationPath: "data/spool")
      try gateway.startAgain()
      for folder in ["data", "data/spool", "data/spool/", "data/spool/.", "link", "flash"] {
        let drop = try spool(
          ["drop", "--dir", folder, "--lane", Self.topic, "--yes"], in: gateway)
        #expect(drop.end == .exited(69), "\(folder): \(drop.output)")
        #expect(drop.errorOutput.contains("in use by a gateway"), "\(folder)")
      }
      let inside = try shell(
        "cd data/spool && exec \"$1\" spool drop --dir . --lane \(Self.topic) --yes", in: gateway)
      #expect(inside.end == .exited(69), "\(inside.output)")
      gateway.process.signal(SIGTERM)
      #expect(try gateway.process.wait() == .exited(0))
      // Without it that works, by each name.
      let drop = try spool(
        ["drop", "--dir", "link", "--lane", Self.topic, "--before", "2", "--yes"], in: gateway)
      #expect(drop.end == .exited(0), "\(drop.errorOutput)")
    }

    @Test("A subscription of the embedded broker is set back while it receives")
    func liveSubscription() throws {
      let gateway = try GatewayProcess()
      try publish(1, to: gateway)
      let name = "a & b"
      let tail = try ChildProcess(
        "tail",
        [
          try Paths.gateway(), "tail", Self.topic, "--url", gateway.brokerURL, "--json",
          "--subscription", name,
        ])
      let deadline = Deadline(seconds: 30)
      while try !spool(["ls", "--config", "edge.toml"], in: gateway).output.contains(name) {
        try #require(!deadline.isOver)
        usleep(50_000)
      }
      try publish(4, to: gateway, from: 1)
      while try !tail.nextLine(deadline).contains("value 4") {}
      let replay = try spool(
        [
          "replay", "--config", "edge.toml", "--lane", Self.topic, "--from", "2",
          "--subscription", name,
        ], in: gateway)
      #expect(replay.end == .exited(0), "\(replay.errorOutput)")
      for number in 2..<5 {
        #expect(try tail.nextLine(Deadline(seconds: 30)).contains("value \(number)"))
      }
      let unnamed = try spool(
        ["replay", "--config", "edge.toml", "--lane", Self.topic, "--from", "2"], in: gateway)
      #expect(unnamed.end == .exited(1) && unnamed.errorOutput.contains("--subscription NAME"))
    }

    @Test("What a gateway that runs has confirmed holds after kill -9")
    func confirmed() throws {
      let gateway = try stopped(records: 5)
      try gateway.startAgain()
      let drop = try spool(
        ["drop", "--config", "edge.toml", "--lane", Self.topic, "--before", "4", "--yes"],
        in: gateway)
      try gateway.process.killNow()
      #expect(drop.end == .exited(0), "\(drop.errorOutput)")
      let left = try spool(["export", "--undelivered", "--dir", "data"], in: gateway)
      #expect(try objects(left.output).map { $0["sequence"] as? Int } == [4])
      try gateway.startAgain()
      let replay = try spool(
        ["replay", "--config", "edge.toml", "--lane", Self.topic, "--from", "2"], in: gateway)
      try gateway.process.killNow()
      #expect(replay.end == .exited(0), "\(replay.errorOutput)")
      let again = try spool(["export", "--undelivered", "--dir", "data"], in: gateway)
      #expect(try objects(again.output).map { $0["sequence"] as? Int } == [2, 3, 4])
    }

    @Test("A gateway that runs is asked: ls, replay and drop")
    func live() throws {
      let broker = try GatewayProcess()
      var configuration = GatewayProcess.Configuration()
      configuration.brokerURL = broker.brokerURL
      configuration.spool = Self.always
      let tail = try ChildProcess(
        "tail", [try Paths.gateway(), "tail", Self.topic, "--url", broker.brokerURL, "--json"])
      let gateway = try GatewayProcess(configuration)
      // The topic comes with its first record, and the subscription with the topic.
      try publish(5, to: gateway)
      _ = try tail.nextLine(Deadline(seconds: 30))
      try publish(5, to: gateway, from: 5)
      while try !tail.nextLine(Deadline(seconds: 30)).contains("value 9") {}

      let refused = try spool(
        ["replay", "--dir", "data", "--lane", Self.topic, "--from", "0"], in: gateway)
      #expect(refused.end == .exited(69))
      #expect(refused.errorOutput.contains("process \(gateway.process.pid)"))
      #expect(refused.errorOutput.contains("--admin"))
      // Reading works meanwhile.
      #expect(try spool(["verify", "--dir", "data"], in: gateway).end == .exited(0))
      let list = try spool(["ls", "--config", "edge.toml", "--json"], in: gateway)
      #expect(list.end == .exited(0), "\(list.errorOutput)")
      #expect(list.output.contains("\"topic\":\"\(Self.topic)\""))
      let admin = "127.0.0.1:\(gateway.adminPort)"
      #expect(try spool(["ls", "--admin", admin], in: gateway).output.contains(Self.topic))

      let replay = try spool(
        ["replay", "--config", "edge.toml", "--lane", Self.topic, "--from", "7"], in: gateway)
      #expect(replay.end == .exited(0), "\(replay.errorOutput)")
      #expect(replay.output.contains("3 records of \(Self.topic), from 7 on"))
      for number in 7..<10 {
        #expect(try tail.nextLine(Deadline(seconds: 30)).contains("value \(number)"))
      }
      // New records go on behind them.
      try publish(1, to: gateway, from: 10)
      #expect(try tail.nextLine(Deadline(seconds: 30)).contains("value 10"))
      let unknown = try spool(
        ["replay", "--admin", admin, "--lane", "/default/x", "--from", "0"], in: gateway)
      #expect(unknown.end == .exited(1) && unknown.errorOutput.contains("no lane"))

      try broker.process.killNow()
      try publish(3, to: gateway, from: 11)
      let drop = try spool(
        ["drop", "--admin", admin, "--lane", Self.topic, "--yes"], in: gateway)
      #expect(drop.end == .exited(0), "\(drop.errorOutput)")
      #expect(drop.output.contains("of which 3 were not delivered"), "\(drop.output)")
    }
  }
}
