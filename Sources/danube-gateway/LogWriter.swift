import Bytes
import Gateway
import Glibc
import IOPort
import Logs
import Settings
import Spool
import Uring

/// Writes the log to standard error: text on a terminal and JSON lines otherwise, unless the
/// configuration says what it is. Lines that go to the journal carry their priority.
struct LogWriter: ~Copyable {
  private let gateway: Gateway
  private let drain: LogDrain
  private var ingest: LogSource
  private var delivery: LogSource
  private var own: LogSource
  private var logger: Logger
  private var output = GrowableBytes()
  private var told = 0
  private var level: LogLevel

  /// Bytes that may wait for a reader of the log.
  private static let pendingLimitBytes = 256 << 10
  /// How long main may sleep when nobody rings, milliseconds.
  private static let idleMilliseconds = 10_000
  /// When a reader that takes nothing is tried again, milliseconds.
  private static let blockedMilliseconds = 100

  init(gateway: Gateway) {
    self.gateway = gateway
    let format: LogDrain.Format =
      switch gateway.configuration.gateway.logFormat {
      case .auto: StandardStreams.isErrorTerminal ? .text : .json
      case .text: .text
      case .json: .json
      }
    drain = LogDrain(format: format, marksPriority: Complaint.isInJournal)
    level = gateway.logThreshold.level
    let channel = LogChannel(threshold: gateway.logThreshold, capacity: 64)
    logger = channel.logger
    own = channel.source
    let sources = gateway.takeLogSources()
    ingest = sources.ingest
    delivery = sources.delivery
  }

  mutating func started(_ loaded: LoadedConfiguration, at time: UInt64) {
    let configuration = loaded.configuration
    logger.log(.info, "gateway.starting", at: time, repeats: .all) { fields in
      fields.add("version", GatewayVersion.text)
      fields.add("name", configuration.gateway.name)
    }
    for note in loaded.notes {
      if note.isWarning {
        logger.log(.warning, "config.variable_ignored", at: time, repeats: .all) { fields in
          fields.add("variable", note.variable)
          fields.add("reason", note.reason)
        }
      } else {
        logger.log(.info, "config.variable", at: time, repeats: .all) { fields in
          fields.add("variable", note.variable)
          if case .sets(let key) = note.kind { fields.add("sets", key) }
        }
      }
    }
    if configuration.danube.target == .embedded {
      if configuration.spool.mode == .memory {
        logger.log(
          .warning, "broker.embedded", at: time,
          message: "records are kept in memory: acknowledged ones do not survive a crash")
      } else {
        logger.log(
          .info, "broker.embedded", at: time,
          message: "acknowledged records are on the disk, in the spool")
      }
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

  /// Records are on the disk that nobody gets.
  mutating func unusedSpool(_ left: SpoolLeftovers, folder: String, at time: UInt64) {
    guard left.records > 0 else { return }
    logger.log(
      .warning, "spool.leftovers", at: time, message: SpoolLeftoversText.message(.memory)
    ) { fields in
      fields.add("records", Int(clamping: left.records))
      fields.add("topics", left.lanes)
      fields.add("folder", folder)
    }
  }

  /// Certificates or the token were replaced.
  mutating func securityChanged(at time: UInt64) {
    logger.log(
      .info, "security.changed", at: time,
      message: "certificates or the token changed: new connections use them",
      repeats: .all)
  }

  /// What is in the files now is of no use: what was read before stays.
  mutating func securityProblem(_ problem: SecurityFiles.Problem, at time: UInt64) {
    logger.log(
      .error, "security.unusable", at: time,
      message: "what changed cannot be used; what was read before stays"
    ) { fields in
      fields.add("remedy", problem.remedy)
      fields.add("key", "\(problem.section).\(problem.keys[0])")
      fields.add("error", problem.text)
    }
  }

  mutating func ended(at time: UInt64) {
    logger.log(.info, "gateway.stopped", at: time, repeats: .all)
    _ = write(at: time)
  }

  /// Writes what there is to say, and tells how long main may sleep, milliseconds: a loop that has
  /// something to say rings main before that.
  mutating func write(at time: UInt64) -> Int {
    noteListening(at: time)
    noteLevel(at: time)
    logger.advance(to: time)
    // A reader that does not keep up makes lines wait in the rings, where those without room are
    // counted. Main has more to do than to wait for it.
    if output.count < Self.pendingLimitBytes {
      _ = drain.drain(&own, into: &output, at: time)
      _ = drain.drain(&ingest, into: &output, at: time)
      _ = drain.drain(&delivery, into: &output, at: time)
    }
    let taken = StandardStreams.writeStandardErrorIfReady(output.bytes)
    output.removeFirst(taken)
    guard output.isEmpty else { return Self.blockedMilliseconds }
    output.removeAll(keepingCapacityUpTo: 64 << 10)
    let ingestIsQuiet = ingest.prepareToSleep()
    return delivery.prepareToSleep() && ingestIsQuiet ? Self.idleMilliseconds : 0
  }

  private mutating func noteListening(at time: UInt64) {
    let listening = gateway.control.listening
    while told < listening.count {
      let item = listening[told]
      told += 1
      logger.log(.info, "listening", at: time, repeats: .all) { fields in
        fields.add("what", item.purpose)
        fields.add("address", item.address.description)
      }
    }
  }

  /// Whoever reads the log learns why it got silent, or loud.
  private mutating func noteLevel(at time: UInt64) {
    let new = gateway.logThreshold.level
    guard new != level else { return }
    let old = level
    level = new
    logger.log(max(.info, new), "log.level_changed", at: time, repeats: .all) { fields in
      fields.add("from", "\(old.word)")
      fields.add("to", "\(new.word)")
    }
  }
}
