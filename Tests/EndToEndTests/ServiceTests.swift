import Foundation
import Testing

extension EndToEnd {
  @Suite("The service manager hears how the gateway is")
  struct ServiceTests {
    private let folder: TemporaryFolder

    init() throws {
      folder = try TemporaryFolder()
    }

    @Test("READY when every listener answers, STOPPING when the end begins", arguments: [0, 1])
    func life(kind: Int) throws {
      let unique = "danube-test-\(UUID().uuidString.prefix(8))"
      let manager = try ServiceManagerSocket(kind == 0 ? folder.path("notify") : "@\(unique)")
      let ports = try RawSocket.freePorts(3)
      let path = try folder.write(
        GatewayProcess.render(.init(), ports: ports), to: "edge.toml")
      let process = try ChildProcess(
        "danube-gateway run", [try Paths.gateway(), "run", "--config", path],
        in: folder.url.path, environment: ["NOTIFY_SOCKET": manager.name])
      let ready = try manager.expect("READY=1")
      // No retries: whoever is ordered after the gateway connects at once.
      for port in ports {
        _ = try RawSocket(port: port)
        #expect(ready.contains("127.0.0.1:\(port)"))
      }
      #expect(ready.contains("\nSTATUS=Serving "))
      process.signal(SIGTERM)
      let stopping = try manager.expect("STOPPING=1")
      #expect(stopping.contains("EXTEND_TIMEOUT_USEC="))
      #expect(try process.wait() == .exited(0))
      // Without WATCHDOG_USEC there was nothing else to say.
      #expect(manager.next() == nil)
    }

    @Test("A gateway that cannot start is never ready and says why")
    func cannotStart() throws {
      let manager = try ServiceManagerSocket(folder.path("notify"))
      let taken = try RawSocket.boundSocket()
      defer { close(taken.descriptor) }
      var ports = try RawSocket.freePorts(3)
      ports[0] = taken.port
      let path = try folder.write(
        GatewayProcess.render(.init(), ports: ports), to: "edge.toml")
      let process = try ChildProcess(
        "danube-gateway run", [try Paths.gateway(), "run", "--config", path],
        in: folder.url.path, environment: ["NOTIFY_SOCKET": manager.name])
      #expect(try process.wait() == .exited(69))
      var messages: [String] = []
      while let message = manager.next() { messages.append(message) }
      #expect(!messages.contains { $0.contains("READY=1") })
      #expect(messages.contains { $0.contains("STATUS=Cannot serve: mqtt address 127.0.0.1:") })
    }

    @Test("The watchdog is fed at half of its time")
    func feeding() throws {
      let manager = try ServiceManagerSocket(folder.path("notify"))
      let gateway = try GatewayProcess(
        environment: ["NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000"])
      try manager.expect("WATCHDOG=1")
      // Every 200 ms; a busy machine makes it fewer, never more.
      let count = manager.count("WATCHDOG=1", seconds: 3)
      #expect((5...16).contains(count), "\(count)")
      gateway.process.signal(SIGTERM)
      try manager.expect("STOPPING=1")
    }

    @Test("A watchdog for another process is not fed")
    func otherProcess() throws {
      let manager = try ServiceManagerSocket(folder.path("notify"))
      let gateway = try GatewayProcess(
        environment: [
          "NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1",
        ])
      try manager.expect("READY=1")
      #expect(manager.count("WATCHDOG=1", seconds: 1) == 0)
      gateway.process.signal(SIGTERM)
      try manager.expect("STOPPING=1")
    }

    @Test("A loop that hangs ends the feeding, and only that", arguments: ["ingest", "delivery"])
    func hangingLoop(name: String) throws {
      let manager = try ServiceManagerSocket(folder.path("notify"))
      let gateway = try GatewayProcess(
        environment: ["NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000"])
      try manager.expect("WATCHDOG=1")
      do {
        let stopped = try StoppedThread(name, of: gateway.process.pid)
        // What was under way when it stopped may still be told.
        _ = manager.count("WATCHDOG=1", seconds: 0.5)
        #expect(manager.count("WATCHDOG=1", seconds: 2) == 0)
        // The main thread answers.
        #expect(try gateway.get("/status").status == "200")
        withExtendedLifetime(stopped) {}
      }
      try manager.expect("WATCHDOG=1")
      gateway.process.signal(SIGTERM)
      #expect(try gateway.process.wait() == .exited(0))
    }

    @Test("Without work the main thread sleeps, and the loops wake once a second")
    func idle() throws {
      let gateway = try GatewayProcess()
      // The spool saves once what it was made with.
      usleep(2_500_000)
      let before = try Self.switches(of: gateway.process.pid)
      sleep(4)
      let after = try Self.switches(of: gateway.process.pid)
      for (thread, most) in [("main", 1), ("ingest", 8), ("delivery", 8)] {
        let count = (after[thread] ?? .max) - (before[thread] ?? 0)
        #expect(count <= most, "\(thread): \(count) in four seconds")
      }
    }

    /// How often each thread went to sleep, by its name; that of the first one is the program's.
    private static func switches(of process: pid_t) throws -> [String: Int] {
      var result: [String: Int] = [:]
      for task in try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task") {
        let status = try String(
          contentsOfFile: "/proc/\(process)/task/\(task)/status", encoding: .utf8)
        func value(_ key: String) -> String {
          let line = status.split(separator: "\n").first { $0.hasPrefix("\(key):") } ?? ""
          return line.split(whereSeparator: \.isWhitespace).last.map(String.init) ?? ""
        }
        let name = task == "\(process)" ? "main" : value("Name")
        result[name] = Int(value("voluntary_ctxt_switches"))
      }
      return result
    }

    @Test("systemd accepts the unit and finds it confined")
    func unit() throws {
      let path = Paths.packageRoot.appending(path: "systemd/danube-gateway.service").path
      var text = try String(contentsOfFile: path, encoding: .utf8)
      // Neither the program nor the user is installed where tests run.
      text.replace("/usr/bin/danube-gateway", with: try Paths.gateway())
      text.replace("=danube-gateway\n", with: "=root\n")
      let copy = try folder.write(text, to: "danube-gateway.service")
      for arguments in [
        ["verify", "--man=no", copy], ["security", "--offline=yes", "--threshold=25", copy],
      ] {
        let process = try ChildProcess(
          "systemd-analyze", ["/usr/bin/systemd-analyze"] + arguments)
        #expect(try process.wait() == .exited(0), "\(process.output)\(process.errorOutput)")
        if arguments[0] == "verify" { #expect(process.errorOutput == "") }
      }
    }
  }
}
