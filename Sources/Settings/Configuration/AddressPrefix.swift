/// An IP address, or all that begin like it: `10.0.0.0/8`, `::1`.
public struct AddressPrefix: Sendable, Hashable, CustomStringConvertible {
  /// The address: IPv4, or IPv6 without brackets and without an IPv4 address in it.
  public let host: String
  /// How many of its first bits count: up to 32 or, for IPv6, 128.
  public let length: Int

  /// Whether the address is one of IPv6.
  public var isIPv6: Bool { host.utf8.contains(UInt8(ascii: ":")) }

  /// Reads an address with or without `/` and a length.
  public init(parsing text: String) throws(SettingsProblem) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let host = parts[0]
    let isIPv6 = HostPort.isIPv6(host) && !host.utf8.contains(UInt8(ascii: "."))
    guard isIPv6 || HostPort.isIPv4(host), parts.count <= 2 else {
      throw SettingsProblem(
        "\(quoted(text)) is not an IP address",
        remedy: "Write an address as in \"127.0.0.1\", or a network as in \"10.0.0.0/8\".")
    }
    let most = isIPv6 ? 128 : 32
    var length = most
    if parts.count == 2 {
      let digits = parts[1]
      guard (1...3).contains(digits.utf8.count),
        digits.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
        let number = Int(digits), number <= most
      else {
        throw SettingsProblem("\(quoted(text)) has a length that is not 0 to \(most)")
      }
      length = number
    }
    self.host = String(host)
    self.length = length
  }

  /// `10.0.0.0/8`.
  public var description: String { "\(host)/\(length)" }
}

extension SettingsType where Value == AddressPrefix {
  /// An IP address, or a network.
  static var addressPrefix: SettingsType {
    parsed("an IP address or a network as in \"10.0.0.0/8\"") { text throws(SettingsProblem) in
      try AddressPrefix(parsing: text)
    }
  }
}
