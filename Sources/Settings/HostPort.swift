/// A host and a TCP port, as in `127.0.0.1:1883`, `[::1]:1883` or `broker.local:6650`.
///
/// The host is checked for its form only: names are resolved elsewhere.
public struct HostPort: Sendable, Hashable, CustomStringConvertible {
  /// An IPv4 address, an IPv6 address without brackets, or a host name.
  public var host: String
  /// The port. 0 stands for any free port where something listens.
  public var port: UInt16

  /// A host, which is not checked, and a port.
  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// Reads `host:port`; without `:port` the port is `defaultPort`, where there is one.
  public init(parsing text: String, defaultPort: UInt16? = nil) throws(SettingsProblem) {
    let shown = quoted(text)
    let host: Substring
    let rest: Substring
    if text.first == "[" {
      guard let end = text.firstIndex(of: "]") else {
        throw SettingsProblem("\(shown) has no closing bracket")
      }
      host = text[text.index(after: text.startIndex)..<end]
      rest = text[text.index(after: end)...]
      guard Self.isIPv6(host) else {
        throw SettingsProblem("\(shown) has no IPv6 address between its brackets")
      }
    } else {
      let end = text.firstIndex(of: ":") ?? text.endIndex
      host = text[..<end]
      rest = text[end...]
      if Self.isIPv6(text[...]) {
        throw SettingsProblem(
          "\(shown) is an IPv6 address without brackets",
          remedy: "Write \"[\(text)]:port\".")
      }
      try Self.checkHost(host, shown: shown)
    }
    if rest.isEmpty, let defaultPort {
      self.init(host: String(host), port: defaultPort)
      return
    }
    guard rest.first == ":" else { throw SettingsProblem("\(shown) has no port") }
    let digits = rest.dropFirst()
    guard digits.utf8.allSatisfy({ isDigit($0) }), let port = UInt16(digits) else {
      throw SettingsProblem("\(shown) has a port that is not a number from 0 to 65535")
    }
    self.init(host: String(host), port: port)
  }

  /// `host:port`, with brackets round an IPv6 address.
  public var description: String {
    host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  /// Whether sockets that listen on both would be in each other's way: the same port, not 0, on
  /// the same host or with one of them on all hosts.
  public func collides(with other: HostPort) -> Bool {
    guard port == other.port, port != 0 else { return false }
    let wildcards = ["0.0.0.0", "::"]
    let mine = host == "localhost" ? "127.0.0.1" : host
    let others = other.host == "localhost" ? "127.0.0.1" : other.host
    return mine == others || wildcards.contains(mine) || wildcards.contains(others)
  }

  private static func checkHost(_ host: Substring, shown: String) throws(SettingsProblem) {
    if host.isEmpty {
      throw SettingsProblem(
        "\(shown) has no host",
        remedy: "Write a host before the colon: \"0.0.0.0\" is every IPv4 address of the machine.")
    }
    if host == "*" {
      throw SettingsProblem(
        "\(shown) has no host that can be used",
        remedy: "Write \"0.0.0.0\" for every IPv4 address of the machine, or \"[::]\".")
    }
    // What consists of digits and dots was meant to be an address, never a name.
    if host.utf8.allSatisfy({ isDigit($0) || $0 == UInt8(ascii: ".") }) {
      if !isIPv4(host) { throw SettingsProblem("\(shown) has no valid IPv4 address") }
    } else if !isHostName(host) {
      throw SettingsProblem("\(shown) has no valid host name")
    }
  }

  static func isIPv4(_ text: Substring) -> Bool {
    let octets = text.split(separator: ".", omittingEmptySubsequences: false)
    return octets.count == 4
      && octets.allSatisfy { octet in
        // A leading zero means octal to some resolvers and decimal to others.
        (1...3).contains(octet.utf8.count) && (octet == "0" || octet.first != "0")
          && octet.utf8.allSatisfy { isDigit($0) } && UInt8(octet) != nil
      }
  }

  /// RFC 1123 §2.1, and `_`, which local names have although no standard wants it.
  private static func isHostName(_ text: Substring) -> Bool {
    let labels = text.split(separator: ".", omittingEmptySubsequences: false)
    return text.utf8.count <= 253
      && labels.allSatisfy { label in
        (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
          && label.utf8.allSatisfy { isNameByte($0) }
      }
  }

  /// RFC 4291 §2.2, without zones.
  static func isIPv6(_ text: Substring) -> Bool {
    let colon = UInt8(ascii: ":")
    let bytes = text.utf8
    guard bytes.contains(colon) else { return false }
    let gap = bytes.indices.dropLast().first { index in
      bytes[index] == colon && bytes[bytes.index(after: index)] == colon
    }
    guard let gap else { return groupCount(text, mayEndInIPv4: true) == 8 }
    let tail = text[bytes.index(gap, offsetBy: 2)...]
    guard let before = groupCount(text[..<gap], mayEndInIPv4: false),
      let after = groupCount(tail, mayEndInIPv4: true)
    else { return false }
    return before + after <= 7
  }

  /// The number of 16-bit groups in a part of an IPv6 address without `::`; nil when it is none.
  private static func groupCount(_ part: Substring, mayEndInIPv4: Bool) -> Int? {
    if part.isEmpty { return 0 }
    let groups = part.split(separator: ":", omittingEmptySubsequences: false)
    var count = 0
    for (index, group) in groups.enumerated() {
      if mayEndInIPv4, index == groups.count - 1, isIPv4(group) {
        count += 2
      } else if (1...4).contains(group.utf8.count), group.utf8.allSatisfy({ isHexDigit($0) }) {
        count += 1
      } else {
        return nil
      }
    }
    return count
  }
}

private func isDigit(_ byte: UInt8) -> Bool {
  (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

private func isHexDigit(_ byte: UInt8) -> Bool {
  isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    || (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(byte)
}

extension SettingsType where Value == String {
  /// A host name or an IP address, without a port.
  static var serverName: SettingsType {
    parsed("a host name or an IP address") { text throws(SettingsProblem) in
      if HostPort.isIPv6(text[...]) { return text }
      let host = try HostPort(parsing: text, defaultPort: 1)
      guard host.host == text else {
        throw SettingsProblem("\(quoted(text)) is not a host name or an IP address alone")
      }
      return text
    }
  }
}

extension SettingsType where Value == HostPort {
  /// `host:port`.
  public static var address: SettingsType {
    parsed("an address \"host:port\"") { text throws(SettingsProblem) in
      try HostPort(parsing: text)
    }
  }
}
