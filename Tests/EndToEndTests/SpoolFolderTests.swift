import Foundation
import Testing

extension EndToEnd {
  @Suite("A folder of the spool, or a data_dir, that can't be used")
  struct SpoolFolderTests {
    /// A gateway that has ended, where a file is in the place of a folder.
    private func stopped(brokerURL: String?, file: String) throws -> GatewayProcess {
      var configuration = GatewayProcess.Configuration()
      configuration.brokerURL = brokerURL
      configuration.spool = "mode = \"spill\""
      let gateway = try GatewayProcess(configuration)
      gateway.process.signal(SIGTERM)
      #expect(try gateway.process.wait() == .exited(0))
      try FileManager.default.removeItem(atPath: gateway.folder.path(file))
      _ = try gateway.folder.write("no folder", to: file)
      return gateway
    }

    @Test("With the broker away the gateway is not ready, and says why and what to do")
    func uplink() throws {
      let port = try RawSocket.freePorts(1)[0]
      let gateway = try stopped(brokerURL: "http://127.0.0.1:\(port)", file: "data/spool")
      try gateway.startAgain()
      let answer = try Deadline().wait(for: "/readyz") { () -> String? in
        let answer = try gateway.get("/readyz")
        return answer.status == "503" && answer.body.contains("spool_unavailable")
          ? answer.body : nil
      }
      for words in ["data/spool", "not a directory (20)", "may write to, and start the gateway"] {
        #expect(answer.contains(words), "\(answer)")
      }
      #expect(try gateway.get("/status").body.contains("\"last_error\":\"not a directory (20)\""))
      let log = try Deadline().wait(for: "the log") { () -> String? in
        let log = gateway.process.errorOutput
        return log.contains("uplink.disconnected") ? log : nil
      }
      #expect(log.contains("records wait in memory, and devices for their answers"))
      #expect(!log.contains("records go to the disk") && log.contains("not a directory (20)"))
    }

    @Test("The embedded broker does not start without its folder")
    func embedded() throws {
      let gateway = try stopped(brokerURL: nil, file: "data/spool")
      let result = try GatewayProcess.command(["run", "--config", "edge.toml"], in: gateway.folder)
      #expect(result.end == .exited(69))
      #expect(result.errorOutput.contains("not a directory (20)"), "\(result.errorOutput)")
    }

    @Test("Without a data_dir that can be locked nothing starts; the message has the remedy")
    func dataDirectory() throws {
      let gateway = try stopped(brokerURL: nil, file: "data")
      let result = try GatewayProcess.command(["run", "--config", "edge.toml"], in: gateway.folder)
      #expect(result.end == .exited(69))
      for words in ["data", "can't be used: Not a directory", "make it writable"] {
        #expect(result.errorOutput.contains(words), "\(result.errorOutput)")
      }
    }

    @Test("A check ends as the start would with a spool of a later version")
    func laterVersion() throws {
      let gateway = try stopped(brokerURL: nil, file: "data/spool")
      try FileManager.default.removeItem(atPath: gateway.folder.path("data/spool"))
      try FileManager.default.createDirectory(
        atPath: gateway.folder.path("data/spool"), withIntermediateDirectories: true)
      var header = Data("DANUBESP".utf8) + Data([2, 0, 0, 0]) + Data(repeating: 0, count: 496)
      let checksum = Self.crc32c(header)
      header += Data((0..<4).map { UInt8(truncatingIfNeeded: checksum >> (8 * $0)) })
      try (header + Data(repeating: 0, count: 512)).write(
        to: URL(fileURLWithPath: gateway.folder.path("data/spool/00000001.seg")))
      for command in ["check", "run"] {
        let result = try GatewayProcess.command(
          [command, "--config", "edge.toml"], in: gateway.folder)
        #expect(result.end == .exited(78), "\(command): \(result.output)")
        #expect(
          result.errorOutput.contains("a later version of the gateway wrote 00000001.seg"),
          "\(command): \(result.errorOutput)")
      }
    }

    private static func crc32c(_ bytes: Data) -> UInt32 {
      var crc = UInt32.max
      for byte in bytes {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
      }
      return ~crc
    }
  }
}
