import HTTP1
import IOPort
import Settings

/// Proxies whose `X-Forwarded-For` is believed.
struct TrustedProxies: Sendable {
  private struct Network {
    let address: SocketAddress
    let length: Int
  }

  private let networks: [Network]

  init(_ prefixes: [AddressPrefix]) {
    networks = prefixes.map { prefix in
      guard let address = SocketAddress(host: prefix.host, port: 0) else {
        preconditionFailure("the configuration was not checked")
      }
      return Network(address: address, length: prefix.length)
    }
  }

  /// Whether the address is one of a trusted proxy. An IPv4 address that an IPv6 socket shows as
  /// `::ffff:1.2.3.4` counts as IPv4.
  func contains(_ address: SocketAddress) -> Bool {
    let address = address.unmapped
    return networks.contains { network in
      network.address.isIPv6 == address.isIPv6
        && Self.haveEqualBits(network.address, address, length: network.length)
    }
  }

  private static func haveEqualBits(
    _ left: SocketAddress, _ right: SocketAddress, length: Int
  ) -> Bool {
    // An IPv4 address stands in the lower half of `high`.
    let bits = left.isIPv6 ? length : length + 32
    let high = left.high ^ right.high
    let low = left.low ^ right.low
    if bits == 0 { return true }
    if bits <= 64 { return high >> UInt64(64 - bits) == 0 }
    return high == 0 && low >> UInt64(128 - bits) == 0
  }

  /// The client that a trusted peer forwards for: the last address of `X-Forwarded-For` that is
  /// not a trusted proxy itself, as what stands before it was written by somebody else.
  func client(of head: borrowing RequestHead, peer: SocketAddress) -> SocketAddress {
    var found = peer
    var index = head.fieldCount
    while index > 0 {
      index -= 1
      guard head.isField(at: index, named: "x-forwarded-for") else { continue }
      let value = shortText(head.fieldValue(at: index), limit: .max)
      for element in value.split(separator: ",", omittingEmptySubsequences: false).reversed() {
        // Whoever wrote what is no address is not to be believed, nor is anything before it.
        guard let address = Self.address(element) else { return found }
        found = address
        if !contains(address) { return found }
      }
    }
    return found
  }

  /// `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]` or `[::1]:80`.
  private static func address(_ element: Substring) -> SocketAddress? {
    let text = element.filter { $0 != " " && $0 != "\t" }
    if let address = SocketAddress(host: text, port: 0) { return address.unmapped }
    if text.first == "[" {
      guard let end = text.firstIndex(of: "]") else { return nil }
      return SocketAddress(host: String(text[..<end].dropFirst()), port: 0)?.unmapped
    }
    guard let colon = text.firstIndex(of: ":") else { return nil }
    return SocketAddress(host: String(text[..<colon]), port: 0)
  }
}
