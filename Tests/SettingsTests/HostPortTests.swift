import Settings
import Testing

@Suite("Addresses, sizes, filters and templates")
struct HostPortTests {
  @Test(
    "Addresses that are read, and written as they were",
    arguments: [
      ("127.0.0.1:1883", "127.0.0.1", 1883), ("0.0.0.0:0", "0.0.0.0", 0),
      ("localhost:65535", "localhost", 65535), ("[::1]:80", "::1", 80), ("[::]:1", "::", 1),
      ("[fe80::1:2]:9", "fe80::1:2", 9), ("[1:2:3:4:5:6:7:8]:1", "1:2:3:4:5:6:7:8", 1),
      ("[::ffff:10.0.0.1]:5", "::ffff:10.0.0.1", 5), ("[1::]:5", "1::", 5),
      ("[1:2:3:4:5:6:7::]:5", "1:2:3:4:5:6:7::", 5),
      ("[1:2:3:4:5:6:9.9.9.9]:5", "1:2:3:4:5:6:9.9.9.9", 5),
      ("broker-1.my_site.local:6650", "broker-1.my_site.local", 6650), ("1a:2", "1a", 2),
    ])
  func goodAddresses(text: String, host: String, port: UInt16) throws {
    let address = try HostPort(parsing: text)
    #expect(address == HostPort(host: host, port: port))
    #expect(address.description == text)
  }

  @Test(
    "Addresses that are refused",
    arguments: [
      "", ":", ":80", "host", "host:", "host:x", "host:65536", "host:-1", "host:+1", "host:1:2",
      "*:80", "1.2.3:80", "1.2.3.4.5:80", "256.1.1.1:80", "01.2.3.4:80", "1..2.3:80", "::1",
      "1::2:80",
      "[::1]", "[::1]80", "[::1]:", "[::1:80", "[]:80", "[:]:80", "[:::]:80", "[1::2::3]:80",
      "[1:2:3:4:5:6:7]:80", "[1:2:3:4:5:6:7:8:9]:80", "[::1:2:3:4:5:6:7:8]:80", "[12345::]:80",
      "[g::]:80", "[1.2.3.4]:80", "[::1.2.3.4:5]:80", "[fe80::1%eth0]:80", "[:1::]:80",
      "[1::2:]:80",
      "-a:80", "a-:80", "a b:80", "a..b:80", "é:80", "a\0:80", " a:80", "a:8 0", "a:٣",
      String(repeating: "a", count: 64) + ":80",
      Array(repeating: "aaaaaaaaa", count: 26).joined(separator: ".") + ":80",
    ])
  func badAddresses(text: String) {
    #expect(throws: SettingsProblem.self) { try HostPort(parsing: text) }
  }

  @Test("The default port is used where none is written")
  func defaultPort() throws {
    #expect(try HostPort(parsing: "a", defaultPort: 7).port == 7)
    #expect(try HostPort(parsing: "[::1]", defaultPort: 7).port == 7)
    #expect(try HostPort(parsing: "a:8", defaultPort: 7).port == 8)
    #expect(throws: SettingsProblem.self) { try HostPort(parsing: "a:", defaultPort: 7) }
  }

  @Test("Addresses collide on one port of one host or of all hosts")
  func collisions() throws {
    func collide(_ left: String, _ right: String) throws -> Bool {
      try HostPort(parsing: left).collides(with: HostPort(parsing: right))
    }
    #expect(try collide("127.0.0.1:1", "127.0.0.1:1"))
    #expect(try collide("localhost:1", "127.0.0.1:1"))
    #expect(try collide("0.0.0.0:1", "10.0.0.1:1"))
    #expect(try collide("10.0.0.1:1", "[::]:1"))
    #expect(try !collide("127.0.0.1:1", "127.0.0.1:2"))
    #expect(try !collide("127.0.0.1:1", "127.0.0.2:1"))
    #expect(try !collide("127.0.0.1:0", "127.0.0.1:0"))
  }

  @Test("Templates become parts")
  func templates() throws {
    func parts(_ text: String) throws -> [Template.Part] { try Template(parsing: text).parts }
    func literal(_ text: String) -> Template.Part { .literal(Array(text.utf8)) }
    #expect(try parts("") == [])
    #expect(try parts("plain é") == [literal("plain é")])
    #expect(try parts("{client_id}") == [.clientID])
    #expect(try parts("{1}{9}") == [.wildcard(1), .wildcard(9)])
    #expect(try parts("a{topic}b{2}") == [literal("a"), .topic, literal("b"), .wildcard(2)])
    #expect(try parts("{{1}}") == [literal("{1}")])
    #expect(try parts("{{{1}}}") == [literal("{"), .wildcard(1), literal("}")])
    #expect(try parts("x{{y}}z") == [literal("x{y}z")])
    #expect(try Template(parsing: "{3}-{7}-{2}").highestWildcard == 7)
    #expect(try Template(parsing: "{topic}").highestWildcard == 0)
  }

  @Test(
    "Templates that are refused",
    arguments: [
      "{", "}", "a{", "{1", "{1}}", "{}", "{0}", "{10}", "{ 1}", "{Topic}", "{clientid}", "{-1}",
      "{+}", "{{1}",
    ])
  func badTemplates(text: String) {
    #expect(throws: SettingsProblem.self) { try Template(parsing: text) }
  }

  @Test(
    "Filters and their wildcards",
    arguments: [
      ("#", 1), ("+", 1), ("a", 0), ("/", 0), ("a//b", 0), ("+/+/#", 3), ("a/+/b", 1),
      ("$SYS/#", 1), ("/+", 1), ("a b/é", 0), ("$shared/x", 0),
    ])
  func goodFilters(text: String, wildcards: Int) throws {
    #expect(try RouteFilter(parsing: text).wildcardCount == wildcards)
  }

  @Test(
    "Filters that are refused [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-1] [MQTT-4.7.3-2]",
    arguments: [
      "", "a#", "#/a", "a/#/b", "##", "a/b#", "a+", "+a", "a/+b/c", "++", "#+", "a\0b",
      "$share/g/a", String(repeating: "a", count: 65_536),
    ])
  func badFilters(text: String) {
    #expect(throws: SettingsProblem.self) { try RouteFilter(parsing: text) }
  }

  @Test("The longest filter has 65,535 bytes")
  func longestFilter() throws {
    #expect(try RouteFilter(parsing: String(repeating: "a", count: 65_535)).wildcardCount == 0)
  }

  @Test(
    "A filter covers another when it matches all of its topics [MQTT-4.7.2-1]",
    arguments: [
      ("#", "a/b", true), ("#", "#", true), ("#", "+/b", true), ("#", "$SYS/a", false),
      ("+/a", "$SYS/a", false), ("$SYS/#", "$SYS/a/b", true), ("a/#", "a", true),
      ("a/#", "a/+/#", true), ("a/+", "a/#", false), ("a/+", "a/b", true), ("a/b", "a/+", false),
      ("a/+", "a/b/c", false), ("a/b/c", "a/b", false), ("+", "a", true), ("a", "b", false),
      ("+/+", "a/b", true), ("a", "a", true), ("a/", "a", false),
    ])
  func covering(left: String, right: String, covers: Bool) throws {
    let routes = "[[route]]\nmqtt = \"\(left)\"\nto = \"/d/l\"\n"
    let isRefused = !errors("\(routes)[[route]]\nmqtt = \"\(right)\"\nto = \"/d/r\"\n").isEmpty
    #expect(isRefused == covers)
  }
}
