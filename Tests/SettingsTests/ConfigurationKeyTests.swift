import Settings
import Testing

/// A key, values it accepts and values it refuses, as they are written in a file.
struct KeyCase: Sendable, CustomTestStringConvertible {
  var section: String
  var key: String
  var good: [String]
  var bad: [String]

  init(_ section: String, _ key: String, good: [String], bad: [String]) {
    self.section = section
    self.key = key
    self.good = good
    self.bad = bad
  }

  private var isForWebhooks: Bool {
    ConfigurationReference.entries.contains {
      $0.section == section && $0.name == key && $0.condition == "kind = \"webhook\""
    }
  }

  var testDescription: String { "\(section).\(key)" }

  /// A file that sets the key, and is otherwise acceptable.
  func file(_ value: String) -> String {
    switch section {
    case "listen":
      "[[listen]]\n\(key) = \(value)\n"
        + (isForWebhooks ? "kind = \"webhook\"\n" : "")
        + (key == "address" ? "" : "address = \"127.0.0.1:2\"\n")
        + "[limits]\nmemory = \"1GiB\"\n"
        + (isForWebhooks || value == "\"webhook\"" ? anyWebhookRoute : anyRoute)
    case "route" where key == "webhook":
      "[[route]]\n\(key) = \(value)\nto = \"/d/t\"\n"
        + "[[listen]]\nkind = \"webhook\"\naddress = \"127.0.0.1:2\"\n"
    case "route":
      "[[route]]\n\(key) = \(value)\n"
        + (key == "mqtt" ? "" : "mqtt = \"+/x/#\"\n") + (key == "to" ? "" : "to = \"/d/t\"\n")
        + "[limits]\nmax_topics = 2000\n"
    case "limits" where key == "memory":
      "[limits]\nmemory = \(value)\nmax_batch = \"4KiB\"\n"
        + "[[listen]]\nmax_packet = 1024\n\(anyRoute)"
    default: "[\(section)]\n\(key) = \(value)\n\(anyRoute)"
    }
  }
}

private let notStrings = ["1", "1.5", "true", "[]", "{}", "2024-01-01"]
private let notIntegers = [
  "\"5\"", "1.0", "1e3", "true", "[1]", "{}", "inf", "-9223372036854775808",
]
private let longName = String(repeating: "n", count: 64)

private func integers(_ section: String, _ key: String, _ range: ClosedRange<Int>) -> KeyCase {
  KeyCase(
    section, key, good: ["\(range.lowerBound)", "\(range.upperBound)"],
    bad: notIntegers + ["\(range.lowerBound - 1)", "\(range.upperBound + 1)"])
}

private func words(_ section: String, _ key: String, _ words: [String]) -> KeyCase {
  KeyCase(
    section, key, good: words.map { "\"\($0)\"" },
    bad: notStrings + ["\"\"", "\"\(words[0].uppercased())\"", "\"nothing\""])
}

private func sizes(_ section: String, _ key: String, good: [String], bad: [String]) -> KeyCase {
  KeyCase(
    section, key, good: good,
    bad: bad + [
      "1.5", "true", "[]", "-1", "\"\"", "\"1\"", "\"MiB\"", "\"1.5MiB\"", "\"2mib\"", "\"2  MiB\"",
      "\"-2MiB\"", "\"99999999999GiB\"", "\"99999999999999999999\"", "\"2MiBB\"", "\"2TiB\"",
      "\"٢MiB\"",
    ])
}

private func addresses(_ section: String) -> KeyCase {
  KeyCase(
    section, "address",
    good: ["\"0.0.0.0:0\"", "\"[::1]:7000\"", "\"localhost:7000\"", "\"edge.local:65535\""],
    bad: notStrings + ["\"\"", "\"127.0.0.1\"", "\":7000\"", "\"*:7000\"", "\"h:70000\""])
}

let keyCases: [KeyCase] = [
  KeyCase(
    "gateway", "name", good: ["\"edge-1\"", "\"_\"", "'\(longName)'"],
    bad: notStrings + ["\"\"", "\"a b\"", "\"a.b\"", "\"é\"", "'\(longName)n'", "\"a/b\""]),
  KeyCase(
    "gateway", "data_dir", good: ["\"data\"", "\"/var/lib/x y\""],
    bad: notStrings + ["\"\"", "\"a\\u0000\""]),
  words("gateway", "unrouted", ["accept", "reject"]),
  integers("gateway", "shutdown_s", 1...300),
  words("gateway", "log_level", ["error", "warning", "info", "debug"]),
  words("gateway", "log_format", ["auto", "text", "json"]),
  KeyCase(
    "danube", "url",
    good: [
      "\"embedded\"", "\"http://10.0.0.1:6650\"", "\"http://broker\"", "\"http://broker/\"",
      "\"HTTP://[::1]:1\"", "[\"http://a\", \"http://b:2\"]", "[\"http://a\"]",
    ],
    bad: [
      "1", "true", "{}", "[]", "\"\"", "\"Embedded\"", "\"https://a\"", "\"http://\"",
      "\"http://a:0\"", "\"http://a:x\"", "\"http://a/b\"", "\"http://a?b\"", "\"http://u@a\"",
      "\"a:6650\"", "\"tcp://a\"", "[\"embedded\"]", "[\"http://a\", 1]", "[[\"http://a\"]]",
    ]),
  integers("danube", "call_deadline_ms", 100...600_000),
  integers("danube", "max_in_flight", 1...65_536),
  KeyCase("danube", "backoff_min_ms", good: ["1", "5000"], bad: notIntegers + ["0", "5001"]),
  KeyCase(
    "danube", "backoff_max_ms", good: ["100", "600000"], bad: notIntegers + ["99", "600001"]),
  integers("danube", "connect_timeout_ms", 10...600_000),
  addresses("broker"),
  words("broker", "new_subscription", ["latest", "earliest"]),
  sizes(
    "broker", "retain_bytes", good: ["65536", "\"64KiB\"", "\"1 GiB\"", "\"100kB\"", "\"1GB\""],
    bad: ["65535", "\"63KiB\"", "\"1025GiB\""]),
  integers("broker", "max_unacked", 10...10_000),
  integers("broker", "ack_timeout_ms", 100...86_400_000),
  addresses("admin"),
  KeyCase(
    "admin", "token_file", good: ["\"/etc/a b\"", "\"credential:a.b-c_d\""],
    bad: notStrings + ["\"\"", "\"credential:\"", "\"credential:a/b\"", "\"credential:..\""]),
  KeyCase(
    "admin", "token_env", good: ["\"A\"", "\"_a1\""],
    bad: notStrings + ["\"\"", "\"1A\"", "\"a-b\"", "\"a b\"", "\"é\""]),
  words("listen", "kind", ["mqtt", "webhook"]),
  addresses("listen"),
  integers("listen", "max_connections", 1...1_000_000),
  sizes(
    "listen", "max_packet", good: ["1024", "\"1KiB\"", "\"4MB\"", "\"4032KiB\"", "\"2048B\""],
    bad: ["1023", "\"4033KiB\"", "\"4MiB\""]),
  integers("listen", "connect_timeout_s", 1...3600),
  integers("listen", "max_keep_alive_s", 0...65_535),
  integers("listen", "receive_maximum", 1...65_535),
  integers("listen", "topic_alias_max", 0...1024),
  integers("listen", "max_pause_s", 1...86_400),
  sizes(
    "listen", "max_body", good: ["1024", "\"1KiB\"", "\"3840KiB\""],
    bad: ["1023", "\"3841KiB\"", "\"4MiB\""]),
  sizes(
    "listen", "max_head", good: ["1024", "\"1KiB\"", "\"63KiB\""], bad: ["1023", "\"64KiB\""]),
  integers("listen", "max_header_fields", 1...1000),
  integers("listen", "request_timeout_s", 1...3600),
  integers("listen", "idle_timeout_s", 1...3600),
  integers("listen", "answer_timeout_s", 0...3600),
  integers("listen", "pressure_wait_ms", 0...60_000),
  integers("listen", "retry_after_s", 1...86_400),
  integers("listen", "max_pipelined", 1...1024),
  KeyCase(
    "listen", "trusted_proxies",
    good: [
      "\"127.0.0.1\"", "\"10.0.0.0/8\"", "[\"::1\", \"fe80::/10\", \"0.0.0.0/0\"]", "\"::/0\"",
      "\"1.2.3.4/32\"", "\"2001:db8::1/128\"",
    ],
    bad: [
      "1", "true", "[]", "{}", "\"\"", "\"localhost\"", "\"1.2.3\"", "\"1.2.3.4/33\"",
      "\"1.2.3.4/\"", "\"1.2.3.4/-1\"", "\"1.2.3.4/8/8\"", "\"::1/129\"", "\"[::1]\"",
      "\"::ffff:1.2.3.4\"", "\"1.2.3.4:80\"", "\"01.2.3.4\"", "[\"::1\", 1]",
    ]),
  KeyCase(
    "route", "mqtt", good: ["\"#\"", "\"+\"", "\"a/b\"", "\"$SYS/#\""],
    bad: notStrings + ["\"\"", "\"a#\"", "\"#/a\"", "\"a\\u0000\"", "\"$share/g/#\""]),
  KeyCase(
    "route", "to", good: [
      "\"/default/temperature\"", "\"/a-1/b_2\"", "\"/a/-part\"", "\"/a/{1}\"",
      "\"/a/{client_id}-{2}_x\"", "\"/a/{1}{1}\"",
    ],
    bad: notStrings + [
      "\"/{1}/a\"", "\"{1}/a\"", "\"{1}\"", "\"/a{1}/b\"", "\"/a/{1}/b\"", "\"/a/{3}\"",
      "\"/a/{1}.b\"", "\"/a/{path.x}\"", "\"/a/{1}-part-{2}\"", "\"/a/{{\"", "\"/a/{x}\"",
      "\"/a/\(String(repeating: "b", count: 253))\"",
      "\"\"", "\"/\"", "\"/a\"", "\"/a/\"", "\"//b\"", "\"a/b\"", "\"/a/b/c\"", "\"/a/b \"",
      "\"/a/é\"", "\"/a/b-part-0\"", "\"/a-part-/b\"", "\"/a.b/c\"",
    ]),
  KeyCase(
    "route", "webhook",
    good: [
      "\"/\"", "\"/a\"", "\"/a/\"", "\"//a\"", "\"/*\"", "\"/a/*\"", "\"/{x}\"", "\"/{x}/{y...}\"",
      "\"/a%20b/{x-1}/c:d\"", "\"/a/{all...}\"",
    ],
    bad: notStrings + [
      "\"\"", "\"a\"", "\"*\"", "\"/*/a\"", "\"/{x...}/a\"", "\"/a{x}\"", "\"/{x}b\"", "\"/{}\"",
      "\"/{...}\"", "\"/{x}/{x}\"", "\"/a*\"", "\"/{x.y}\"", "\"/{\"", "\"/a b\"", "\"/é\"", "\"/a?b\"",
      "\"/a#b\"", "\"/\(String(repeating: "a", count: 1024))\"",
      "\"\(String(repeating: "/a", count: 129))\"",
      "\"/\((0...9).map { "{n\($0)}" }.joined(separator: "/"))\"",
    ]),
  words("route", "topic_values", ["map", "refuse"]),
  KeyCase(
    "route", "key", good: ["\"{client_id}\"", "\"all\"", "\"{1}/{2}\"", "\"{{\"", "\"\""],
    bad: notStrings + [
      "\"{3}\"", "\"{\"", "\"}\"", "\"{x}\"", "\"{header.a}\"", "\"{query.a}\"", "\"{path.a}\"",
      "\"{header.}\"", "\"{header.a b}\"", "\"{path.a.b}\"", "\"{topic.a}\"",
    ]),
  KeyCase(
    "route", "attributes",
    good: [
      "{}", "{ room = \"{1}\" }", "{ a = \"\", \"b c\" = \"{topic}\" }",
      "{ \"mqtt.topics\" = \"x\" }",
    ],
    bad: [
      "1", "\"x\"", "[]", "[\"x\"]", "{ a = 1 }", "{ a = { b = \"x\" } }", "{ a = \"{3}\" }",
      "{ a = \"{\" }", "{ source = \"x\" }", "{ \"mqtt.topic\" = \"x\" }", "{ \"\" = \"x\" }",
      "{ \"mqtt.qos\" = \"\" }", "{ \"mqtt.retain\" = \"\" }", "{ \"mqtt.dup\" = \"\" }",
      "{ \"mqtt.client_id\" = \"\" }",
      "{ \"webhook.ip\" = \"\" }", "{ \"a\\u0000\" = \"\" }",
      "{ " + (0...32).map { "a\($0) = \"\"" }.joined(separator: ", ") + " }",
    ]),
  integers("route", "partitions", 0...1024),
  KeyCase("route", "reliable", good: ["true", "false"], bad: ["0", "\"true\"", "[]", "{}"]),
  words("route", "order", ["key", "topic", "none"]),
  KeyCase(
    "route", "ack", good: ["\"durable\"", "\"delivered\"", "\"received\""],
    bad: notStrings + ["\"disk\"", "\"\"", "\"Durable\"", "\"safe\""]),
  sizes(
    "limits", "memory", good: ["1048576", "\"1MiB\"", "\"2GiB\""], bad: ["1048575", "\"1023KiB\""]),
  integers("limits", "batch_linger_ms", 0...1000),
  sizes(
    "limits", "max_batch", good: ["4096", "\"4KiB\"", "\"4032KiB\""], bad: ["4095", "\"4MiB\""]),
  integers("limits", "max_topics", 1...65_536),
]

@Suite("Every key")
struct ConfigurationKeyTests {
  @Test("Good values are accepted and bad values are errors of their key", arguments: keyCases)
  func values(_ item: KeyCase) {
    let path = ["listen", "route"].contains(item.section) ? "\(item.section)[0]" : item.section
    for value in item.good {
      #expect(errors(item.file(value)) == [], "\(value)")
    }
    for value in item.bad {
      let found = errors(item.file(value))
      #expect(!found.isEmpty, "\(value)")
      #expect(
        found.allSatisfy {
          $0.hasPrefix("edge.toml:2:") && $0.contains(": \(path).\(item.key)")
        }, "\(value): \(found)")
    }
  }

  @Test("No key is without good and bad values")
  func everyKeyIsTested() {
    let tested = Set(keyCases.map { "\($0.section).\($0.key)" })
    let known = Set(ConfigurationReference.entries.map { "\($0.section).\($0.name)" })
    #expect(tested == known)
  }

  private static let everyValue = """
    [gateway]
    name = "g"
    data_dir = "d"
    unrouted = "reject"
    shutdown_s = 9
    log_level = "debug"
    log_format = "text"
    [danube]
    url = ["http://a", "http://[::1]:7"]
    call_deadline_ms = 101
    max_in_flight = 102
    backoff_min_ms = 103
    backoff_max_ms = 104
    connect_timeout_ms = 105
    [broker]
    address = "b:1"
    new_subscription = "earliest"
    retain_bytes = "1MB"
    max_unacked = 106
    ack_timeout_ms = 107
    [admin]
    address = "c:2"
    token_env = "ADMIN_TOKEN"
    [limits]
    memory = "9MiB"
    batch_linger_ms = 108
    max_batch = 4097
    max_topics = 77
    [[listen]]
    address = "d:3"
    max_connections = 109
    max_packet = 1025
    connect_timeout_s = 110
    max_keep_alive_s = 111
    receive_maximum = 112
    topic_alias_max = 114
    max_pause_s = 113
    [[listen]]
    address = "d:4"
    kind = "webhook"
    max_body = 2001
    max_head = 2002
    max_header_fields = 203
    request_timeout_s = 204
    idle_timeout_s = 205
    answer_timeout_s = 206
    pressure_wait_ms = 207
    retry_after_s = 208
    max_pipelined = 209
    trusted_proxies = ["10.0.0.0/8", "::1"]
    [[route]]
    mqtt = "a/+"
    to = "/n/t"
    key = "k{1}"
    attributes = { z = "{topic}", a = "1" }
    topic_values = "refuse"
    partitions = 5
    reliable = false
    order = "topic"
    ack = "received"
    [[route]]
    webhook = "/h/{device}/{rest...}"
    to = "/n/{path.device}-{header.X-Kind}"
    key = "{query.id}{topic}"
    order = "none"
    ack = "delivered"
    """

  @Test("Values reach the configuration")
  func valuesArrive() throws {
    let loaded = try load(Self.everyValue)
    #expect(loaded.gateway.name == "g")
    #expect(loaded.gateway.dataDirectory == "d")
    #expect(loaded.gateway.unrouted == .reject)
    #expect(loaded.gateway.shutdownSeconds == 9)
    #expect(loaded.gateway.logLevel == .debug)
    #expect(loaded.gateway.logFormat == .text)
    #expect(loaded.admin.token?.source == .variable("ADMIN_TOKEN"))
    #expect(
      loaded.danube.target
        == .brokers([HostPort(host: "a", port: 6650), HostPort(host: "::1", port: 7)]))
    #expect(loaded.danube.callDeadlineMilliseconds == 101)
    #expect(loaded.danube.maxInFlight == 102)
    #expect(loaded.danube.backoffMinMilliseconds == 103)
    #expect(loaded.danube.backoffMaxMilliseconds == 104)
    #expect(loaded.danube.connectTimeoutMilliseconds == 105)
    #expect(loaded.broker.address == HostPort(host: "b", port: 1))
    #expect(loaded.broker.newSubscription == .earliest)
    #expect(loaded.broker.retainBytes == 1_000_000)
    #expect(loaded.broker.maxUnacked == 106)
    #expect(loaded.broker.ackTimeoutMilliseconds == 107)
    #expect(loaded.admin.address == HostPort(host: "c", port: 2))
    #expect(loaded.limits.memoryBytes == 9 << 20)
    #expect(loaded.limits.batchLingerMilliseconds == 108)
    #expect(loaded.limits.maxBatchBytes == 4097)
    #expect(loaded.listeners.count == 2)
    let listener = loaded.listeners[0]
    #expect(listener.kind == .mqtt)
    #expect(listener.address == HostPort(host: "d", port: 3))
    #expect(listener.maxConnections == 109)
    #expect(listener.maxPacketBytes == 1025)
    #expect(listener.connectTimeoutSeconds == 110)
    #expect(listener.maxKeepAliveSeconds == 111)
    #expect(listener.receiveMaximum == 112)
    #expect(listener.topicAliasMaximum == 114)
    #expect(listener.maxPauseSeconds == 113)
    let webhooks = loaded.listeners[1]
    #expect(webhooks.kind == .webhook)
    #expect(webhooks.maxConnections == 1000)
    #expect(webhooks.maxBodyBytes == 2001)
    #expect(webhooks.maxHeadBytes == 2002)
    #expect(webhooks.maxHeaderFields == 203)
    #expect(webhooks.requestTimeoutSeconds == 204)
    #expect(webhooks.idleTimeoutSeconds == 205)
    #expect(webhooks.answerTimeoutSeconds == 206)
    #expect(webhooks.pressureWaitMilliseconds == 207)
    #expect(webhooks.retryAfterSeconds == 208)
    #expect(webhooks.maxPipelined == 209)
    #expect(webhooks.trustedProxies.map(\.description) == ["10.0.0.0/8", "::1/128"])
    #expect(webhooks.largestInputBytes == 4003)
    let route = try #require(loaded.routes.first)
    #expect(route.mqtt?.text == "a/+")
    #expect(route.topic.constant == "/n/t")
    #expect(route.key.parts == [.literal([0x6B]), .wildcard(1)])
    #expect(route.attributes.map(\.name) == ["z", "a"])
    #expect(route.attributes[0].value.parts == [.topic])
    #expect(route.topicValues == .refuse)
    #expect(route.partitions == 5)
    #expect(!route.isReliable)
    #expect(route.order == .topic)
    #expect(route.acknowledgement == .received)
    #expect(loaded.limits.maxTopics == 77)
    let hook = loaded.routes[1]
    #expect(hook.mqtt == nil)
    #expect(hook.webhook?.steps == [.literal([0x68]), .any, .rest])
    #expect(hook.webhook?.names == ["device", "rest"])
    #expect(
      hook.topic.parts == [
        .literal(Array("/n/".utf8)), .path("device"), .literal([0x2D]), .header("x-kind"),
      ])
    #expect(hook.key.parts == [.query("id"), .topic])
    #expect(hook.order == .none)
    #expect(hook.acknowledgement == .delivered)
  }

  @Test("The defaults are those of the documentation")
  func defaults() throws {
    let loaded = try load(anyRoute)
    #expect(loaded.gateway.name == "host-1a2b")
    #expect(loaded.gateway.dataDirectory == "data")
    #expect(loaded.gateway.unrouted == .accept)
    #expect(loaded.gateway.shutdownSeconds == 5)
    #expect(loaded.gateway.logLevel == .info)
    #expect(loaded.gateway.logFormat == .auto)
    #expect(loaded.admin.token == nil)
    #expect(loaded.danube.target == .embedded)
    #expect(loaded.danube.callDeadlineMilliseconds == 10_000)
    #expect(loaded.danube.maxInFlight == 1024)
    #expect(loaded.danube.backoffMinMilliseconds == 100)
    #expect(loaded.danube.backoffMaxMilliseconds == 5000)
    #expect(loaded.danube.connectTimeoutMilliseconds == 5000)
    #expect(loaded.broker.address == HostPort(host: "127.0.0.1", port: 6650))
    #expect(loaded.broker.newSubscription == .latest)
    #expect(loaded.broker.retainBytes == 64 << 20)
    #expect(loaded.broker.maxUnacked == 1000)
    #expect(loaded.broker.ackTimeoutMilliseconds == 30_000)
    #expect(loaded.admin.address == HostPort(host: "127.0.0.1", port: 9090))
    #expect(loaded.limits.memoryBytes == 64 << 20)
    #expect(loaded.limits.batchLingerMilliseconds == 5)
    #expect(loaded.limits.maxBatchBytes == 256 << 10)
    #expect(loaded.listeners == [ListenerConfiguration()])
    let listener = ListenerConfiguration()
    #expect(listener.address == HostPort(host: "127.0.0.1", port: 1883))
    #expect(listener.maxConnections == 1000)
    #expect(listener.maxPacketBytes == 1 << 20)
    #expect(listener.connectTimeoutSeconds == 10)
    #expect(listener.maxKeepAliveSeconds == 0)
    #expect(listener.receiveMaximum == 256)
    #expect(listener.topicAliasMaximum == 16)
    #expect(listener.maxPauseSeconds == 60)
    #expect(listener.maxBodyBytes == 1 << 20)
    #expect(listener.maxHeadBytes == 8192)
    #expect(listener.maxHeaderFields == 64)
    #expect(listener.requestTimeoutSeconds == 30)
    #expect(listener.idleTimeoutSeconds == 60)
    #expect(listener.answerTimeoutSeconds == 30)
    #expect(listener.pressureWaitMilliseconds == 1000)
    #expect(listener.retryAfterSeconds == 5)
    #expect(listener.maxPipelined == 32)
    #expect(listener.trustedProxies == [])
    #expect(loaded.routes[0].key.parts == [.clientID])
    #expect(loaded.routes[0].attributes == [])
    #expect(loaded.routes[0].webhook == nil)
    #expect(loaded.routes[0].topicValues == .map)
    #expect(loaded.routes[0].partitions == 0)
    #expect(loaded.routes[0].isReliable)
    #expect(loaded.routes[0].order == .key)
    #expect(loaded.routes[0].acknowledgement == .durable)
    #expect(try RouteConfiguration(webhook: "/a", to: "/d/t").key.parts == [])
    #expect(loaded.limits.maxTopics == 1000)
  }
}
