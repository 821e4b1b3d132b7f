import CLinux
public import IOPort

/// Host names to addresses, by the system's resolver.
public enum HostResolver {
  /// Why a name gave no address.
  public struct Failure: Error, Equatable, Sendable {
    /// `getaddrinfo`'s answer, such as EAI_NONAME.
    public let code: Int32

    /// The cause in words.
    public var message: String {
      guard let text = unsafe gai_strerror(code) else { return "error \(code)" }
      return unsafe String(cString: text)
    }

    /// Whether asking again later may help.
    public var isTemporary: Bool { code == EAI_AGAIN }
  }

  /// The stream addresses of `host` (a name, or an address in text) with `port`, best first, each
  /// once. It blocks, for many seconds when the name servers are away: only the main thread asks.
  public static func resolve(host: String, port: UInt16) throws(Failure) -> [SocketAddress] {
    if let plain = SocketAddress(host: host, port: port) { return [plain] }
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    unsafe hints.ai_flags = AI_ADDRCONFIG
    var list: UnsafeMutablePointer<addrinfo>?
    let code = unsafe getaddrinfo(host, nil, &hints, &list)
    guard code == 0 else { throw Failure(code: code) }
    defer { unsafe freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var entry = unsafe list
    while let current = unsafe entry {
      if let raw = unsafe current.pointee.ai_addr,
        var address = unsafe KernelAddress(copying: raw, length: current.pointee.ai_addrlen)?
          .socketAddress
      {
        address.port = port
        if !addresses.contains(address) { addresses.append(address) }
      }
      unsafe entry = unsafe current.pointee.ai_next
    }
    return addresses
  }
}
