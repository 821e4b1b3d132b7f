/// How a gateway under test is configured.
struct GatewaySetup {
  /// Where records go.
  enum Broker {
    case embedded
    /// A broker at a port of 127.0.0.1.
    case port(UInt16)
  }

  /// A value of `[spool] mode`.
  enum Spool: String {
    case memory
    case spill
    case always
  }

  var broker = Broker.embedded
  var spool = Spool.spill
  /// `[danube] path`.
  var path = "auto"
  /// `[danube] backoff_max_ms`.
  var backoffMilliseconds = 5_000
  /// The authority of a broker elsewhere that is spoken to through TLS.
  var authorityFile: String?
  /// The certificate of the embedded broker, where it speaks TLS.
  var brokerCertificate: Certificates?
  /// The topic of what devices publish.
  var topic = "/default/bench"
  /// The topic of webhooks.
  var webhookTopic = "/default/bench"
  /// Connections that each listener takes.
  var connections = 1_000
  /// `[limits] memory`, bytes.
  var memoryBytes = 64 << 20
  /// Counts the process's calls to the C heap. It is a little slower then.
  var countsHeapCalls = false

  /// The configuration file. What consumers have not got is given up soon: none are there.
  func text(name: String, folder: String, ports: GatewayPorts) -> String {
    let url =
      switch broker {
      case .embedded: "embedded"
      case .port(let port):
        "\(authorityFile == nil ? "http" : "https")://127.0.0.1:\(port)"
      }
    let authority = authorityFile.map { "ca_file = \"\($0)\"\n" } ?? ""
    let certificate =
      brokerCertificate.map {
        "certificate_file = \"\($0.certificate)\"\nkey_file = \"\($0.key)\"\n"
      } ?? ""
    return """
      [gateway]
      name = "\(name)"
      data_dir = "\(folder)/data"
      unrouted = "reject"
      [danube]
      url = "\(url)"
      path = "\(path)"
      backoff_max_ms = \(backoffMilliseconds)
      \(authority)
      [broker]
      address = "127.0.0.1:\(ports.broker)"
      retain_bytes = "64MiB"
      \(certificate)
      [spool]
      mode = "\(spool.rawValue)"
      max_bytes = "8GiB"
      drain_max_records_per_s = 100000000
      [admin]
      address = "127.0.0.1:\(ports.admin)"
      [limits]
      memory = \(memoryBytes)
      [[listen]]
      address = "127.0.0.1:\(ports.mqtt)"
      max_connections = \(connections)
      receive_maximum = 65535
      [[listen]]
      kind = "webhook"
      address = "127.0.0.1:\(ports.webhook)"
      max_connections = \(connections)
      [[route]]
      mqtt = "bench/#"
      to = "\(topic)"
      [[route]]
      webhook = "/bench"
      to = "\(webhookTopic)"
      key = "{header.x-client}"

      """
  }
}

/// The ports of a gateway, which were free a moment ago.
struct GatewayPorts {
  let mqtt: UInt16
  let webhook: UInt16
  let admin: UInt16
  let broker: UInt16
}
