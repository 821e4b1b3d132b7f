import CLinux

/// The socket on which a service manager listens for what its service has to say (sd_notify(3)).
public struct NotifySocket: ~Copyable {
  private let fileDescriptor: Int32
  private let address: sockaddr_un
  private let addressLength: socklen_t

  /// A socket that sends to `path`, the value of `NOTIFY_SOCKET`: an absolute path, or `@` and the
  /// name of an abstract socket (unix(7)). Nil for anything else, and where no socket can be made.
  public static func open(path: String) -> NotifySocket? {
    let bytes = Array(path.utf8)
    var address = sockaddr_un()
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    // A path ends in a NUL byte, an abstract name with its last byte.
    let isAbstract = bytes.first == UInt8(ascii: "@")
    guard isAbstract || bytes.first == UInt8(ascii: "/"), bytes.count > 1,
      bytes.count + (isAbstract ? 0 : 1) <= capacity, !bytes.contains(0)
    else { return nil }
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { place in
      unsafe place.copyBytes(from: bytes)
      if isAbstract { unsafe place[0] = 0 }
    }
    let length = MemoryLayout<sa_family_t>.size + bytes.count + (isAbstract ? 0 : 1)
    let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let fileDescriptor = socket(AF_UNIX, type, 0)
    guard fileDescriptor >= 0 else { return nil }
    return NotifySocket(
      fileDescriptor: fileDescriptor, address: address, addressLength: socklen_t(length))
  }

  private init(fileDescriptor: Int32, address: sockaddr_un, addressLength: socklen_t) {
    self.fileDescriptor = fileDescriptor
    self.address = address
    self.addressLength = addressLength
  }

  deinit { Sockets.close(fileDescriptor) }

  /// Sends one message, without waiting; false when it found no way.
  @discardableResult
  public func send(_ message: String) -> Bool {
    let bytes = Array(message.utf8)
    let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
    let count = unsafe withUnsafePointer(to: address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
        unsafe sendto(fileDescriptor, bytes, bytes.count, flags, target, addressLength)
      }
    }
    return count == bytes.count
  }
}
