import IOPort
import Testing

@Suite("Where hosts are")
struct AddressBookTests {
  private static let reached = SocketAddress(ipv4: 0x0a00_0001, port: 6650)
  private static let elsewhere = SocketAddress(ipv4: 0x0a00_0002, port: 6650)

  private static func book() -> AddressBook {
    var book = AddressBook()
    book.setSeeds([
      ResolvedHost(host: "One.example", port: 6650, addresses: [reached]),
      ResolvedHost(host: "two.example", port: 6650, addresses: [elsewhere]),
      ResolvedHost(host: "late.example", port: 6650),
    ])
    return book
  }

  private static func ipv4(_ number: UInt32, _ port: UInt16) -> SocketAddress {
    SocketAddress(ipv4: number, port: port)
  }

  @Test(
    "A host that a peer names is found among addresses, seeds and names known already",
    arguments: [
      ("10.0.0.9", [ipv4(0x0a00_0009, 7_000)], "10.0.0.9:7000"),
      ("0.0.0.0", [ipv4(0x0a00_0001, 7_000)], "10.0.0.1:7000"),
      ("::", [ipv4(0x0a00_0001, 7_000)], "10.0.0.1:7000"),
      ("one.EXAMPLE", [ipv4(0x0a00_0001, 7_000)], "One.example:7000"),
      ("two.example", [ipv4(0x0a00_0002, 7_000)], "two.example:7000"),
      ("LocalHost", [.loopback(port: 7_000)], "LocalHost:7000"),
      ("owner", [ipv4(0x0a00_0003, 7_000)], "owner:7000"),
    ] as [(String, [SocketAddress], String)])
  func located(name: String, addresses: [SocketAddress], authority: String) {
    var book = Self.book()
    book.resolved(
      NamedHost(name: "owner", port: 7_000), addresses: [Self.ipv4(0x0a00_0003, 7_000)])
    let place = book.locate(NamedHost(name: name, port: 7_000), reached: Self.reached) { $0 == 0 }
    #expect(place == AddressBook.Place(addresses: addresses, authority: authority))
  }

  @Test("A name that nobody resolved is no place, a seed's that waits for its addresses neither")
  func unknown() {
    let book = Self.book()
    for name in ["owner", "late.example"] {
      let host = NamedHost(name: name, port: 7_000)
      #expect(book.locate(host, reached: Self.reached) { $0 == 0 } == nil)
    }
    // The peer itself is where it was reached, resolved or not.
    let late = NamedHost(name: "late.example", port: 7_000)
    #expect(
      book.locate(late, reached: Self.reached) { $0 == 2 }?.addresses
        == [Self.ipv4(0x0a00_0001, 7_000)])
  }

  @Test("Addresses are asked for once, forgotten in doubt, and never for what is an address")
  func wanting() {
    var book = Self.book()
    let owner = NamedHost(name: "owner", port: 6650)
    #expect(book.want(owner) == true)
    #expect(book.want(owner) == true)
    #expect(book.want(NamedHost(name: "10.0.0.1", port: 6650)) == true)
    #expect(book.wanted == [owner])
    book.resolved(owner, addresses: [Self.elsewhere])
    #expect(book.wanted.isEmpty)
    #expect(book.locate(owner, reached: Self.reached) { _ in false } != nil)
    book.doubt(authority: owner.authority)
    #expect(book.locate(owner, reached: Self.reached) { _ in false } == nil)
  }

  @Test("Names beyond the limit are refused; seeds have places of their own and stay wanted")
  func limit() {
    var book = Self.book()
    var taken = 0
    while book.want(NamedHost(name: "owner-\(taken)", port: 6650)) { taken += 1 }
    #expect(taken == AddressBook.hostLimit + 3)
    let late = NamedHost(name: "late.example", port: 6650)
    #expect(book.want(late) == true)
    #expect(book.wanted.last == late)
    book.stopWanting(late)
    #expect(book.wanted.last == late)
    book.stopWanting(NamedHost(name: "owner-0", port: 6650))
    #expect(book.want(NamedHost(name: "another", port: 6650)) == false)
    book.stopWanting(NamedHost(name: "owner-1", port: 6650))
    #expect(book.want(NamedHost(name: "another", port: 6650)) == true)
  }

  @Test("A seed keeps its addresses until it has new ones")
  func seeds() {
    var book = Self.book()
    let two = NamedHost(name: "two.example", port: 6650)
    book.resolved(two, addresses: [])
    #expect(book.seeds[1].addresses == [Self.elsewhere])
    book.resolved(two, addresses: [Self.reached])
    #expect(book.seeds[1].addresses == [Self.reached])
    book.setSeeds([ResolvedHost(host: "two.example", port: 6650)])
    #expect(book.seeds.map(\.addresses) == [[Self.reached]])
    book.setSeeds([ResolvedHost(host: "10.0.0.2", port: 6650)])
    #expect(book.seeds.map(\.addresses) == [[Self.elsewhere]])
  }

  @Test("Addresses are tried in turn")
  func rotation() {
    var rotation = AddressRotation([Self.reached, Self.elsewhere])
    var tried: [SocketAddress?] = []
    for _ in 0..<3 {
      tried.append(rotation.current)
      rotation.advance()
    }
    #expect(tried == [Self.reached, Self.elsewhere, Self.reached])
    rotation.addresses = []
    #expect(rotation.current == nil)
    rotation.advance()
    rotation.addresses = [Self.elsewhere]
    #expect(rotation.current == Self.elsewhere)
  }

  @Test("An IPv6 address stands in brackets before its port")
  func authority() {
    #expect(NamedHost(name: "::1", port: 80).authority == "[::1]:80")
    #expect(NamedHost(name: "host", port: 80).authority == "host:80")
  }
}
