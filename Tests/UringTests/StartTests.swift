import Foundation
import IOPort
import Testing

@testable import Uring

@Suite("Starting and leaving", .timeLimit(.minutes(1)))
struct StartTests {
  @Test(
    "Each cause has a message with a remedy",
    arguments: [
      (ENOSYS, nil, "has no io_uring", "Linux 6.0"),
      (EPERM, 2, "kernel.io_uring_disabled = 2", "sysctl -w"),
      (EPERM, 1, "kernel.io_uring_disabled = 1", "io_uring_group"),
      (EPERM, 0, "seccomp", "--security-opt"),
      (EACCES, nil, "seccomp", "--security-opt"),
      (EINVAL, nil, "too old", "Linux 6.0"),
      (ENOMEM, nil, "memory", "LimitMEMLOCK"),
      (EMFILE, nil, "descriptors", "LimitNOFILE"),
      (ENFILE, nil, "descriptors", "LimitNOFILE"),
      (EIO, nil, "io_uring_setup failed", "error 5"),
    ] as [(Int32, Int?, String, String)])
  func messages(code: Int32, sysctl: Int?, cause: String, remedy: String) {
    let text = UringError(call: "io_uring_setup", code: code, sysctl: sysctl).description
    #expect(text.contains(cause))
    #expect(text.contains(remedy))
    #expect(!text.contains("\n"))
  }

  @Test("A port gives every descriptor back that it took")
  func leaks() async {
    // Other tests open sockets meanwhile, so a process of its own counts.
    await #expect(processExitsWith: .success) {
      // The first port leaves its doorbell for the next.
      let bell = try Uring().doorbell
      let before = try openFileDescriptors()
      for _ in 0..<3 {
        var driver = try Driver()
        let pair = try driver.connectedPair()
        driver.queue.append(.receive(pair.far), token: Tokens.receive)
        driver.queue.append(
          .connect(SocketAddress(ipv4: 0x7f00_0001, port: 1)), token: Tokens.other)
        #expect(driver.port.doorbell == bell)
        try #require(try openFileDescriptors() > before)
        try driver.run("refused") { $0.contains { $0.token == Tokens.other } }
      }
      let after = try openFileDescriptors()
      #expect(before == after)
      exit(before == after ? 0 : 1)
    }
  }

  @Test("Accepting ends without descriptors, and goes on when there are some")
  func acceptWithoutDescriptors() async {
    await #expect(processExitsWith: .success) {
      var driver = try Driver()
      let listener = try driver.port.listen(on: .loopback(port: 0))
      for _ in 0..<4 { driver.queue.append(.connect(listener.bound), token: Tokens.connect) }
      try driver.run("connected") { $0.count == 4 }
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      let before = limit.rlim_cur
      let next = dup(0)
      close(next)
      limit.rlim_cur = rlim_t(next)
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      driver.queue.append(.accept(listener.descriptor), token: Tokens.accept)
      try driver.run("the accept ends") { $0.contains { $0.token == Tokens.accept } }
      #expect(driver.seen(Tokens.accept) == [.acceptEnded(.resourcesExhausted)])
      limit.rlim_cur = before
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      driver.queue.append(.accept(listener.descriptor), token: Tokens.other)
      try driver.run("all are accepted") { $0.filter { $0.token == Tokens.other }.count == 4 }
      exit(driver.peers.count == 4 ? 0 : 1)
    }
  }

  @Test("When a port has ended its addresses are free, whatever was under way")
  func endFreesAddresses() throws {
    let bound: SocketAddress
    do {
      var driver = try Driver()
      let pair = try driver.connectedPair()
      driver.queue.append(.receive(pair.near), token: Tokens.receive)
      let other = try driver.port.listen(on: .loopback(port: 0))
      driver.queue.append(.accept(other.descriptor), token: Tokens.other)
      try driver.turn(milliseconds: 1)
      bound = other.bound
    }
    var driver = try Driver()
    #expect(try driver.port.listen(on: bound).bound == bound)
  }

  @Test("Where a seccomp filter blocks io_uring, the error says so")
  func blocked() async {
    await #expect(processExitsWith: .exitCode(42)) {
      try #require(Seccomp.deny(systemCall: 425, with: EPERM))
      do throws(UringError) {
        _ = try Uring()
      } catch .forbidden(let sysctl) {
        exit(UringError.forbidden(sysctl: sysctl).description.contains("remedy:") ? 42 : 2)
      } catch {
        exit(3)
      }
    }
    await #expect(processExitsWith: .exitCode(42)) {
      try #require(Seccomp.deny(systemCall: 425, with: ENOSYS))
      do throws(UringError) {
        _ = try Uring()
      } catch .missing {
        exit(42)
      } catch {
        exit(3)
      }
    }
  }
}

/// The sockets and rings of this process; the runtime opens descriptors of other kinds.
private func openFileDescriptors() throws -> Int {
  let folder = "/proc/self/fd/"
  return try FileManager.default.contentsOfDirectory(atPath: folder).filter { name in
    let target = try? FileManager.default.destinationOfSymbolicLink(atPath: folder + name)
    return target?.hasPrefix("socket:") == true || target?.contains("io_uring") == true
  }.count
}

/// Makes the kernel answer an error for one system call of the calling thread, for good.
private enum Seccomp {
  private typealias Prctl = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32

  static func deny(systemCall: UInt32, with code: Int32) -> Bool {
    // prctl(2) is variadic, which Swift can't call by name.
    guard let symbol = dlsym(nil, "prctl") else { return false }
    let prctl = unsafeBitCast(symbol, to: Prctl.self)
    // Classic BPF: load the call's number; equal to ours: the error; else: allow.
    let program: [UInt64] = [
      instruction(0x20, 0, 0, 0),
      instruction(0x15, 0, 1, systemCall),
      instruction(0x06, 0, 0, 0x0005_0000 | UInt32(code)),
      instruction(0x06, 0, 0, 0x7fff_0000),
    ]
    return program.withUnsafeBufferPointer { code in
      let header: [UInt] = [UInt(code.count), UInt(bitPattern: code.baseAddress)]
      return header.withUnsafeBufferPointer { filter in
        prctl(38, 1, 0, 0, 0) == 0  // PR_SET_NO_NEW_PRIVS
          && prctl(22, 2, UInt(bitPattern: filter.baseAddress), 0, 0) == 0  // PR_SET_SECCOMP
      }
    }
  }

  private static func instruction(
    _ code: UInt16, _ yes: UInt8, _ no: UInt8, _ value: UInt32
  ) -> UInt64 {
    UInt64(code) | UInt64(yes) << 16 | UInt64(no) << 24 | UInt64(value) << 32
  }
}
