/// An IPv4 or IPv6 address with a port.
public struct SocketAddress: BitwiseCopyable, Sendable, Hashable {
  /// The address, most significant byte first: bytes 0...3 for IPv4, all 16 for IPv6.
  public var high: UInt64
  /// The lower half of an IPv6 address; 0 for IPv4.
  public var low: UInt64
  /// The TCP port; 0 asks the system for a free one.
  public var port: UInt16
  /// Whether this is an IPv6 address.
  public var isIPv6: Bool

  /// An IPv4 address given as a number, `127.0.0.1` being `0x7f00_0001`.
  public init(ipv4: UInt32, port: UInt16) {
    high = UInt64(ipv4)
    low = 0
    self.port = port
    isIPv6 = false
  }

  /// An IPv6 address given as two halves.
  public init(ipv6High: UInt64, low: UInt64, port: UInt16) {
    high = ipv6High
    self.low = low
    self.port = port
    isIPv6 = true
  }

  /// `127.0.0.1` with a port.
  public static func loopback(port: UInt16) -> SocketAddress {
    SocketAddress(ipv4: 0x7f00_0001, port: port)
  }

  /// Whether it is `0.0.0.0` or `::`, which as a destination means "the host we reached".
  public var isUnspecified: Bool { high == 0 && low == 0 }

  /// Whether only the machine itself reaches it: 127.0.0.0/8, `::1`, or 127.0.0.0/8 mapped into
  /// IPv6.
  public var isLoopback: Bool {
    guard isIPv6 else { return high >> 24 == 127 }
    return high == 0 && (low == 1 || low >> 32 == 0xffff && low >> 24 & 0xff == 127)
  }

  /// Parses `1.2.3.4` or `::1` (without brackets); nil for anything else, host names included.
  public init?(host: String, port: UInt16) {
    if let number = Self.parseIPv4(Array(host.utf8)) {
      self.init(ipv4: number, port: port)
    } else if let halves = Self.parseIPv6(Array(host.utf8)) {
      self.init(ipv6High: halves.0, low: halves.1, port: port)
    } else {
      return nil
    }
  }

  private static func parseIPv4(_ text: [UInt8]) -> UInt32? {
    var result: UInt32 = 0
    var parts = 0
    for part in text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
      guard part.count >= 1, part.count <= 3, parts < 4 else { return nil }
      // A leading zero means octal to some and nothing to others: refused, as inet_pton does.
      guard part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
      var value: UInt32 = 0
      for byte in part {
        guard byte >= 0x30, byte <= 0x39 else { return nil }
        value = value * 10 + UInt32(byte - 0x30)
      }
      guard value <= 255 else { return nil }
      result = result << 8 | value
      parts += 1
    }
    return parts == 4 ? result : nil
  }

  private static func parseIPv6(_ text: [UInt8]) -> (UInt64, UInt64)? {
    var groups: [UInt16] = []
    var gap: Int?
    var index = 0
    if text.count >= 2, text[0] == 0x3a, text[1] == 0x3a {
      gap = 0
      index = 2
    }
    while index < text.count {
      var value: UInt32 = 0
      var digits = 0
      while index < text.count, let digit = hexDigit(text[index]) {
        value = value << 4 | UInt32(digit)
        digits += 1
        index += 1
        if digits > 4 { return nil }
      }
      guard digits > 0, groups.count < 8 else { return nil }
      groups.append(UInt16(value))
      if index == text.count { break }
      guard text[index] == 0x3a else { return nil }
      index += 1
      guard index < text.count else { return nil }
      if text[index] == 0x3a {
        guard gap == nil else { return nil }
        gap = groups.count
        index += 1
      }
    }
    if let gap {
      guard groups.count < 8 else { return nil }
      groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
    }
    guard groups.count == 8 else { return nil }
    let high = groups[0..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    let low = groups[4..<8].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    return (high, low)
  }

  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
  }
}

extension SocketAddress: CustomStringConvertible {
  /// The host alone: `127.0.0.1`, or `0:0:0:0:0:0:0:1` without brackets.
  public var host: String {
    if !isIPv6 {
      return "\(high >> 24 & 255).\(high >> 16 & 255).\(high >> 8 & 255).\(high & 255)"
    }
    let groups = (0..<8).map { index in
      let half = index < 4 ? high : low
      return String(half >> UInt64(48 - 16 * (index & 3)) & 0xffff, radix: 16)
    }
    return groups.joined(separator: ":")
  }

  /// `127.0.0.1:1883`, or `[0:0:0:0:0:0:0:1]:1883`.
  public var description: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
