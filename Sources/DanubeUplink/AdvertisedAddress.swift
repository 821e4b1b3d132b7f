/// A broker's address as it gives it in answers: `http://host:port`.
struct AdvertisedAddress: Equatable {
  let isTLS: Bool
  /// A name or an address, without brackets.
  let host: String
  let port: UInt16

  /// Parses a URL; nil for anything that is not `http` or `https` with a host and a port. A missing
  /// scheme means `http`, a missing port 6650.
  init?(_ url: [UInt8]) {
    guard url.count <= 1024 else { return nil }
    var rest = url[...]
    var isTLS = false
    if let scheme = Self.split(rest, at: "://") {
      switch String(decoding: scheme.before, as: UTF8.self).lowercased() {
      case "http": isTLS = false
      case "https": isTLS = true
      default: return nil
      }
      rest = scheme.after
    }
    rest = rest.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
    let hostBytes: ArraySlice<UInt8>
    let portBytes: ArraySlice<UInt8>
    if rest.first == UInt8(ascii: "[") {
      guard let end = rest.firstIndex(of: UInt8(ascii: "]")) else { return nil }
      hostBytes = rest[(rest.startIndex + 1)..<end]
      let after = rest[(end + 1)...]
      guard after.isEmpty || after.first == UInt8(ascii: ":") else { return nil }
      portBytes = after.dropFirst()
    } else if let colon = rest.firstIndex(of: UInt8(ascii: ":")) {
      hostBytes = rest[..<colon]
      portBytes = rest[(colon + 1)...]
    } else {
      hostBytes = rest
      portBytes = []
    }
    guard !hostBytes.isEmpty, hostBytes.allSatisfy(Self.isHostByte),
      let port = portBytes.isEmpty ? 6650 : Self.port(portBytes)
    else { return nil }
    self.isTLS = isTLS
    host = String(decoding: hostBytes, as: UTF8.self)
    self.port = port
  }

  private static func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "."), UInt8(ascii: "-"),
      UInt8(ascii: "_"), UInt8(ascii: ":"):
      true
    default: false
    }
  }

  private static func port(_ text: ArraySlice<UInt8>) -> UInt16? {
    guard let port = UInt16(String(decoding: text, as: UTF8.self)), port > 0 else { return nil }
    return port
  }

  private static func split(
    _ text: ArraySlice<UInt8>, at separator: StaticString
  ) -> (before: ArraySlice<UInt8>, after: ArraySlice<UInt8>)? {
    let wanted = Array(separator.description.utf8)
    guard text.count >= wanted.count else { return nil }
    for start in text.startIndex...(text.endIndex - wanted.count)
    where text[start..<(start + wanted.count)].elementsEqual(wanted) {
      return (text[..<start], text[(start + wanted.count)...])
    }
    return nil
  }
}
