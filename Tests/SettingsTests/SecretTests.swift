import Settings
import Testing

@Suite("Secrets")
struct SecretTests {
  private let text = "s3cret-s3cret-s3cret"

  private func read(
    _ file: String, _ environment: [String: String] = [:], contents: String
  ) throws -> LoadedConfiguration {
    var loaded = try load(file + anyRoute, environment)
    try loaded.readSecrets { _ in Array(contents.utf8) }
    return loaded
  }

  @Test(
    "A secret is named by its place",
    arguments: [
      ("token_file = \"/etc/x\"", Secret.Source.file("/etc/x")),
      ("token_file = \"credential:admin-token\"", .credential("admin-token")),
      ("token_env = \"ADMIN_TOKEN\"", .variable("ADMIN_TOKEN")),
    ])
  func places(line: String, source: Secret.Source) throws {
    let loaded = try read("[admin]\n\(line)\n", contents: text + "\n")
    let token = try #require(loaded.configuration.admin.token)
    #expect(token.source == source)
    #expect(token.isLoaded)
    #expect(token.matches(Array(text.utf8)))
  }

  @Test("Only the whole secret matches; one that was not read matches nothing")
  func matching() {
    let secret = Secret(source: .variable("X"), contents: Array(text.utf8))
    for other in [
      "", "s", text + "x", String(text.dropLast()), text + text, "S" + text.dropFirst(),
    ] {
      #expect(!secret.matches(Array(other.utf8)), "\(other)")
    }
    let unread = Secret(source: .variable("X"))
    #expect(!unread.matches([]) && !unread.matches([0]))
    #expect(secret == Secret(source: .variable("X"), contents: Array(text.utf8)))
    #expect(secret != unread && unread == Secret(source: .variable("X")))
    #expect(secret != Secret(source: .file("X"), contents: Array(text.utf8)))
  }

  @Test("Nothing that describes a configuration shows a secret")
  func neverShown() throws {
    let loaded = try read("[admin]\ntoken_file = \"/etc/x\"\n", contents: text)
    var dumped = ""
    dump(loaded, to: &dumped)
    dump(loaded.configuration, to: &dumped)
    dumped += "\(loaded) \(loaded.configuration) \(String(reflecting: loaded.configuration)) "
    dumped += String(describing: loaded.configuration.admin.token) + loaded.shown
    #expect(dumped.contains("<secret>"))
    #expect(!dumped.contains("s3cret"))
    // Nor its bytes, as an array shows them.
    #expect(!dumped.contains("115, 51") && !dumped.contains("- 115\n"))
  }

  @Test("What tokens are signed with has 32 characters or more, and does not show")
  func signingSecret() throws {
    let section = "[broker]\nauth = \"jwt\"\njwt_secret_file = \"/etc/x\"\n"
    let long = text + "-and-as-long-as-a-hash-has-to-be"
    let loaded = try read(section, contents: long + "\n")
    #expect(loaded.configuration.broker.tokenSecret?.revealed == Array(long.utf8))
    var dumped = loaded.shown
    dump(loaded.configuration, to: &dumped)
    #expect(!dumped.contains("s3cret"))
    let short = String(repeating: "x", count: 31)
    let error = #expect(throws: SettingsErrors.self) { _ = try read(section, contents: short) }
    #expect(
      error?.description.hasPrefix(
        "edge.toml:3:19: broker.jwt_secret_file: the secret has not 32 to 4096") == true)
  }

  @Test("The token for brokers is read like any other, and errors say at which key")
  func brokerToken() throws {
    let section = "[danube]\nurl = \"https://a\"\ntoken_env = \"DANUBE_TOKEN\"\n"
    let loaded = try read(section, contents: text + "\r\n")
    #expect(loaded.configuration.danube.token?.revealed == Array(text.utf8))
    #expect(!loaded.shown.contains("s3cret"))
    let error = #expect(throws: SettingsErrors.self) { _ = try read(section, contents: "no token") }
    #expect(error?.description.hasPrefix("edge.toml:3:13: danube.token_env: ") == true)
    #expect(error?.description.contains("danube-admin") == true)
    // What was allowed is taken; without a broker elsewhere there is nobody to show it to.
    _ = try read(
      "[danube]\nurl = \"http://a\"\ntoken_env = \"T\"\nallow_plaintext_token = true\n",
      contents: text)
    _ = try read("[danube]\ntoken_env = \"T\"\n", contents: text)
  }

  @Test("A secret in the file is refused, and not shown")
  func literal() {
    for value in ["\"\(text)\"", "5", "{ a = \"\(text)\" }"] {
      let found = errors("[admin]\ntoken = \(value)\n" + anyRoute)
      #expect(
        found == [
          "edge.toml:2:1: admin.token: a secret does not stand in the file. "
            + "Write token_file or token_env, which say where it is kept."
        ])
    }
  }

  @Test("What is in the wrong place is refused, and not shown")
  func wrongPlace() {
    for line in [
      "token_env = \"s3cret-s3cret\"", "token_env = \"s3cret s3cret\"",
      "token_file = \"credential:../s3cret\"", "token_file = \"credential:\"", "token_env = \"\"",
      "token_env = \"3s3cret\"", "token_file = \"\"", "token_file = 5",
    ] {
      let found = errors("[admin]\n\(line)\n" + anyRoute)
      #expect(found.count == 1 && found[0].hasPrefix("edge.toml:2:"), "\(line)")
      #expect(!found.joined().contains("s3cret"))
    }
  }

  @Test("Two places are one too many; a variable's place comes before the file's")
  func twoPlaces() throws {
    let file = "[admin]\ntoken_file = \"/etc/x\"\n"
    let found = errors(file + "token_env = \"A\"\n" + anyRoute)
    #expect(found.count == 1 && found[0].hasPrefix("edge.toml:3:1: admin.token_env: "))
    for (name, value, source) in [
      ("DANUBE_GATEWAY_ADMIN_TOKEN_FILE", "/b", Secret.Source.file("/b")),
      ("DANUBE_GATEWAY_ADMIN_TOKEN_ENV", "B", .variable("B")),
      ("DANUBE_GATEWAY_ADMIN_TOKEN", text, .variable("DANUBE_GATEWAY_ADMIN_TOKEN")),
    ] {
      let loaded = try load(file + anyRoute, [name: value])
      #expect(loaded.configuration.admin.token?.source == source)
      #expect(loaded.notes.count == 1)
      #expect(!loaded.shown.contains("s3cret"))
    }
  }

  @Test(
    "A text that is no secret is an error with a remedy",
    arguments: [
      "", "\n", "short", "with spaces in between", "two\nlines-two-lines", "é1234567890123456",
    ])
  func badTexts(contents: String) throws {
    #expect(throws: SettingsErrors.self) {
      _ = try read("[admin]\ntoken_file = \"/etc/x\"\n", contents: contents)
    }
  }

  @Test("A secret that cannot be read is an error at its place")
  func unreadable() throws {
    var loaded = try load("[admin]\n\ntoken_file = \"/etc/x\"\n" + anyRoute, [:])
    do throws(SettingsErrors) {
      try loaded.readSecrets { (_) throws(SettingsProblem) in
        throw SettingsProblem("it cannot be read: no such file", remedy: "Make it.")
      }
      Issue.record("no error")
    } catch {
      #expect(
        error.description
          == "edge.toml:3:14: admin.token_file: it cannot be read: no such file. Make it.")
    }
  }

  @Test("The shown configuration is a file that loads to the same, with the origin of each value")
  func shown() throws {
    let file =
      "[gateway]\nname = \"a\"\n[danube]\nurl = [\"http://a\", \"http://b:2\"]\n"
      + "[[listen]]\n[[listen]]\nkind = \"webhook\"\naddress = \"h:1\"\nmax_body = 2048\n"
      + "[[route]]\nwebhook = \"/x\"\nto = \"/d/t\"\n"
      + "[[route]]\nmqtt = \"a/+\"\nto = \"/d/t\"\nattributes = { \"b c\" = \"\\\"\\u202e{1}\" }\n"
      + "[[route]]\nwebhook = \"/h/{x}\"\nto = \"/d/{path.x}\"\npartitions = 2\n"
    let loaded = try load(file, ["LOG_LEVEL": "debug"])
    let again = try load(loaded.shown, [:])
    #expect(again.configuration == loaded.configuration)
    let lines = loaded.shown.split(separator: "\n")
    func line(_ start: String) -> String { String(lines.first { $0.hasPrefix(start) } ?? "") }
    #expect(line("name = ").hasSuffix("# edge.toml:2"))
    #expect(line("log_level = \"debug\"").hasSuffix("# environment: LOG_LEVEL"))
    #expect(line("shutdown_s = 5").hasSuffix("# default"))
    #expect(!loaded.shown.unicodeScalars.contains("\u{202e}"))
  }
}
