import Settings
import Testing

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
    record_ids = false
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
    retain_bytes = "8MB"
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
    #expect(!loaded.gateway.hasRecordIDs)
    #expect(loaded.gateway.shutdownSeconds == 9)
    #expect(loaded.gateway.logLevel == .debug)
    #expect(loaded.gateway.logFormat == .text)
    #expect(loaded.admin.token?.source == .variable("ADMIN_TOKEN"))
    #expect(
      loaded.danube.target
        == .brokers([BrokerURL(host: "a", port: 6650), BrokerURL(host: "::1", port: 7)]))
    #expect(loaded.danube.callDeadlineMilliseconds == 101)
    #expect(loaded.danube.maxInFlight == 102)
    #expect(loaded.danube.backoffMinMilliseconds == 103)
    #expect(loaded.danube.backoffMaxMilliseconds == 104)
    #expect(loaded.danube.connectTimeoutMilliseconds == 105)
    #expect(loaded.broker.address == HostPort(host: "b", port: 1))
    #expect(loaded.broker.newSubscription == .earliest)
    #expect(loaded.broker.retainBytes == 8_000_000)
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
    #expect(loaded.limits.maxTopics == 77)
  }

  @Test("Values of routes reach the configuration")
  func routeValuesArrive() throws {
    let loaded = try load(Self.everyValue)
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
    #expect(loaded.gateway.hasRecordIDs)
    #expect(loaded.spool.quarantineMaxBytes == 16 << 20)
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
    #expect(loaded.broker.retainBytes == 256 << 20)
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
