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
    case "broker" where key == "retain_bytes", "spool" where key == "max_bytes":
      "[\(section)]\n\(key) = \(value)\n"
        + (section == "spool" ? "[danube]\nurl = \"http://h:6650\"\n" : "")
        + "[[listen]]\nmax_packet = 1024\n\(anyRoute)"
    case "broker" where key == "auth":
      "[broker]\n\(key) = \(value)\n"
        + (value == "\"none\"" ? "" : "jwt_secret_env = \"S\"\n") + anyRoute
    case "danube", "broker":
      "[\(section)]\n\(key) = \(value)\n\(companions[key] ?? "")\(anyRoute)"
    default: "[\(section)]\n\(key) = \(value)\n\(anyRoute)"
    }
  }
}

/// What keys need beside them.
private let companions = [
  "certificate_file": "key_file = \"k\"\n", "key_file": "certificate_file = \"c\"\n",
  "jwt_secret_file": "auth = \"jwt\"\n", "jwt_secret_env": "auth = \"jwt\"\n",
  "client_ca_file": "certificate_file = \"c\"\nkey_file = \"k\"\n",
]

private func places(_ section: String, _ key: String) -> KeyCase {
  KeyCase(
    section, key, good: ["\"/etc/a b\"", "\"credential:a.b-c_d\""],
    bad: notStrings + ["\"\"", "\"credential:\"", "\"credential:a/b\"", "\"credential:..\""])
}

private func variables(_ section: String, _ key: String) -> KeyCase {
  KeyCase(
    section, key, good: ["\"A\"", "\"_a1\""],
    bad: notStrings + ["\"\"", "\"1A\"", "\"a-b\"", "\"a b\"", "\"é\""])
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
  KeyCase("gateway", "record_ids", good: ["true", "false"], bad: ["1", "\"true\""]),
  integers("gateway", "shutdown_s", 1...300),
  words("gateway", "log_level", ["error", "warning", "info", "debug"]),
  words("gateway", "log_format", ["auto", "text", "json"]),
  KeyCase(
    "danube", "url",
    good: [
      "\"embedded\"", "\"http://10.0.0.1:6650\"", "\"http://broker\"", "\"http://broker/\"",
      "\"HTTP://[::1]:1\"", "[\"http://a\", \"http://b:2\"]", "[\"http://a\"]",
      "\"https://a\"", "\"HTTPS://[::1]:1/\"", "[\"https://a\", \"http://b:2\"]",
    ],
    bad: [
      "1", "true", "{}", "[]", "\"\"", "\"Embedded\"", "\"https://\"", "\"http://\"",
      "\"http://a:0\"", "\"http://a:x\"", "\"http://a/b\"", "\"http://a?b\"", "\"http://u@a\"",
      "\"a:6650\"", "\"tcp://a\"", "[\"embedded\"]", "[\"http://a\", 1]", "[[\"http://a\"]]",
    ]),
  KeyCase("danube", "path", good: ["\"auto\"", "\"produce\""], bad: ["\"both\"", "1"]),
  KeyCase("route", "no_live_consumers", good: ["true", "false"], bad: ["1", "\"true\""]),
  KeyCase("route", "sole_writer", good: ["true", "false"], bad: ["1", "\"true\""]),
  integers("danube", "call_deadline_ms", 100...600_000),
  integers("danube", "max_in_flight", 1...65_536),
  KeyCase("danube", "backoff_min_ms", good: ["1", "5000"], bad: notIntegers + ["0", "5001"]),
  KeyCase(
    "danube", "backoff_max_ms", good: ["100", "600000"], bad: notIntegers + ["99", "600001"]),
  integers("danube", "connect_timeout_ms", 10...600_000),
  places("danube", "ca_file"),
  places("danube", "certificate_file"),
  places("danube", "key_file"),
  KeyCase(
    "danube", "tls_server_name",
    good: ["\"a\"", "\"broker.example\"", "\"10.0.0.1\"", "\"::1\""],
    bad: notStrings + ["\"\"", "\"a:1\"", "\"[::1]\"", "\"a b\"", "\"https://a\"", "\"*\""]),
  places("danube", "token_file"),
  variables("danube", "token_env"),
  KeyCase(
    "danube", "allow_plaintext_token", good: ["true", "false"], bad: ["1", "\"true\"", "[]"]),
  addresses("broker"),
  KeyCase(
    "broker", "namespaces", good: ["\"plant-7\"", "[\"plant\", \"a_b\"]"],
    bad: ["[]", "1", "\"a/b\"", "\"\"", "[\"a\", 1]"]),
  words("broker", "new_subscription", ["latest", "earliest"]),
  sizes(
    "broker", "retain_bytes", good: ["65536", "\"64KiB\"", "\"1 GiB\"", "\"100kB\"", "\"1GB\""],
    bad: ["65535", "\"63KiB\"", "\"1025GiB\""]),
  integers("broker", "retain_age_s", 0...315_360_000),
  integers("broker", "max_unacked", 10...10_000),
  integers("broker", "ack_timeout_ms", 100...86_400_000),
  places("broker", "certificate_file"),
  places("broker", "key_file"),
  places("broker", "client_ca_file"),
  KeyCase("broker", "auth", good: ["\"none\"", "\"jwt\""], bad: notStrings + ["\"JWT\"", "\"\""]),
  places("broker", "jwt_secret_file"),
  variables("broker", "jwt_secret_env"),
  words("spool", "mode", ["spill", "always", "memory"]),
  sizes(
    "spool", "max_bytes", good: ["1048576", "\"1MiB\"", "\"16GiB\""],
    bad: ["1048575", "\"1023KiB\"", "\"16385GiB\""]),
  integers("spool", "max_age_s", 0...315_360_000),
  sizes(
    "spool", "quarantine_max_bytes", good: ["65536", "\"64KiB\"", "\"1GiB\""],
    bad: ["65535", "\"63KiB\"", "\"1025GiB\""]),
  words("spool", "overflow", ["reject", "drop_oldest", "drop_newest"]),
  sizes(
    "spool", "segment_bytes", good: ["65536", "\"64KiB\"", "\"1GiB\""],
    bad: ["65535", "\"63KiB\"", "\"1025MiB\""]),
  integers("spool", "commit_ms", 0...1_000),
  integers("spool", "spill_after_ms", 1...3_600_000),
  integers("spool", "drain_max_records_per_s", 1...100_000_000),
  integers("spool", "drain_max_bytes_per_s", 0...(1 << 40)),
  addresses("admin"),
  places("admin", "token_file"),
  variables("admin", "token_env"),
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
    "route", "to",
    good: [
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
      "\"/{...}\"", "\"/{x}/{x}\"", "\"/a*\"", "\"/{x.y}\"", "\"/{\"", "\"/a b\"", "\"/é\"",
      "\"/a?b\"",
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
  words("route", "ack", ["durable", "disk", "delivered", "received"]),
  words("route", "priority", ["low", "normal", "high"]),
  KeyCase(
    "route", "spool_max_bytes", good: ["0", "1", "\"64MiB\""],
    bad: ["1.5", "true", "[]", "-1", "\"\"", "\"16385GiB\""]),
  integers("route", "spool_max_age_s", 0...315_360_000),
  sizes(
    "limits", "memory", good: ["1048576", "\"1MiB\"", "\"2GiB\""], bad: ["1048575", "\"1023KiB\""]),
  integers("limits", "batch_linger_ms", 0...1000),
  sizes(
    "limits", "max_batch", good: ["4096", "\"4KiB\"", "\"4032KiB\""], bad: ["4095", "\"4MiB\""]),
  integers("limits", "max_topics", 1...65_536),
]
