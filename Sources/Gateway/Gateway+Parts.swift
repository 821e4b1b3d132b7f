import Delivery
import DanubeUplink
import IOPort
import Ingest
import LocalBroker
public import Logs
import Records
import Rings
import Settings
import Spool

// Making the loops' parts, each once.
extension Gateway {
  /// The ends that the ingest loop holds.
  struct IngestEnds: ~Copyable {
    var batches: RingProducer<BatchHandover>
    var progress: RingConsumer<Progress>
    var logger: Logger
  }

  /// The ends that the delivery loop holds.
  struct DeliveryEnds: ~Copyable {
    var batches: RingConsumer<BatchHandover>
    var progress: RingProducer<Progress>
    var logger: Logger
  }

  func takeIngestEnds() -> IngestEnds {
    takeEnds { ends in
      guard let batches = ends.batchProducer.take(), let progress = ends.progressConsumer.take(),
        let logger = ends.ingestLogger.take()
      else { preconditionFailure("a gateway has one ingest loop") }
      return IngestEnds(batches: batches, progress: progress, logger: logger)
    }
  }

  func takeDeliveryEnds() -> DeliveryEnds {
    takeEnds { ends in
      guard let batches = ends.batchConsumer.take(), let progress = ends.progressProducer.take(),
        let logger = ends.deliveryLogger.take()
      else { preconditionFailure("a gateway has one delivery loop") }
      return DeliveryEnds(batches: batches, progress: progress, logger: logger)
    }
  }

  func makeIngest(owner: UInt8) -> Ingest {
    var limits = IngestLimits(configuration: configuration)
    limits.connections = max(1, min(limits.connections, connectionLimit))
    return Ingest(
      owner: owner, configuration: configuration, limits: limits, store: store, lanes: lanes,
      metrics: ingestMetrics, unroutedTopics: unroutedTopics, seed: seed &+ 1)
  }

  /// Whether records may go to the disk.
  var usesSpool: Bool { Self.usesSpool(configuration) }

  /// Whether records may go to the disk.
  static func usesSpool(_ configuration: GatewayConfiguration) -> Bool {
    configuration.spool.mode != .memory
  }

  /// Whether records go from the disk to a broker elsewhere; the embedded one has them there.
  static func replays(_ configuration: GatewayConfiguration) -> Bool {
    usesSpool(configuration) && configuration.danube.target != .embedded
  }

  /// The folder of the spool.
  var spoolDirectory: String { configuration.gateway.dataDirectory + "/spool" }

  func makeSpool(
    directory: Descriptor, files: [(name: FileName, bytes: UInt64)]
  ) -> Spool {
    Spool(
      owner: LoopOwner.spool,
      limits: configuration.danube.target == .embedded ? brokerSpoolLimits : uplinkSpoolLimits,
      directory: directory, files: files, seed: seed &+ 3)
  }

  private var uplinkSpoolLimits: SpoolLimits {
    let settings = configuration.spool
    // Space comes back a segment at a time, and never that of the one at hand: with fewer than some
    // a full spool would stay full.
    let segmentBytes = min(settings.segmentBytes, settings.maxBytes / 8) / 512 * 512
    var limits = SpoolLimits(
      log: logLimits(segmentBytes: segmentBytes, maximumBytes: settings.maxBytes),
      maximumBytes: UInt64(settings.maxBytes),
      maximumAgeMilliseconds: UInt64(settings.maxAgeSeconds) * 1_000,
      blockBytes: min(256 << 10, segmentBytes / 4),
      largestBytes: largestBytes(of: settings.maxBytes),
      commitMilliseconds: settings.commitMilliseconds,
      overflow: settings.overflow == .dropOldest ? .dropOldest : .reject,
      quarantineBytes: UInt64(settings.quarantineMaxBytes))
    limits.reservesForHigh = configuration.routes.contains { $0.priority == .high }
    return limits
  }

  /// The embedded broker keeps what its limit allows, and drops the oldest. Space comes back a file
  /// at a time, so that files are small against the limit.
  private var brokerSpoolLimits: SpoolLimits {
    let settings = configuration.spool
    let retained = configuration.broker.retainBytes
    let segmentBytes = max(min(settings.segmentBytes, retained / 16), 16_384) / 512 * 512
    return SpoolLimits(
      log: logLimits(segmentBytes: segmentBytes, maximumBytes: retained),
      maximumBytes: UInt64(retained),
      maximumAgeMilliseconds: UInt64(configuration.broker.retainAgeSeconds) * 1_000,
      blockBytes: min(256 << 10, segmentBytes / 4),
      largestBytes: min(max(largestBytes(of: retained), 4 << 20), retained / 4),
      commitMilliseconds: settings.commitMilliseconds, overflow: .dropOldest)
  }

  /// What waits for the disk is little against a limit, or it would push out what is there.
  private func logLimits(segmentBytes: Int, maximumBytes: Int) -> LogLimits {
    var limits = LogLimits(segmentBytes: UInt32(segmentBytes))
    limits.queuedBytes = min(limits.queuedBytes, maximumBytes / 16)
    return limits
  }

  /// Bytes of the most that comes at once, which a configuration allows to be a quarter of a limit.
  private func largestBytes(of limit: Int) -> Int {
    let largest = configuration.listeners.map(\.largestInputBytes).max() ?? 0
    return min(max(largest, Self.batchBytes(configuration)), limit / 4)
  }

  /// Bytes of a batch, which finds room in the spool as a whole: large ones would leave much of a
  /// small limit unused.
  static func batchBytes(_ configuration: GatewayConfiguration) -> Int {
    let batchBytes = configuration.limits.maxBatchBytes
    guard usesSpool(configuration) else { return batchBytes }
    let isEmbedded = configuration.danube.target == .embedded
    let limit = isEmbedded ? configuration.broker.retainBytes : configuration.spool.maxBytes
    let segmentBytes = min(configuration.spool.segmentBytes, limit / (isEmbedded ? 16 : 8))
    return min(batchBytes, max(segmentBytes / 2, 4_096))
  }

  func makeDelivery(owner: UInt8, spool: consuming Spool?) -> Delivery {
    switch configuration.danube.target {
    case .embedded:
      // Without a verifier the broker would let everybody in.
      precondition(
        configuration.broker.authentication == .none || security.initial.brokerTokens != nil)
      let broker = LocalBroker(
        owner: owner, limits: LocalBrokerLimits(lanes: lanes.capacity),
        configuration: LocalBrokerConfiguration(configuration), metrics: brokerMetrics,
        seed: seed &+ 2, spool: spool, tls: security.initial.broker,
        tokens: security.initial.brokerTokens)
      return Delivery(store: store, lanes: lanes, broker: broker, metrics: deliveryMetrics)
    case .brokers(let hosts):
      let name = Array(configuration.gateway.name.utf8)
      let uplink = DanubeUplink(
        owner: owner, limits: UplinkLimits(configuration),
        seeds: hosts.map(ResolvedHost.init(_:)), security: security.initial.uplink, store: store,
        metrics: uplinkMetrics, seed: seed &+ 2,
        gatewayName: configuration.danube.path == .produce ? [] : name)
      let policies = TopicPolicies(configuration)
      return Delivery(
        store: store, lanes: lanes, uplink: uplink, spool: spool,
        limits: DeliveryLimits(
          spoolsAlways: configuration.spool.mode == .always,
          spillAfterMilliseconds: configuration.spool.spillAfterMilliseconds,
          drainRecordsPerSecond: configuration.spool.drainMaxRecordsPerSecond,
          drainBytesPerSecond: configuration.spool.drainMaxBytesPerSecond),
        metrics: deliveryMetrics,
        describe: { topic, isReliable in
          LaneDescription(
            topic: topic,
            producerName: LaneDescription.producerName(of: topic, gatewayName: name),
            isReliable: isReliable, policy: policies.policy(of: topic))
        })
    }
  }
}

extension ResolvedHost {
  /// A configured broker. An address is known at once, a name is resolved by the main thread.
  init(_ url: BrokerURL) {
    let host = url.address
    let name = host.host == "localhost" ? "127.0.0.1" : host.host
    self.init(
      host: host.host, port: host.port,
      addresses: SocketAddress(host: name, port: host.port).map { [$0] } ?? [],
      usesTLS: url.usesTLS)
  }
}

extension UplinkLimits {
  /// A topic that only a person can help is tried so much less often than one that a broker may
  /// take again by itself.
  private static var blockedFactor: Int { 6 }

  init(_ configuration: GatewayConfiguration) {
    self.init(
      maximumCallsInFlight: configuration.danube.maxInFlight,
      callDeadlineMilliseconds: configuration.danube.callDeadlineMilliseconds,
      connectTimeoutMilliseconds: configuration.danube.connectTimeoutMilliseconds,
      backoffMinimumMilliseconds: configuration.danube.backoffMinMilliseconds,
      backoffMaximumMilliseconds: configuration.danube.backoffMaxMilliseconds,
      blockedMilliseconds: Self.blockedFactor * configuration.danube.backoffMaxMilliseconds)
  }
}

extension LocalBrokerConfiguration {
  /// The newest records stay in memory besides, up to so many bytes: consumers that keep up are not
  /// served from the disk.
  private static var cacheBytes: Int { 4 << 20 }

  init(_ configuration: GatewayConfiguration) {
    let retained = configuration.broker.retainBytes
    self.init(
      namespaces: configuration.broker.namespaces.map { Array($0.utf8) },
      newSubscription: configuration.broker.newSubscription == .latest ? .latest : .earliest,
      retainBytes: Gateway.usesSpool(configuration) ? min(retained, Self.cacheBytes) : retained,
      maximumUnacknowledged: configuration.broker.maxUnacked,
      ackTimeoutMilliseconds: configuration.broker.ackTimeoutMilliseconds)
  }
}

/// The log lines of the two loops, for the thread that writes them.
@frozen
public struct LogSources: ~Copyable {
  /// Lines of the ingest loop.
  public var ingest: LogSource
  /// Lines of the delivery loop.
  public var delivery: LogSource
}

extension Gateway {
  /// The log lines of the loops; to be taken once.
  public func takeLogSources() -> LogSources {
    takeEnds { ends in
      guard let ingest = ends.ingestLog.take(), let delivery = ends.deliveryLog.take() else {
        preconditionFailure("a gateway has one writer of its log")
      }
      return LogSources(ingest: ingest, delivery: delivery)
    }
  }
}
