import Foundation
import Testing

@testable import Uring

/// A datagram socket as a service manager has one.
final class ManagerSocket {
  private let descriptor: Int32

  init(bindingTo name: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var bytes = Array(name.utf8)
    if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let length = socklen_t(2 + bytes.count)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
    }
    try #require(result == 0, "errno \(errno)")
  }

  deinit { close(descriptor) }

  func receive() -> String? {
    var bytes = [UInt8](repeating: 0, count: 4_096)
    let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
    return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
  }
}

@Suite("The service manager's socket", .timeLimit(.minutes(1)))
struct NotifySocketTests {
  /// Values that are not copied stay out of the macros.
  private func send(_ text: String, _ socket: borrowing NotifySocket) -> Bool { socket.send(text) }

  @Test("Messages arrive whole, at a path and at an abstract name", arguments: [false, true])
  func messages(isAbstract: Bool) throws {
    let unique = "danube-notify-\(UUID().uuidString.prefix(8))"
    let path = NSTemporaryDirectory() + unique
    defer { unlink(path) }
    let name = isAbstract ? "@\(unique)" : path
    let manager = try ManagerSocket(bindingTo: name)
    guard let socket = NotifySocket.open(path: name) else {
      Issue.record("no socket")
      return
    }
    do {
      let isSent = send("READY=1\nSTATUS=é", socket)
      #expect(isSent)
    }
    do {
      let isSent = send("WATCHDOG=1", socket)
      #expect(isSent)
    }
    #expect(manager.receive() == "READY=1\nSTATUS=é")
    #expect(manager.receive() == "WATCHDOG=1")
    #expect(manager.receive() == nil)
  }

  @Test("A manager that does not listen or read costs a message, and no time")
  func nobody() throws {
    let path = NSTemporaryDirectory() + "danube-notify-\(UUID().uuidString.prefix(8))"
    defer { unlink(path) }
    guard let socket = NotifySocket.open(path: path) else {
      Issue.record("no socket")
      return
    }
    do {
      let isSent = send("READY=1", socket)
      #expect(!isSent)
    }
    let manager = try ManagerSocket(bindingTo: path)
    var sent = 0
    while send("WATCHDOG=1", socket), sent < 100_000 { sent += 1 }
    #expect((1..<100_000).contains(sent))
    #expect(manager.receive() == "WATCHDOG=1")
    do {
      let isSent = send("WATCHDOG=1", socket)
      #expect(isSent)
    }
  }

  @Test(
    "What is no address opens nothing",
    arguments: ["", "/", "@", "relative", "vsock:2:1", "/a\0b", String(repeating: "/a", count: 54)])
  func badPaths(path: String) {
    let isOpen = NotifySocket.open(path: path) != nil
    #expect(!isOpen)
  }

  @Test("The environment is read as it is")
  func environment() {
    setenv("DANUBE_TEST_VARIABLE", "a=b\u{e9}", 1)
    defer { unsetenv("DANUBE_TEST_VARIABLE") }
    #expect(ProcessEnvironment.value(of: "DANUBE_TEST_VARIABLE") == "a=b\u{e9}")
    #expect(ProcessEnvironment.value(of: "DANUBE_TEST_NOTHING") == nil)
    let all = ProcessEnvironment.variables
    #expect(all.contains { $0.name == "DANUBE_TEST_VARIABLE" && $0.value == "a=b\u{e9}" })
    #expect(all.count == ProcessInfo.processInfo.environment.count)
  }
}
