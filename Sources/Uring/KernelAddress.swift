import CLinux
import IOPort

/// A socket address in the kernel's form, laid out as `sockaddr_in6` is, and as far as IPv4 goes as
/// `sockaddr_in` is.
struct KernelAddress: BitwiseCopyable {
  /// Bytes 0...1: AF_INET or AF_INET6.
  private var familyNumber: sa_family_t = 0
  /// Bytes 2...3: the port, most significant byte first.
  private var bigEndianPort: UInt16 = 0
  /// Bytes 4...7: the IPv4 address, most significant byte first; IPv6's flow information.
  private var bigEndianIPv4: UInt32 = 0
  /// Bytes 8...23: the IPv6 address, most significant byte first; zero for IPv4.
  private var bigEndianHigh: UInt64 = 0
  private var bigEndianLow: UInt64 = 0
  /// Bytes 24...27: the IPv6 scope.
  private var scope: UInt32 = 0

  /// Bytes that hold the address: 16 or 28.
  var byteCount: socklen_t {
    socklen_t(
      family == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size)
  }

  /// The address family: `AF_INET` or `AF_INET6`.
  var family: Int32 { Int32(familyNumber) }

  /// The kernel's form of `address`.
  init(_ address: SocketAddress) {
    bigEndianPort = address.port.bigEndian
    if address.isIPv6 {
      familyNumber = sa_family_t(AF_INET6)
      bigEndianHigh = address.high.bigEndian
      bigEndianLow = address.low.bigEndian
    } else {
      familyNumber = sa_family_t(AF_INET)
      bigEndianIPv4 = UInt32(truncatingIfNeeded: address.high).bigEndian
    }
  }

  /// The address that `fill` writes, a call like `getsockname`; nil when it answers an error.
  init?(filledBy fill: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32) {
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    let answer = unsafe withUnsafeMutableBytes(of: &self) { bytes -> Int32 in
      guard let base = bytes.baseAddress else { return -1 }
      return unsafe fill(base.assumingMemoryBound(to: sockaddr.self), &length)
    }
    guard answer == 0 else { return nil }
  }

  /// The kernel's `address` of `length` bytes; nil when it is longer than an IPv6 address.
  @unsafe
  init?(copying address: UnsafePointer<sockaddr>, length: socklen_t) {
    guard Int(length) <= MemoryLayout<sockaddr_in6>.size else { return nil }
    unsafe withUnsafeMutableBytes(of: &self) { bytes in
      unsafe bytes.copyMemory(
        from: UnsafeRawBufferPointer(start: address, count: Int(length)))
    }
  }

  /// The address in the gateway's form, an IPv4 peer of an IPv6 listener (`::ffff:1.2.3.4`) as the
  /// IPv4 address it is; nil for families other than IPv4 and IPv6.
  var socketAddress: SocketAddress? {
    let port = UInt16(bigEndian: bigEndianPort)
    switch family {
    case AF_INET:
      return SocketAddress(ipv4: UInt32(bigEndian: bigEndianIPv4), port: port)
    case AF_INET6:
      let high = UInt64(bigEndian: bigEndianHigh)
      let low = UInt64(bigEndian: bigEndianLow)
      if high == 0, low >> 32 == 0xffff {
        return SocketAddress(ipv4: UInt32(truncatingIfNeeded: low), port: port)
      }
      return SocketAddress(ipv6High: high, low: low, port: port)
    default:
      return nil
    }
  }

  /// Calls `body` with the address as the C library takes it.
  func withPointer<Result>(
    _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result? {
    unsafe withUnsafeBytes(of: self) { bytes in
      guard let base = bytes.baseAddress else { return nil }
      return unsafe body(base.assumingMemoryBound(to: sockaddr.self), byteCount)
    }
  }
}
