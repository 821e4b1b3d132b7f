import Foundation
import Testing

extension EndToEnd {
  /// What an operator sees, by curl and by Prometheus' own tool.
  @Suite("The admin address")
  struct AdminTests {
    private func json(_ text: String) throws -> [String: Any] {
      try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    private func codes(_ answer: [String: Any]) -> [String] {
      (answer["reasons"] as? [[String: String]] ?? []).compactMap { $0["code"] }
    }

    private func expect(
      _ answer: (status: String, body: String), _ status: String, _ body: String,
      sourceLocation: SourceLocation = #_sourceLocation
    ) {
      #expect(answer.status == status && answer.body == body, sourceLocation: sourceLocation)
    }

    /// The value of a sample, written as it is exported.
    private func value(_ sample: String, _ text: String) -> Double? {
      text.split(separator: "\n").first { $0.hasPrefix(sample + " ") }
        .flatMap { Double($0.split(separator: " ").last ?? "") }
    }

    @Test("promtool accepts the metrics of a gateway that has worked, and they tell what it did")
    func metrics() throws {
      let gateway = try GatewayProcess()
      for number in 0..<3 {
        try Mosquitto.publish(
          port: gateway.mqttPort, version: "mqttv5", client: "device",
          topic: "sensors/a/temperature", qos: 1, message: ["-m", "\(number)"])
      }
      try Mosquitto.publish(
        port: gateway.mqttPort, version: "mqttv5", client: "device", topic: "elsewhere", qos: 1,
        message: ["-m", "x"])
      // The last connection ends a little after its client.
      let text = try Deadline().wait(for: "the end of all connections") { () -> String? in
        let text = try gateway.get("/metrics").body
        let listener = "{listener=\"127.0.0.1:\(gateway.mqttPort)\"}"
        return value("danube_gateway_connections\(listener)", text) == 0 ? text : nil
      }
      let path = try gateway.folder.write(text + "\n", to: "metrics")
      let promtool = try ChildProcess(
        "promtool",
        ["/bin/sh", "-c", "exec '\(try Paths.promtool())' check metrics < '\(path)'"])
      #expect(try promtool.wait() == .exited(0))
      // What it only advises against would stand here.
      #expect(promtool.output + promtool.errorOutput == "")

      #expect(value("danube_gateway_records_received_total{route=\"1\"}", text) == 3)
      #expect(value("danube_gateway_records_received_bytes_total{route=\"1\"}", text) == 3)
      #expect(value("danube_gateway_records_safe_total", text) == 3)
      #expect(value("danube_gateway_records_delivered_total", text) == 3)
      #expect(value("danube_gateway_records_dropped_total{reason=\"no_route\"}", text) == 1)
      #expect(value("danube_gateway_device_to_safe_seconds_count", text) == 3)
      #expect(value("danube_gateway_device_to_delivered_seconds_count", text) == 3)
      let safe = try #require(value("danube_gateway_device_to_safe_seconds_sum", text))
      let delivered = try #require(value("danube_gateway_device_to_delivered_seconds_sum", text))
      #expect(safe > 0 && safe < 30 && delivered <= safe)
      for loop in ["ingest", "delivery"] {
        let busy = try #require(
          value("danube_gateway_loop_busy_seconds_total{loop=\"\(loop)\"}", text))
        let used = try #require(
          value("danube_gateway_loop_cpu_seconds_total{loop=\"\(loop)\"}", text))
        #expect(busy > 0 && busy < 60 && used > 0 && used < 60)
      }
      let resident = try #require(value("process_resident_memory_bytes", text))
      let kibibytes = try gateway.process.residentKibibytes()
      #expect(resident > Double(kibibytes) * 512 && resident < Double(kibibytes) * 2048)
      let started = try #require(value("process_start_time_seconds", text))
      #expect(abs(started - Date().timeIntervalSince1970) < 120)
      let open = try #require(value("process_open_fds", text))
      let held = try FileManager.default
        .contentsOfDirectory(atPath: "/proc/\(gateway.process.pid)/fd").count
      // The connection of the scrape itself has ended since.
      #expect(abs(open - Double(held)) <= 2)
    }

    @Test("The log level is read and set while the gateway runs")
    func logLevel() throws {
      let gateway = try GatewayProcess()
      try expect(gateway.get("/log-level"), "200", #"{"level":"info"}"#)
      func put(_ body: String) throws -> (status: String, body: String) {
        try gateway.get("/log-level", ["--request", "PUT", "--data-binary", body])
      }
      try expect(put("error"), "200", #"{"level":"error"}"#)
      #expect(try gateway.get("/log-level").body == #"{"level":"error"}"#)
      #expect(try put("loud").status == "400")
      try expect(put(#"{"level":"debug"}"#), "200", #"{"level":"debug"}"#)
      let deletion = try gateway.get("/log-level", ["--request", "DELETE"])
      #expect(deletion.status == "405")
    }

    @Test(
      "Without a broker the gateway is degraded and alive, and ready when it has a disk",
      arguments: ["spill", "memory"])
    func degraded(mode: String) throws {
      let nobody = try RawSocket.freePorts(1)[0]
      let gateway = try GatewayProcess(
        .init(brokerURL: "http://127.0.0.1:\(nobody)", spool: "mode = \"\(mode)\""))
      let answer = try Deadline().wait(for: "the first failure") { () -> [String: Any]? in
        let (status, body) = try gateway.get("/health")
        #expect(status == "200")
        let answer = try json(body)
        return body.contains("refused") ? answer : nil
      }
      #expect(answer["status"] as? String == "degraded")
      #expect(codes(answer) == ["danube_disconnected"])
      if mode == "spill" {
        try expect(gateway.get("/readyz"), "200", #"{"status":"ready"}"#)
      } else {
        #expect(try gateway.get("/readyz").status == "503")
      }
      #expect(try gateway.get("/healthz").status == "200")
    }

    /// The loop is made to hang from outside, as by a debugger: nothing in the gateway knows.
    @Test(
      "While a loop hangs /status answers and says so, /healthz is red; green when it goes on",
      arguments: ["ingest", "delivery"])
    func hangingLoop(name: String) throws {
      let gateway = try GatewayProcess()
      try expect(gateway.get("/healthz"), "200", #"{"status":"ok"}"#)
      try FrozenThread.hold(named: name, of: gateway.process.pid) {
        let began = ContinuousClock.now
        #expect(try gateway.get("/healthz").status == "200", "a pause is no hang yet")
        let body = try Deadline().wait(for: "red health") { () -> String? in
          let (status, body) = try gateway.get("/healthz")
          return status == "503" ? body : nil
        }
        #expect(began.duration(to: .now) > .seconds(4))
        let stuck = try #require(try json(body)["loops"] as? [[String: Any]])
        #expect(stuck.map { $0["name"] as? String } == [name])

        let (status, text) = try gateway.get("/status")
        let answer = try json(text)
        #expect(status == "200")
        #expect(answer["status"] as? String == "unhealthy")
        #expect(codes(answer) == ["loop_stuck"])
        let loops = try #require(answer["loops"] as? [[String: Any]])
        #expect(loops.map { $0["is_turning"] as? Bool } == [name != "ingest", name != "delivery"])
        #expect(try gateway.get("/health").status == "503")
        let readiness = try gateway.get("/readyz")
        #expect(readiness.status == "503")
        #expect(codes(try json(readiness.body)) == ["loop_stuck"])
        #expect(try gateway.get("/metrics").status == "200")
      }
      _ = try Deadline().wait(for: "green health") {
        try gateway.get("/healthz").status == "200" ? true : nil
      }
      #expect(try json(try gateway.get("/status").body)["status"] as? String == "healthy")
      try Mosquitto.publish(
        port: gateway.mqttPort, version: "mqttv5", client: "device",
        topic: "sensors/a/temperature", qos: 1, message: ["-m", "1"])
    }
  }
}
