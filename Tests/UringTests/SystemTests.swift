import Foundation
import IOPort
import Testing

@testable import Uring

@Suite("The system's other doors", .timeLimit(.minutes(1)))
struct SystemTests {
  private static func temporaryDirectory() -> String {
    NSTemporaryDirectory() + "danube-uring-\(UUID().uuidString)"
  }

  @Test("A data directory is made, and locked by one holder at a time")
  func fileLock() throws {
    let root = Self.temporaryDirectory()
    defer { try? FileManager.default.removeItem(atPath: root) }
    let directory = root + "/a/b"
    do {
      let lock = try FileLock(directory: directory)
      let processID = ProcessInfo.processInfo.processIdentifier
      #expect(throws: FileLock.Failure.held(path: directory + "/lock", processID: processID)) {
        _ = try FileLock(directory: directory)
      }
      let failure = FileLock.Failure.held(path: directory + "/lock", processID: processID)
      #expect(failure.message.contains("\(processID)"))
      #expect(failure.message.contains("data_dir"))
      _ = consume lock
    }
    _ = try FileLock(directory: directory)
  }

  @Test("A data directory that can't be made says which and why")
  func unusableDirectory() throws {
    let root = Self.temporaryDirectory()
    defer { try? FileManager.default.removeItem(atPath: root) }
    try Data("x".utf8).write(to: URL(fileURLWithPath: root))
    do {
      _ = try FileLock(directory: root + "/data")
      Issue.record("a file is no directory")
    } catch {
      #expect(error == .failed(path: root + "/data", code: ENOTDIR))
      #expect(error.message.contains(root + "/data"))
    }
  }

  @Test("Names and addresses resolve; a name nobody has fails")
  func resolve() throws {
    #expect(
      try HostResolver.resolve(host: "127.0.0.1", port: 80) == [.loopback(port: 80)])
    let local = try HostResolver.resolve(host: "localhost", port: 1883)
    #expect(local.allSatisfy { $0.port == 1883 })
    #expect(Set(local).count == local.count)
    #expect(local.contains(.loopback(port: 1883)) || local.contains { $0.isIPv6 })
    do {
      // RFC 6761 §6.4: no such name exists, and no server is asked for it.
      _ = try HostResolver.resolve(host: "nobody.invalid", port: 1)
      Issue.record("resolved")
    } catch {
      #expect(!error.message.isEmpty)
    }
  }

  @Test("The machine has a name and six digits that stay the same")
  func identity() {
    #expect(!MachineIdentity.hostName.isEmpty)
    #expect(MachineIdentity.shortHash.utf8.count == 6)
    #expect(MachineIdentity.shortHash.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) })
    #expect(MachineIdentity.shortHash == MachineIdentity.shortHash)
  }

  @Test("A file is read whole, within its limit", arguments: [0, 1, 16_384, 100_000])
  func readFile(size: Int) throws {
    let path = Self.temporaryDirectory()
    defer { try? FileManager.default.removeItem(atPath: path) }
    let bytes = pattern(size)
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    #expect(try FileReading.readFile(path, limitBytes: size) == bytes)
    if size > 0 {
      #expect(throws: FileReading.Failure.tooLarge) {
        try FileReading.readFile(path, limitBytes: size - 1)
      }
    }
    #expect(throws: FileReading.Failure.failed(code: ENOENT)) {
      try FileReading.readFile(path + "-no", limitBytes: 10)
    }
    #expect(throws: FileReading.Failure.failed(code: EISDIR)) {
      try FileReading.readFile("/", limitBytes: 10)
    }
  }

  @Test(
    "Addresses survive the kernel's form",
    arguments: [
      "127.0.0.1", "255.255.255.255", "0.0.0.0", "::", "::1", "fe80::1:2:3", "1:2:3:4:5:6:7:8",
    ])
  func addresses(host: String) throws {
    let address = try #require(SocketAddress(host: host, port: 4711))
    let kernel = KernelAddress(address)
    #expect(kernel.socketAddress == address)
    #expect(kernel.byteCount == (address.isIPv6 ? 28 : 16))
  }
}
