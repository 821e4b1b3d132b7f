import Bytes
import DanubeConsumer
import DanubeProtocol
import Gateway
import Glibc
import IOPort
import Settings
import TLS
import Uring

/// `danube-gateway tail`: prints the records of a topic until it is interrupted.
enum TailCommand {
  static func run(_ options: TailOptions) -> Int32 {
    guard TopicName.isValid(Array(options.topic.utf8)) else {
      StandardStreams.writeStandardError(
        "danube-gateway: \(options.topic) is not a Danube topic; "
          + "it is /namespace/name, of letters, digits, - and _\n")
      return ExitCode.usage
    }
    guard let broker = broker(options.url) else {
      StandardStreams.writeStandardError(
        "danube-gateway: \(options.url) is not the URL of a broker, such as http://127.0.0.1:6650\n"
      )
      return ExitCode.usage
    }
    let security: ClientSecurity
    do throws(SecurityFiles.Problem) {
      security = try Self.security(options, broker)
    } catch {
      StandardStreams.writeStandardError("danube-gateway: \(error.text). \(error.remedy)\n")
      return ExitCode.usage
    }
    SignalDescriptor.blockSignals()
    do throws(UringError) {
      var limits = UringLimits()
      limits.submissionEntries = 64
      var port = try Uring(limits: limits)
      do throws(IOError) {
        try port.watchSignals(token: TailLoop<Uring>.stopToken)
      } catch {
        StandardStreams.writeStandardError(
          "danube-gateway: cannot watch for signals (error \(error.code))\n")
        return ExitCode.unavailable
      }
      return follow(port, options, broker, security)
    } catch {
      StandardStreams.writeStandardError("danube-gateway: \(error.description)\n")
      return ExitCode.unavailable
    }
  }

  private static func follow(
    _ port: consuming Uring, _ options: TailOptions, _ broker: BrokerURL,
    _ security: ClientSecurity
  ) -> Int32 {
    // Without a name from the user it is this run's own, so that two people who look on do not take
    // records from each other. A named one is shared: a later run, or another process, goes on with
    // it.
    let name = "tail-\(MachineIdentity.hostName)-\(getpid())"
    let subscription = options.subscription.isEmpty ? name : options.subscription
    let seed = ResolvedHost(
      host: broker.address.host, port: broker.address.port,
      addresses: addresses(of: broker.address.host, port: broker.address.port),
      usesTLS: broker.usesTLS)
    var loop = TailLoop(
      port: port,
      options: TailLoopOptions(
        topic: options.topic, subscription: subscription, consumerName: name,
        subscriptionType: options.subscription.isEmpty ? .exclusive : .shared, seeds: [seed],
        format: options.printsJSON ? .json : .text, recordLimit: options.count, security: security,
        seed: UInt64.random(in: 0 ... .max)))
    while !loop.isFinished {
      loop.turn()
      for notice in loop.takeNotices() {
        StandardStreams.writeStandardError("danube-gateway tail: \(notice)\n")
      }
      if !write(loop.takeOutput()) { return 0 }
      for host in loop.hostsToResolve {
        loop.resolved(host, addresses: addresses(of: host.name, port: host.port))
      }
    }
    return 0
  }

  /// Writes to the standard output; false when nobody reads it any more.
  private static func write(_ output: borrowing GrowableBytes) -> Bool {
    if output.isEmpty { return true }
    return unsafe output.bytes.withUnsafeBytes { bytes in
      unsafe StandardStreams.writeStandardOutput(Array(bytes))
    }
  }

  private static func broker(_ url: String) -> BrokerURL? {
    do throws(SettingsProblem) {
      return try BrokerURL(parsing: url)
    } catch {
      return nil
    }
  }

  /// How the broker is trusted and what it is shown, as of a gateway that is configured so.
  private static func security(
    _ options: TailOptions, _ broker: BrokerURL
  ) throws(SecurityFiles.Problem) -> ClientSecurity {
    var configuration = GatewayConfiguration()
    configuration.danube.target = .brokers([broker])
    configuration.danube.authorities = options.authorityFile.map { .file($0) }
    configuration.danube.certificate = options.certificateFile.map { .file($0) }
    configuration.danube.key = options.keyFile.map { .file($0) }
    configuration.danube.token = options.tokenFile.map { Secret(source: .file($0)) }
    if !broker.usesTLS, options.tokenFile != nil {
      throw SecurityFiles.Problem(
        section: "danube", keys: ["token_file"],
        text: "\(broker) has no TLS: everybody on the way would read the token",
        remedy: "Use a URL with https://.")
    }
    return try SecurityFiles(configuration).security.uplink
  }

  private static func addresses(of host: String, port: UInt16) -> [SocketAddress] {
    do throws(HostResolver.Failure) {
      return try HostResolver.resolve(host: host, port: port)
    } catch {
      return []
    }
  }
}
