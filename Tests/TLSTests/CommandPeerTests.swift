import Bytes
import Foundation
import TLS
import TestCertificates
import Testing

/// A blocking socket with a limit on every wait.
private final class TestSocket {
  let descriptor: Int32

  init(_ descriptor: Int32) throws {
    try #require(descriptor >= 0, "errno \(errno)")
    self.descriptor = descriptor
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    let length = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, length)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, length)
  }

  deinit { close(descriptor) }

  private static func withLoopback<Result>(
    port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let length = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }

  /// Something that listens on a free port.
  static func listening() throws -> (socket: TestSocket, port: UInt16) {
    let socket = try TestSocket(socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
    let bound = withLoopback(port: 0) { bind(socket.descriptor, $0, $1) }
    try #require(bound == 0 && listen(socket.descriptor, 4) == 0)
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getsockname(socket.descriptor, $0, &length)
      }
    }
    return (socket, UInt16(bigEndian: address.sin_port))
  }

  /// Connects, trying for some seconds: the other one may be about to start.
  static func connected(to port: UInt16) throws -> TestSocket {
    for _ in 0..<200 {
      let candidate = try TestSocket(socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
      if withLoopback(port: port, { connect(candidate.descriptor, $0, $1) }) == 0 {
        return candidate
      }
      usleep(50_000)
    }
    throw TLSError(.truncated, "nobody listens on \(port)")
  }

  func accept() throws -> TestSocket { try TestSocket(Glibc.accept(descriptor, nil, nil)) }

  func send(_ output: inout GrowableBytes) throws {
    let bytes = Array(copying: output.bytes)
    output.removeAll()
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      try #require(count > 0, "errno \(errno)")
      start += count
    }
  }

  /// What came; nothing at the end.
  func receive() throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 3_000)
    let count = recv(descriptor, &bytes, bytes.count, 0)
    try #require(count >= 0, "errno \(errno)")
    return Array(bytes[..<count])
  }
}

/// A session on a socket.
private struct SocketSession: ~Copyable {
  var session: TLSSession
  let socket: TestSocket
  var plaintext = GrowableBytes()
  var output = GrowableBytes()

  init(_ session: consuming TLSSession, _ socket: TestSocket) {
    self.session = session
    self.socket = socket
  }

  /// Receives once; false at the end.
  mutating func step() throws -> Bool {
    let bytes = try socket.receive()
    if bytes.isEmpty { return false }
    defer { try? socket.send(&output) }
    try session.receive(bytes.span.bytes, plaintext: &plaintext, output: &output)
    return true
  }

  mutating func handshake() throws {
    try session.start(output: &output)
    try socket.send(&output)
    while !session.isHandshakeComplete {
      guard try step() else { throw session.endOfStream ?? TLSError(.truncated, "") }
    }
  }

  mutating func send(_ text: String) throws {
    let bytes = Array(text.utf8)
    try session.send(bytes.span.bytes, output: &output)
    try socket.send(&output)
  }

  mutating func receive(until count: Int) throws -> String {
    while plaintext.count < count, try step() {}
    return String(decoding: Array(copying: plaintext.bytes), as: UTF8.self)
  }
}

/// An `openssl` process with its standard input open.
private final class Peer {
  private let process = Process()
  let input = Pipe()
  let output = Pipe()

  init(_ arguments: [String]) throws {
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["openssl"] + arguments
    process.standardInput = input
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
  }

  deinit {
    // Whoever runs tests may have it ignore milder signals.
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }
}

@Suite("TLS sessions work with the openssl command", .serialized)
struct CommandPeerTests {
  @Test(
    "The client talks with s_server", .timeLimit(.minutes(1)),
    arguments: [("-tls1_2", false), ("-tls1_3", false), ("-tls1_2", true), ("-tls1_3", true)])
  func server(version: String, isMutual: Bool) throws {
    let authority = try TestAuthority()
    let issued = try authority.issue()
    let own = try authority.issue(["DNS:device"])
    let port = try TestSocket.listening().port
    let verifying = ["-Verify", "1", "-verify_return_error", "-CAfile", authority.certificateFile]
    let peer = try Peer(
      [
        "s_server", "-accept", "127.0.0.1:\(port)", "-cert", issued.certificateFile, "-key",
        issued.keyFile, "-alpn", "h2", version, "-rev", "-quiet",
      ] + (isMutual ? verifying : []))
    var options = TLSClientOptions(
      authorities: authority.certificate, applicationProtocol: .http2)
    if isMutual { options.identity = TLSIdentity(certificates: own.certificate, key: own.key) }
    let context = try TLSContext(client: options)
    try exchange(context, port, version == "-tls1_2" ? "TLSv1.2" : "TLSv1.3")
    // Without the certificate it says no, one way or the other.
    if isMutual {
      options.identity = nil
      var refused = SocketSession(
        try TLSSession(TLSContext(client: options), serverName: "localhost"),
        try TestSocket.connected(to: port))
      let error = #expect(throws: TLSError.self) {
        try refused.handshake()
        while try refused.step() {}
      }
      #expect(error?.kind == .alert)
    }
    withExtendedLifetime(peer) {}
  }

  /// The command serves one connection after the other: this one is closed at the end.
  private func exchange(_ context: TLSContext, _ port: UInt16, _ version: String) throws {
    var session = SocketSession(
      try TLSSession(context, serverName: "127.0.0.1"), try TestSocket.connected(to: port))
    try session.handshake()
    try session.send("stressed\n")
    #expect(try session.receive(until: 9) == "desserts\n")
    #expect(session.session.version == version)
  }

  @Test(
    "The server talks with s_client", .timeLimit(.minutes(1)), arguments: ["-tls1_2", "-tls1_3"])
  func client(version: String) throws {
    let authority = try TestAuthority()
    let issued = try authority.issue()
    let (listener, port) = try TestSocket.listening()
    let context = try TLSContext(
      server: TLSServerOptions(
        identity: TLSIdentity(certificates: issued.certificate, key: issued.key),
        applicationProtocol: .http2))
    let peer = try Peer([
      "s_client", "-connect", "127.0.0.1:\(port)", "-servername", "localhost", "-alpn", "h2",
      "-CAfile", authority.certificateFile, "-verify_return_error", "-verify_hostname",
      "localhost", version, "-quiet",
    ])
    var session = SocketSession(try TLSSession(context), try listener.accept())
    try session.handshake()
    peer.input.fileHandleForWriting.write(Data("hello\n".utf8))
    #expect(try session.receive(until: 6) == "hello\n")
    try session.send("goodbye\n")
    session.session.close(output: &session.output)
    try session.socket.send(&session.output)
    var said = Data()
    while said.count < 8 {
      let more = peer.output.fileHandleForReading.availableData
      if more.isEmpty { break }
      said += more
    }
    #expect(String(decoding: said, as: UTF8.self) == "goodbye\n")
  }
}
