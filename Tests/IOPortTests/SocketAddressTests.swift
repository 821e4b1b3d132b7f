import Glibc
import IOPort
import Testing

@Suite("Addresses in text")
struct SocketAddressTests {
  /// What the C library makes of a text: 4 or 16 bytes, or nothing.
  private func reference(_ text: String) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &bytes) == 1 { return Array(bytes[..<4]) }
    if inet_pton(AF_INET6, text, &bytes) == 1 { return bytes }
    return nil
  }

  private func bytes(_ address: SocketAddress) -> [UInt8] {
    let high = withUnsafeBytes(of: address.high.bigEndian) { Array($0) }
    let low = withUnsafeBytes(of: address.low.bigEndian) { Array($0) }
    return address.isIPv6 ? high + low : Array(high[4...])
  }

  @Test(
    "Every text means what the C library says",
    arguments: [
      "127.0.0.1", "0.0.0.0", "255.255.255.255", "256.1.1.1", "1.2.3", "1.2.3.4.5", "1..2.3",
      ".1.2.3", "1.2.3.", "01.2.3.4", "1.2.3.04", "00.0.0.0", "1.2.3.4 ", " 1.2.3.4", "a.b.c.d",
      "", ".", "::", ":::", "::1", "1::", "::1::", "1::2::3", "1:2:3:4:5:6:7:8",
      "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
      "1:2:3:4::5:6:7:8", "1:2:3::5:6:7:8", "fe80::ABCD:ef01", "12345::", "g::", ":1", "1:", ":",
      "::ffff", "[::1]", "fe80::1%eth0", "localhost", "1", "١.2.3.4",
    ])
  func parse(text: String) {
    let address = SocketAddress(host: text, port: 99)
    #expect(address.map(bytes) == reference(text))
    if let address {
      #expect(address.port == 99)
      #expect(SocketAddress(host: address.host, port: 99) == address, "its own text is read back")
    }
  }

  @Test(
    "Random texts of the right letters mean what the C library says",
    arguments: 1...10 as ClosedRange<UInt64>)
  func random(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let parts = ["::", ":", ":", ":", "0", "1", "ff", "1a2b", "00001", "g"]
    for _ in 0..<5_000 {
      let count = Int.random(in: 0...17, using: &random)
      let text = (0..<count).map { _ in parts.randomElement(using: &random)! }.joined()
      #expect(
        SocketAddress(host: text, port: 1).map(bytes) == reference(text), "\(text), seed \(seed)")
    }
  }

  @Test("An address is shown with its port")
  func description() {
    #expect(SocketAddress.loopback(port: 1_883).description == "127.0.0.1:1883")
    #expect(SocketAddress(ipv6High: 0, low: 1, port: 5).description == "[0:0:0:0:0:0:0:1]:5")
    #expect(SocketAddress(ipv4: 0, port: 1).isUnspecified)
    #expect(SocketAddress(ipv6High: 0, low: 0, port: 1).isUnspecified)
    #expect(!SocketAddress.loopback(port: 0).isUnspecified)
  }
}
