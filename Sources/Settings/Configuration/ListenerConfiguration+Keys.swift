// The keys that only one kind of listener has.
extension ListenerConfiguration {
  private static let isMQTT = "kind = \"mqtt\""
  private static let isWebhook = "kind = \"webhook\""

  static let mqttKeys: [ConfigurationKey<ListenerConfiguration>] = [
    .init(
      "max_packet", .byteSize(1024...maxPacketLimitBytes), default: "\"1MiB\"", onlyWith: isMQTT,
      "The largest MQTT packet accepted; MQTT 5 devices are told."
    ) { $0.maxPacketBytes = $1 },
    .init(
      "connect_timeout_s", .seconds(1...3600), default: "10", onlyWith: isMQTT,
      "How long a new connection may take until its CONNECT is complete."
    ) { $0.connectTimeoutSeconds = $1 },
    .init(
      "max_keep_alive_s", .seconds(0...65_535), default: "0", onlyWith: isMQTT,
      """
      The longest keep alive granted; MQTT 5 devices are told. 0: as the client asks, and none when
      it asks for none.
      """
    ) { $0.maxKeepAliveSeconds = $1 },
    .init(
      "receive_maximum", .integer(1...65_535, of: "messages"), default: "256", onlyWith: isMQTT,
      """
      How many QoS 1 messages a device may have sent without their PUBACK; MQTT 5 devices are told.
      """
    ) { $0.receiveMaximum = $1 },
    .init(
      "topic_alias_max", .integer(0...1024, of: "aliases"), default: "16", onlyWith: isMQTT,
      "How many topic aliases an MQTT 5 device may use on a connection; it is told. 0: none."
    ) { $0.topicAliasMaximum = $1 },
    .init(
      "max_pause_s", .seconds(1...86_400), default: "60", onlyWith: isMQTT,
      """
      How long the gateway may stop reading from a device because records cannot go on, before it
      closes the connection (MQTT 5: reason 0x97).
      """
    ) { $0.maxPauseSeconds = $1 },
  ]

  static let webhookKeys: [ConfigurationKey<ListenerConfiguration>] = [
    .init(
      "max_body", .byteSize(1024...maxBodyLimitBytes), default: "\"1MiB\"", onlyWith: isWebhook,
      "The largest body of a request; larger ones are answered 413."
    ) { $0.maxBodyBytes = $1 },
    .init(
      "max_head", .byteSize(1024...(63 << 10)), default: "\"8KiB\"", onlyWith: isWebhook,
      "The largest head of a request: request line and header. Larger ones are answered 431 or 414."
    ) { $0.maxHeadBytes = $1 },
    .init(
      "max_header_fields", .integer(1...1000, of: "fields"), default: "64", onlyWith: isWebhook,
      "How many fields the header of a request may have; above that it is answered 431."
    ) { $0.maxHeaderFields = $1 },
    .init(
      "request_timeout_s", .seconds(1...3600), default: "30", onlyWith: isWebhook,
      """
      How long a request may take from its first byte to its last; then it is answered 408. Time in
      which the gateway does not read does not count.
      """
    ) { $0.requestTimeoutSeconds = $1 },
    .init(
      "idle_timeout_s", .seconds(1...3600), default: "60", onlyWith: isWebhook,
      "How long a connection may stay without a request before it is closed."
    ) { $0.idleTimeoutSeconds = $1 },
    .init(
      "answer_timeout_s", .seconds(0...3600), default: "30", onlyWith: isWebhook,
      """
      How long a request may wait until its record is safe, before it is answered 504. The record
      goes on: a client that sends it again may send it twice. 0: as long as the client waits.
      """
    ) { $0.answerTimeoutSeconds = $1 },
    .init(
      "pressure_wait_ms", .milliseconds(0...60_000), default: "1000", onlyWith: isWebhook,
      "How long a request waits for memory that is used up, before it is answered 503."
    ) { $0.pressureWaitMilliseconds = $1 },
    .init(
      "retry_after_s", .seconds(1...86_400), default: "5", onlyWith: isWebhook,
      "The Retry-After of an answer 503."
    ) { $0.retryAfterSeconds = $1 },
    .init(
      "max_pipelined", .integer(1...1024, of: "requests"), default: "32", onlyWith: isWebhook,
      """
      How many requests of one connection may wait for their answer; the next is not read before
      the first is answered.
      """
    ) { $0.maxPipelined = $1 },
    .init(
      "trusted_proxies", .list(of: .addressPrefix), computedDefault: "none",
      sample: "\"127.0.0.1\"", onlyWith: isWebhook,
      """
      Proxies whose X-Forwarded-For says where a request comes from. Of anybody else it is not
      believed: the attribute webhook.ip is then the address of the peer.
      """
    ) { $0.trustedProxies = $1 },
  ]
}
