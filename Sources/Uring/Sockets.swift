import CLinux
import IOPort

/// The calls on sockets that are made directly: each is short and seldom.
enum Sockets {
  /// An unconnected TCP socket. It is a blocking one: io_uring waits by itself for what is not
  /// ready, but answers EAGAIN for a non-blocking socket.
  static func open(family: Int32, limits: UringLimits) throws(IOError) -> Int32 {
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let fileDescriptor = socket(family, type, 0)
    guard fileDescriptor >= 0 else { throw KernelError.ioError(clinux_errno()) }
    // Accepted sockets inherit both from their listener.
    setOption(fileDescriptor, level: Int32(IPPROTO_TCP), name: TCP_NODELAY, value: 1)
    if let byteCount = limits.socketReceiveBytes {
      setOption(
        fileDescriptor, level: SOL_SOCKET, name: SO_RCVBUF, value: Int32(clamping: byteCount))
    }
    return fileDescriptor
  }

  /// Lets a connection that we open end after a time in which what we sent was not acknowledged by
  /// the other host, rather than after the kernel's quarter of an hour.
  static func setPatience(_ fileDescriptor: Int32) {
    setOption(
      fileDescriptor, level: Int32(IPPROTO_TCP), name: TCP_USER_TIMEOUT,
      value: patienceMilliseconds)
  }

  private static let patienceMilliseconds: Int32 = 20_000

  /// A listening TCP socket and the address it got.
  ///
  /// The kernel takes a ring apart after its process has ended, and with it the listeners that it
  /// accepted on: after a crash the address is taken for a moment more. So this waits, a second at
  /// most.
  static func listen(
    on address: SocketAddress, limits: UringLimits
  ) throws(IOError) -> (fileDescriptor: Int32, bound: SocketAddress) {
    for _ in 0..<listenRetries {
      do throws(IOError) {
        return try listenNow(on: address, limits: limits)
      } catch {
        guard error.kind == .addressInUse else { throw error }
        usleep(listenPauseMicroseconds)
      }
    }
    return try listenNow(on: address, limits: limits)
  }

  private static let listenRetries = 50
  private static let listenPauseMicroseconds: UInt32 = 20_000

  private static func listenNow(
    on address: SocketAddress, limits: UringLimits
  ) throws(IOError) -> (fileDescriptor: Int32, bound: SocketAddress) {
    let kernelAddress = KernelAddress(address)
    let fileDescriptor = try open(family: kernelAddress.family, limits: limits)
    setOption(fileDescriptor, level: SOL_SOCKET, name: SO_REUSEADDR, value: 1)
    if address.isIPv6 {
      setOption(fileDescriptor, level: Int32(IPPROTO_IPV6), name: IPV6_V6ONLY, value: 0)
    }
    let backlog = Int32(clamping: limits.backlog)
    let isOpen =
      unsafe kernelAddress.withPointer { unsafe bind(fileDescriptor, $0, $1) } == 0
      && CLinux.listen(fileDescriptor, backlog) == 0
    guard isOpen,
      let bound = unsafe KernelAddress(filledBy: { unsafe getsockname(fileDescriptor, $0, $1) })?
        .socketAddress
    else {
      let code = clinux_errno()
      close(fileDescriptor)
      throw KernelError.ioError(code)
    }
    return (fileDescriptor, bound)
  }

  /// The address of the other end; nil when it is gone.
  static func peer(of fileDescriptor: Int32) -> SocketAddress? {
    unsafe KernelAddress(filledBy: { unsafe getpeername(fileDescriptor, $0, $1) })?.socketAddress
  }

  /// Bytes that were given to a socket and that the other host has not acknowledged (SIOCOUTQ).
  static func queuedBytes(_ fileDescriptor: Int32) -> Int {
    max(0, Int(clinux_queued_bytes(fileDescriptor)))
  }

  /// Ends our direction.
  static func shutdownWrites(_ fileDescriptor: Int32) {
    // It fails for a connection that is gone, which the owner learns from its receive.
    _ = shutdown(fileDescriptor, Int32(SHUT_WR))
  }

  /// Closes a file descriptor.
  static func close(_ fileDescriptor: Int32) {
    _ = CLinux.close(fileDescriptor)
  }

  /// Two sockets connected to each other.
  static func pair() -> (Int32, Int32)? {
    var pair: (Int32, Int32) = (-1, -1)
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let answer = unsafe withUnsafeMutableBytes(of: &pair) { bytes in
      unsafe socketpair(AF_UNIX, type, 0, bytes.baseAddress?.assumingMemoryBound(to: Int32.self))
    }
    return answer == 0 ? pair : nil
  }

  /// Writes a zero byte.
  static func writeByte(to fileDescriptor: Int32) {
    var byte: UInt8 = 0
    _ = unsafe write(fileDescriptor, &byte, 1)
  }

  private static func setOption(_ fileDescriptor: Int32, level: Int32, name: Int32, value: Int32) {
    var value = value
    // These options exist for every TCP socket; without one the socket still works.
    _ = unsafe setsockopt(fileDescriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
  }
}
