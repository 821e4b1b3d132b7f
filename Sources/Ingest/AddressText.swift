import IOPort

extension SocketAddress {
  /// The IPv4 address that `::ffff:1.2.3.4` stands for (RFC 4291 §2.5.5.2); else itself.
  var unmapped: SocketAddress {
    guard isIPv6, high == 0, low >> 32 == 0xffff else { return self }
    return SocketAddress(ipv4: UInt32(truncatingIfNeeded: low), port: port)
  }

  /// The address as RFC 5952 writes it: `10.0.0.1`, `2001:db8::1`.
  var canonicalHost: String {
    let address = unmapped
    guard address.isIPv6 else { return address.host }
    let groups: [UInt64] = (0..<8).map { index in
      let half = index < 4 ? high : low
      let shift = UInt64(48 - 16 * (index & 3))
      return half >> shift & 0xffff
    }
    // The longest run of at least two zeros is left out, the first of equal ones.
    var gap = 0..<0
    var index = 0
    while index < 8 {
      var end = index
      while end < 8, groups[end] == 0 { end += 1 }
      if end - index >= 2, end - index > gap.count { gap = index..<end }
      index = max(end, index + 1)
    }
    func text(_ range: Range<Int>) -> String {
      groups[range].map { String($0, radix: 16) }.joined(separator: ":")
    }
    return gap.isEmpty ? text(0..<8) : text(0..<gap.lowerBound) + "::" + text(gap.upperBound..<8)
  }
}
