import Foundation

/// The side of a service manager: the datagram socket that `NOTIFY_SOCKET` names.
final class ServiceManagerSocket {
  /// What goes into `NOTIFY_SOCKET`.
  let name: String
  private let descriptor: Int32

  /// A socket at a path, or with an abstract name that begins with `@`.
  init(_ name: String) throws {
    self.name = name
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    guard descriptor >= 0 else { throw EndToEndError("socket: errno \(errno)") }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var bytes = Array(name.utf8)
    if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
    }
    guard result == 0 else { throw EndToEndError("bind to \(name): errno \(errno)") }
  }

  deinit { close(descriptor) }

  /// The next message; nil when none has come.
  func next() -> String? {
    var bytes = [UInt8](repeating: 0, count: 8_192)
    let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
    return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
  }

  /// Waits for a message that holds a line; those before it are passed over.
  @discardableResult
  func expect(_ line: String, _ deadline: Deadline = Deadline()) throws -> String {
    try deadline.wait(for: line) {
      while let message = next() {
        if message.split(separator: "\n").contains(Substring(line)) { return message }
      }
      return nil
    }
  }

  /// How many messages with a line come within some time.
  func count(_ line: String, seconds: Double) -> Int {
    let deadline = Deadline(seconds: seconds)
    var count = 0
    while !deadline.isOver {
      while let message = next() { if message == line { count += 1 } }
      usleep(2_000)
    }
    return count
  }
}
