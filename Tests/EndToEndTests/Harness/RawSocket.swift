import Foundation

/// A plain TCP connection to loopback, for bytes that no well-behaved client sends.
final class RawSocket {
  private let descriptor: Int32

  /// Connects, or throws when nobody listens.
  init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw EndToEndError("socket: errno \(errno)") }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    var address = Self.loopback(port: port)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw EndToEndError("connect to port \(port): errno \(errno)") }
  }

  deinit {
    close(descriptor)
  }

  /// Sends as much as the other side takes; a reset is no error here.
  func send(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }

  /// The next `count` bytes, or fewer when the other side closes.
  func receive(_ count: Int, _ deadline: Deadline = Deadline()) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count, let more = try receiveSome(atMost: count - bytes.count, deadline) {
      bytes += more
    }
    return bytes
  }

  /// Everything until the other side closes.
  func receiveToEnd(_ deadline: Deadline = Deadline()) throws -> [UInt8] {
    try receive(.max, deadline)
  }

  /// What can be read without waiting; nothing more comes after the other side closed.
  func receiveWhatIsThere() throws -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let received = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      if received > 0 {
        bytes += buffer[..<received]
      } else if received < 0, errno == EAGAIN {
        return bytes
      } else {
        throw EndToEndError("the other side closed the connection")
      }
    }
  }

  private func receiveSome(atMost count: Int, _ deadline: Deadline) throws -> [UInt8]? {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&entry, 1, deadline.millisecondsLeft) == 1 else {
      throw EndToEndError("waited in vain for bytes or a close")
    }
    var buffer = [UInt8](repeating: 0, count: min(count, 65_536))
    let received = recv(descriptor, &buffer, buffer.count, 0)
    return received > 0 ? Array(buffer[..<received]) : nil
  }

  /// Ports that nobody uses now; all differ.
  static func freePorts(_ count: Int) throws -> [Int] {
    let sockets = try (0..<count).map { _ in try boundSocket() }
    defer { sockets.forEach { close($0.descriptor) } }
    return sockets.map(\.port)
  }

  /// A listening socket, so that the port is taken.
  static func boundSocket() throws -> (descriptor: Int32, port: Int) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    var address = loopback(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) | listen(descriptor, 1) | getsockname(descriptor, $0, &length)
      }
    }
    guard result == 0 else { throw EndToEndError("bind: errno \(errno)") }
    return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
  }

  private static func loopback(port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    return address
  }
}
