/// What all runs have in common, whatever their devices speak: the workload, the running count, the
/// manifest and the verdict at the end.
struct RunLedger: ~Copyable {
  /// Complaints beyond this many different ones are not printed.
  private static let complaintLimit = 10
  private static let progressIntervalNanoseconds: UInt64 = 1_000_000_000

  let options: RunOptions
  private(set) var workload: Workload
  private let report: Report
  private let names: [String]
  private let listsAcknowledged: Bool
  private var manifest: OutputFile
  private var start: UInt64 = 0
  private var lastAnswer: UInt64 = 0
  private var lastProgress: UInt64 = 0
  private var lastTally = Tally()
  private var complaints: Set<String> = []

  /// A run that has not begun; makes the manifest's file.
  init(_ options: RunOptions, title: String) throws(DeviceError) {
    self.options = options
    workload = Workload(options.workload, start: 0)
    let isAnswered = options.qos > 0
    report = Report(title: title, devices: options.workload.devices, isAnswered: isAnswered)
    names = (0..<options.workload.devices).map { options.name(of: $0) }
    listsAcknowledged = options.manifest != nil && isAnswered
    manifest = try OutputFile(options.manifest ?? "-")
  }

  /// The first message is due now.
  mutating func begin(at now: UInt64) {
    workload = Workload(options.workload, start: now)
    (start, lastAnswer, lastProgress) = (now, now, now)
  }

  /// Makes what is due and prints the running count once a second; false when the run is over.
  mutating func goOn(at now: UInt64) -> Bool {
    workload.advance(to: now)
    if Process.shouldStop { workload.stop() }
    if now - lastProgress >= Self.progressIntervalNanoseconds {
      printProgress(at: now)
      manifest.flush()
    }
    return !workload.isOver(at: now)
  }

  private mutating func printProgress(at now: UInt64) {
    if !options.isQuiet {
      OutputFile.writeStandardError(
        report.progress(
          workload.tally, since: lastTally, seconds: Double(now - lastProgress) / 1e9,
          elapsedSeconds: Double(now - start) / 1e9))
    }
    lastProgress = now
    lastTally = workload.tally
  }

  /// How long nothing is due, at most `limit`; in nanoseconds.
  func idleNanoseconds(at now: UInt64, limit: UInt64) -> UInt64 {
    guard let due = workload.nextDueTime else { return limit }
    return due > now ? min(due - now, limit) : 0
  }

  // MARK: Messages

  /// The next message of a device with its payload; nil when it has none to send.
  mutating func next(for device: Int) -> (id: MessageID, payload: [UInt8])? {
    guard let id = workload.next(for: device) else { return nil }
    return (id, payload(of: id))
  }

  /// The payload of a message: the reading at the time it is sent.
  func payload(of id: MessageID) -> [UInt8] {
    SensorReading(
      device: names[id.device], sequence: id.sequence, unixMilliseconds: Clock.unixMilliseconds()
    ).payload(minimumByteCount: options.payloadByteCount)
  }

  /// A message was acknowledged.
  mutating func acknowledge(_ id: MessageID, at now: UInt64) {
    guard workload.acknowledge(id, at: now) else { return }
    lastAnswer = now
    if listsAcknowledged { manifest.write(line: "\(names[id.device]) \(id.sequence)") }
  }

  /// A message was refused, for this reason.
  mutating func refuse(_ id: MessageID, _ reason: String, at now: UInt64) {
    guard workload.refuse(id) else { return }
    lastAnswer = now
    complain("refused: \(reason)")
  }

  /// A message will be sent again, because of this.
  mutating func retry(_ reason: String) {
    workload.countRetry()
    complain("tried again: \(reason)")
  }

  /// A connection ended, or could not be made.
  mutating func lostConnection(_ reason: String) {
    workload.countDisconnect()
    complain("disconnected: \(reason)")
  }

  /// Prints a trouble, once.
  mutating func complain(_ text: String) {
    guard complaints.count < Self.complaintLimit, complaints.insert(text).inserted else { return }
    OutputFile.writeStandardError("danube-device: \(text)\n")
  }

  // MARK: The end

  /// Prints the summary; the exit code is 0 only if every message was acknowledged.
  mutating func finish() -> Int32 {
    manifest.flush()
    let seconds = Double(lastAnswer - start) / 1e9
    let (tally, latency) = (workload.tally, workload.latency)
    let text =
      options.printsJSON
      ? report.json(tally, latency: latency, seconds: seconds)
      : report.summary(tally, latency: latency, seconds: seconds)
    // The standard output may be the manifest's already.
    if options.manifest == "-" {
      OutputFile.writeStandardError(text)
    } else {
      OutputFile.writeStandardOutput(text)
    }
    if manifest.isIncomplete {
      OutputFile.writeStandardError("danube-device: the manifest could not be written\n")
      return ExitCode.data
    }
    return tally.acknowledged == tally.made && tally.made > 0
      ? ExitCode.success : ExitCode.incomplete
  }
}
