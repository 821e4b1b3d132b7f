import Bytes
import Gateway
import Glibc
import IOPort
import Logs
import Settings
import Uring

/// Writes the log to standard error: text on a terminal, JSON lines otherwise.
struct LogWriter: ~Copyable {
  private let gateway: Gateway
  private let drain: LogDrain
  private var ingest: LogSource
  private var delivery: LogSource
  private var own: LogSource
  private var logger: Logger
  private var output = GrowableBytes()
  private var told = 0

  /// Bytes that may wait for a reader of the log.
  private static let pendingLimitBytes = 256 << 10

  init(gateway: Gateway) {
    self.gateway = gateway
    drain = LogDrain(format: isatty(2) == 1 ? .text : .json)
    let channel = LogChannel(threshold: gateway.logThreshold, capacity: 64)
    logger = channel.logger
    own = channel.source
    let sources = gateway.takeLogSources()
    ingest = sources.ingest
    delivery = sources.delivery
  }

  mutating func started(_ configuration: GatewayConfiguration, at time: UInt64) {
    logger.log(.info, "gateway.starting", at: time, repeats: .all) { fields in
      fields.add("version", GatewayVersion.text)
      fields.add("name", configuration.gateway.name)
    }
    if configuration.danube.target == .embedded {
      logger.log(
        .warning, "broker.embedded", at: time,
        message: "records are kept in memory: acknowledged ones do not survive a crash yet")
    }
  }

  mutating func tooFewDescriptors(_ limit: Int, wanted: Int, at time: UInt64) {
    let needed = wanted + Gateway.reservedDescriptors
    logger.log(
      .warning, "limits.descriptors", at: time,
      message: "fewer devices than max_connections can connect: raise LimitNOFILE (ulimit -n)"
    ) { fields in
      fields.add("limit", limit)
      fields.add("needed", needed)
    }
  }

  mutating func ended(at time: UInt64) {
    logger.log(.info, "gateway.stopped", at: time, repeats: .all)
    _ = write(at: time)
  }

  /// Writes what the loops have to say; false when there is more already. After true, a loop with
  /// something to say rings main.
  mutating func write(at time: UInt64) -> Bool {
    let listening = gateway.control.listening
    while told < listening.count {
      let item = listening[told]
      told += 1
      logger.log(.info, "listening", at: time, repeats: .all) { fields in
        fields.add("what", item.purpose)
        fields.add("address", item.address.description)
      }
    }
    _ = drain.drain(&own, into: &output, at: time)
    _ = drain.drain(&ingest, into: &output, at: time)
    _ = drain.drain(&delivery, into: &output, at: time)
    // Main has more to do than to wait for a reader of its log: what finds no room is lost.
    let taken = StandardStreams.writeStandardErrorIfReady(output.bytes)
    output.removeFirst(taken)
    if output.count > Self.pendingLimitBytes { output.removeAll(keepingCapacityUpTo: 0) }
    if output.isEmpty { output.removeAll(keepingCapacityUpTo: 64 << 10) }
    let ingestIsQuiet = ingest.prepareToSleep()
    return delivery.prepareToSleep() && ingestIsQuiet
  }
}
