import Settings
import Testing

@Suite("Errors a person can act on")
struct ConfigurationErrorTests {
  static let cases: [(text: String, expected: [String])] = [
    (
      "[danube]\n  ulr = \"embedded\"\n\(anyRoute)",
      [
        "edge.toml:2:3: danube.ulr: unknown key; did you mean \"url\"? "
          + "Remove it or see edge.toml for all keys."
      ]
    ),
    (
      "[admin]\ncolour = 1\n\(anyRoute)",
      [
        "edge.toml:2:1: admin.colour: unknown key. Remove it; [admin] has the keys address, "
          + "token_file, token_env."
      ]
    ),
    (
      "[gateway]\nurl = \"embedded\"\n\(anyRoute)",
      [
        "edge.toml:2:1: gateway.url: unknown key; did you mean \"danube.url\"? "
          + "Remove it or see edge.toml for all keys."
      ]
    ),
    (
      "\(anyRoute)[danub]\nurl = \"embedded\"\n",
      [
        "edge.toml:4:2: danub: unknown section; did you mean \"danube\"? "
          + "Remove it or see edge.toml for all keys."
      ]
    ),
    (
      "data_dir = \"x\"\n\(anyRoute)",
      [
        "edge.toml:1:1: data_dir: this key stands before every section; "
          + "did you mean \"gateway.data_dir\"? Remove it or see edge.toml for all keys."
      ]
    ),
    (
      "[danube]\nurl = \"embeded\"\n\(anyRoute)",
      [
        "edge.toml:2:7: danube.url: \"embeded\" is not \"embedded\", \"http://host:port\" or "
          + "\"https://host:port\"; did you mean \"embedded\"? For example: url = \"embedded\"."
      ]
    ),
    (
      "[danube]\nurl = [ \"https://a\", \"http://b\" ]\ntoken_env = \"T\"\n\(anyRoute)",
      [
        "edge.toml:3:13: danube.token_env: \"http://b:6650\" has no TLS: everybody on the way "
          + "would read the token. Write https:// in danube.url, or allow_plaintext_token = true."
      ]
    ),
    (
      "[broker]\nauth = \"jwt\"\n\(anyRoute)",
      [
        "edge.toml:2:8: broker.auth: auth = \"jwt\" needs the secret that tokens are signed with. "
          + "Write jwt_secret_file or jwt_secret_env."
      ]
    ),
    (
      "[broker]\njwt_secret_file = \"s\"\n\(anyRoute)",
      [
        "edge.toml:2:19: broker.jwt_secret_file: the secret is not used: clients need no token. "
          + "Write auth = \"jwt\", too."
      ]
    ),
    (
      "[danube]\nurl = \"https://a\"\ncertificate_file = \"c.pem\"\n\(anyRoute)",
      [
        "edge.toml:3:20: danube.certificate_file: there is no key_file. "
          + "They go together: write both."
      ]
    ),
    (
      "[danube]\nurl = \"http://user:p@ss@h:1\"\n\(anyRoute)",
      [
        "edge.toml:2:7: danube.url: \"…@h:1\" has a user, which a broker does not know. "
          + "Write \"https://host:port\", or \"http://host:port\" without TLS."
      ]
    ),
    (
      "[admin]\ntoken_file = 12345678\n\(anyRoute)",
      [
        "edge.toml:2:14: admin.token_file: what stands here is not the path of a file, or "
          + "\"credential:NAME\". For example: token_file = \"credential:admin-token\"."
      ]
    ),
    (
      "[admin]\naddress = \"127.0.0.1\"\n\(anyRoute)",
      [
        "edge.toml:2:11: admin.address: \"127.0.0.1\" has no port. "
          + "For example: address = \"127.0.0.1:9090\"."
      ]
    ),
    (
      "[limits]\nbatch_linger_ms = 2000\nmax_batch = \"1 MB\"\nmemory = \"x\"\n\(anyRoute)",
      [
        "edge.toml:2:19: limits.batch_linger_ms: 2000 is not a whole number of milliseconds, "
          + "0 to 1000. For example: batch_linger_ms = 5.",
        "edge.toml:4:10: limits.memory: \"x\" is not a size, 1MiB to 1024GiB. Write bytes as a "
          + "number, or a whole number with B, KiB, MiB, GiB, kB, MB or GB as in \"1MiB\".",
      ]
    ),
    (
      "[[listen]]\n[[listen]]\naddress = \"h:1\"\nkind = \"mqtts\"\n\(anyRoute)",
      [
        "edge.toml:4:8: listen[1].kind: \"mqtts\" is not one of \"mqtt\", \"webhook\"; "
          + "did you mean \"mqtt\"? For example: kind = \"mqtt\"."
      ]
    ),
    (
      "[[route]]\nmqtt = \"a/+\"\nto = \"/d/t\"\nattributes = { x = \"{2}\", y = \"{1}\" }\n",
      [
        "edge.toml:4:20: route[0].attributes.x: {2} is used, but \"a/+\" has one wildcard. "
          + "Use {client_id}, {topic} or a wildcard that the filter has."
      ]
    ),
    (
      "[[route]]\nmqtt = \"a/+\"\nto = \"/d/t\"\n"
        + "attributes = { x = \"{klient_id}\", source = \"\" }",
      [
        "edge.toml:4:20: route[0].attributes.x: \"{klient_id}\" has an unknown placeholder "
          + "\"{klient_id}\"; did you mean \"{client_id}\"? "
          + "There are {client_id}, {topic} and {1} to {9} for MQTT, {topic}, {path.name}, "
          + "{header.name} and {query.name} for webhooks; {{ is a literal brace.",
        "edge.toml:4:35: route[0].attributes.source: records have this attribute already. "
          + "Choose another name, or leave it out.",
      ]
    ),
    (
      "\n[[route]]\nmqtt = \"a/#/b\"\n",
      [
        "edge.toml:2:1: route[0].to: missing. For example: to = \"/default/temperature\".",
        "edge.toml:3:8: route[0].mqtt: \"a/#/b\" has levels after #. # must be the last level.",
      ]
    ),
    (
      "\(anyRoute)[[route]]\nmqtt = \"a/b\"\nto = \"/d/t\"\n",
      [
        "edge.toml:5:8: route[1].mqtt: \"a/b\" never matches, because route[0] takes \"#\" first. "
          + "Put it before that route, or remove it."
      ]
    ),
    (
      "[[listen]]\n[[listen]]\naddress = \"0.0.0.0:1883\"\n\(anyRoute)",
      [
        "edge.toml:3:11: listen[1].address: \"0.0.0.0:1883\" is in the way of "
          + "listen[0].address = \"127.0.0.1:1883\". Give each its own port."
      ]
    ),
    (
      "[admin]\naddress = \"localhost:6650\"\n\(anyRoute)",
      [
        "edge.toml:2:11: admin.address: \"localhost:6650\" is in the way of "
          + "broker.address = \"127.0.0.1:6650\". Give each its own port."
      ]
    ),
    (
      "[danube]\nbackoff_min_ms = 6000\n\(anyRoute)",
      [
        "edge.toml:2:18: danube.backoff_min_ms: backoff_min_ms = 6000 is above "
          + "backoff_max_ms = 5000. Make backoff_max_ms the larger one."
      ]
    ),
    (
      "[[listen]]\nmax_packet = \"4000KiB\"\n[limits]\nmemory = \"4MiB\"\n\(anyRoute)",
      [
        "edge.toml:4:10: limits.memory: 4MiB is less than twice the largest listen.max_packet. "
          + "Write at least \"8000KiB\", or make that smaller."
      ]
    ),
    (
      "[[listen]]\nkind = \"webhook\"\nmax_packet = 2048\n\(anyRoute)",
      [
        "edge.toml:1:1: listen[0].address: missing. "
          + "For example: address = \"127.0.0.1:8080\".",
        "edge.toml:3:14: listen[0].max_packet: this key is only for kind = \"mqtt\". "
          + "Remove it, or see edge.toml for the keys of kind = \"webhook\".",
      ]
    ),
    (
      "[[listen]]\nretry_after_s = 4\n\(anyRoute)",
      [
        "edge.toml:2:17: listen[0].retry_after_s: this key is only for kind = \"webhook\". "
          + "Remove it, or see edge.toml for the keys of kind = \"mqtt\"."
      ]
    ),
    (
      "[[listen]]\nkind = \"webhook\"\naddress = \"h:1\"\nmax_body = \"3MiB\"\n"
        + "[limits]\nmemory = \"4MiB\"\n\(anyWebhookRoute)",
      [
        "edge.toml:6:10: limits.memory: 4MiB is less than twice the largest listen.max_body with "
          + "its max_head. Write at least \"6160KiB\", or make that smaller."
      ]
    ),
    (
      "[broker]\nretain_bytes = \"3MiB\"\n\(anyRoute)",
      [
        "edge.toml:2:16: broker.retain_bytes: 3MiB is less than four times the largest "
          + "listen.max_packet. Write at least \"4MiB\", or make that smaller."
      ]
    ),
    (
      "[danube]\nurl = \"http://h:6650\"\n[spool]\nmax_bytes = \"3MiB\"\n\(anyRoute)",
      [
        "edge.toml:4:13: spool.max_bytes: 3MiB is less than four times the largest "
          + "listen.max_packet. Write at least \"4MiB\", or make that smaller."
      ]
    ),
    (
      "[listen]\nkind = \"mqtt\"\n\(anyRoute)",
      ["edge.toml:1:1: listen: a table is not a list. Write [[listen]], with two brackets."]
    ),
    (
      "danube = 5\n\(anyRoute)",
      [
        "edge.toml:1:10: danube: 5 is not a section. "
          + "Write [danube] on a line of its own, and its keys below."
      ]
    ),
    (
      "[[danube]]\n\(anyRoute)",
      [
        "edge.toml:1:1: danube: a list is not a section. "
          + "Write [danube] on a line of its own, and its keys below."
      ]
    ),
    (
      "",
      [
        "edge.toml:1:1: route: there is no route, so every message would be dropped. "
          + "Add for example:\n[[route]]\nmqtt = \"sensors/+/temperature\"\n"
          + "to = \"/default/temperature\""
      ]
    ),
    (
      "[gateway]\nname = \"a\u{1B}[31m\u{202E}\\n\"\n\(anyRoute)".replacingEscape(),
      [
        "edge.toml:2:8: gateway.name: \"a\\u{1b}[31m\\u{202e}\\n\" is not a name of 1 to 64 "
          + "letters, digits, _ or -. For example: name = \"edge-1\"."
      ]
    ),
    (
      "[gateway]\nname = \"a\"\nname = \"b\"\n\(anyRoute)",
      [
        "edge.toml:3:8: Error while parsing key-value pair: cannot redefine existing string "
          + "'name'. The file must be TOML 1.0."
      ]
    ),
  ]

  @Test("The text of errors is exact, with line, column and nearest key", arguments: cases)
  func exactText(_ item: (text: String, expected: [String])) {
    #expect(errors(item.text) == item.expected)
  }

  @Test("All errors of a file are reported, in the order of its lines")
  func allErrors() {
    let found = errors(
      """
      [limits]
      memory = 1
      [gateway]
      nam = "x"
      log_level = "trace"
      [[route]]
      to = "x"
      [[route]]
      mqtt = "++"
      to = "/a/b"
      [nothing.at.all]
      x = 1
      """)
    let places = found.map { $0.split(separator: ":")[1] }
    #expect(places == ["2", "4", "5", "7", "9", "11"])
  }

  @Test("A file with a hundred thousand errors is refused quickly with the first of them")
  func manyErrors() throws {
    let keys = (0..<100_000).map { "k\($0)=1\n" }.joined()
    let error = #expect(throws: SettingsErrors.self) { try load("[admin]\n\(keys)") }
    #expect(error?.errors.count == 100)
    #expect(error?.isCut == true)
    #expect(error?.description.hasSuffix("There are more errors: correct these first.") == true)
  }

  @Test("Brokers elsewhere leave the embedded broker's address free")
  func embeddedAddressIsFree() throws {
    let text = "[danube]\nurl = \"http://b\"\n[admin]\naddress = \"127.0.0.1:6650\"\n\(anyRoute)"
    #expect(errors(text) == [])
  }

  @Test("The default name is made acceptable")
  func defaultName() throws {
    func name(_ defaultName: String) throws -> String {
      try GatewayConfiguration.load(
        path: "f", contents: Array(anyRoute.utf8), defaultName: defaultName
      ).gateway.name
    }
    #expect(try name("edge.local-1a2b") == "edge-local-1a2b")
    #expect(try name("") == "gateway")
    #expect(try name(String(repeating: "x", count: 99) + "-1a2b").count == 64)
    #expect(try name(String(repeating: "x", count: 99) + "-1a2b").hasSuffix("x-1a2b"))
    #expect(try name("é") == "--")
  }

  @Test("A route made in code is checked like one of a file")
  func routeInCode() throws {
    let route = try RouteConfiguration(mqtt: "a/+", to: "/d/t", attributes: [("x", "{1}")])
    #expect(route.key.parts == [.clientID])
    #expect(route.attributes[0].value.parts == [.wildcard(1)])
    let error = #expect(throws: SettingsErrors.self) {
      try RouteConfiguration(mqtt: "a", to: "/d/t", key: "{1}")
    }
    #expect(error?.errors.map(\.keyPath) == ["route.key"])
  }
}

extension String {
  /// TOML wants control characters escaped.
  fileprivate func replacingEscape() -> String {
    String(flatMap { $0 == "\u{1B}" ? "\\u001b" : "\($0)" })
  }
}
