import Bytes
import Gateway
import Glibc
import IOPort
import Settings
import Spool
import Uring

/// `danube-gateway spool`: looks into the buffer on the disk, and changes who has got what.
enum SpoolCommand {
  static func run(_ options: SpoolOptions) -> Int32 {
    // Whoever reads the output may stop at any time; a write then fails, which is noticed.
    signal(SIGPIPE, SIG_IGN)
    do throws(SpoolProblem) {
      switch try SpoolPlace.find(options) {
      case .folder(let spool, let data):
        return try run(options, spool: spool, data: data)
      case .gateway(let address, let token):
        return try SpoolRequest.run(options, at: address, token: token)
      }
    } catch {
      StandardStreams.writeStandardError("danube-gateway: \(error.message)\n")
      return error.code
    }
  }

  private static func run(
    _ options: SpoolOptions, spool: String, data: String?
  ) throws(SpoolProblem) -> Int32 {
    guard options.action.isChange else {
      var inspection = try open(spool, isReadOnly: true)
      switch options.action {
      case .ls:
        if options.isQuarantine { return QuarantineCommand.list(&inspection, options) }
        list(&inspection, options)
      case .verify:
        let isLive =
          FileLock.isHeld(folder: spool) || data.map { FileLock.isHeld(directory: $0) } ?? false
        return try SpoolVerifying.run(&inspection, options, isLive: isLive, spool: spool)
      default: return printRecords(&inspection, options)
      }
      return 0
    }
    // Before the lock, which would make the folder.
    var inspection = try open(spool, isReadOnly: false)
    let lock = try takeLock(data: data)
    // A gateway may have it by a link, and its own lock elsewhere.
    let folderLock = try takeLock(folder: spool)
    // What was read before the lock was taken may have changed.
    try load(&inspection, spool)
    let status = try change(&inspection, options)
    _ = consume lock
    _ = consume folderLock
    return status
  }

  private static func takeLock(data: String?) throws(SpoolProblem) -> FileLock? {
    guard let data else { return nil }
    do throws(FileLock.Failure) {
      return try FileLock(directory: data)
    } catch {
      throw problem(error, data)
    }
  }

  private static func takeLock(folder: String) throws(SpoolProblem) -> FileLock {
    do throws(FileLock.Failure) {
      return try FileLock(folder: folder)
    } catch {
      throw problem(error, folder)
    }
  }

  private static func problem(_ failure: FileLock.Failure, _ path: String) -> SpoolProblem {
    guard case .held(_, let processID) = failure else {
      return SpoolProblem(failure.message, code: ExitCode.unavailable)
    }
    let process = processID.map { " (process \($0))" } ?? ""
    return SpoolProblem(
      "\(path) is in use by a gateway\(process); to change its spool while it runs give "
        + "--config FILE or --admin HOST:PORT instead of --dir, or stop it first",
      code: ExitCode.unavailable)
  }

  private static func open(
    _ path: String, isReadOnly: Bool
  ) throws(SpoolProblem) -> SpoolInspection<BlockingFiles> {
    var port = BlockingFiles(isReadOnly: isReadOnly)
    let directory: Descriptor
    do throws(IOError) {
      directory = try port.openDirectory(path)
    } catch {
      throw SpoolProblem(
        "\(path): \(error.text); there is no spool here: give the data_dir of a gateway, its "
          + "folder \"spool\", or a copy of it",
        code: ExitCode.unavailable)
    }
    var inspection = SpoolInspection(port: port, directory: directory)
    try load(&inspection, path)
    return inspection
  }

  private static func load(
    _ inspection: inout SpoolInspection<BlockingFiles>, _ path: String
  ) throws(SpoolProblem) {
    do throws(IOError) {
      try inspection.load()
    } catch {
      throw SpoolProblem("\(path): \(error.text)", code: ExitCode.unavailable)
    }
  }

  private static func list(
    _ inspection: inout SpoolInspection<BlockingFiles>, _ options: SpoolOptions
  ) {
    let listing = inspection.listing()
    let now = inspection.unixMilliseconds
    if options.printsJSON {
      StandardStreams.writeStandardOutput(SpoolListingText.json(listing, at: now))
    } else {
      StandardStreams.writeStandardOutput(SpoolListingText.tables(listing, at: now))
    }
  }

  // MARK: Records

  /// Bytes of output that are written at once.
  private static let outputBytes = 64 << 10

  private static func printRecords(
    _ inspection: inout SpoolInspection<BlockingFiles>, _ options: SpoolOptions
  ) -> Int32 {
    let topic = options.lane.map { Array($0.utf8) }
    if let topic, inspection.lane(topic: topic) == nil {
      StandardStreams.writeStandardError("danube-gateway: \(unknown(options.lane))\n")
      return ExitCode.negative
    }
    var output = GrowableBytes()
    var left = options.limit ?? .max
    var isRead = true
    let damage =
      left == 0
      ? []
      : inspection.forEachRecord(
        SpoolSelection(
          topic: topic, from: options.from ?? 0, isUndeliveredOnly: options.isUndeliveredOnly)
      ) { topic, sequence, element in
        if options.action == .dump {
          SpoolRecordLine.appendText(
            topic: topic, sequence: sequence, element: element, to: &output)
        } else {
          SpoolRecordLine.appendJSON(
            topic: topic, sequence: sequence, element: element, to: &output)
        }
        if output.count >= outputBytes { isRead = write(&output) }
        left -= 1
        return left > 0 && isRead
      }
    if isRead { _ = write(&output) }
    for place in damage {
      StandardStreams.writeStandardError(
        "danube-gateway: \(SpoolVerifying.description(of: place))\n")
    }
    return damage.isEmpty ? 0 : ExitCode.negative
  }

  /// Writes and empties; false when nobody reads it any more.
  private static func write(_ output: inout GrowableBytes) -> Bool {
    let isRead = StandardStreams.writeStandardOutput(Array(copying: output.bytes))
    output.removeAll(keepingCapacityUpTo: 1 << 20)
    return isRead
  }

  // MARK: Changes

  private static func change(
    _ inspection: inout SpoolInspection<BlockingFiles>, _ options: SpoolOptions
  ) throws(SpoolProblem) -> Int32 {
    let lane = options.lane ?? ""
    let topic = Array(lane.utf8)
    if options.action == .replay, QuarantineListing.topic(ofLane: topic) != nil {
      throw SpoolProblem(QuarantineCommand.needsGateway, code: ExitCode.unavailable)
    }
    do throws(SpoolChangeError) {
      let change: SpoolChange
      if options.action == .replay {
        change = try inspection.replay(
          topic, reader: Array(options.subscription.utf8), from: options.from ?? 0)
      } else {
        change = try inspection.drop(topic, before: options.before)
        guard options.isSure || isConfirmed(SpoolChangeText.question(change, lane: lane)) else {
          StandardStreams.writeStandardOutput("nothing was changed\n")
          return ExitCode.negative
        }
      }
      try inspection.save()
      StandardStreams.writeStandardOutput(
        SpoolChangeText.done(change, isReplay: options.action == .replay, lane: lane))
      return 0
    } catch {
      var code = ExitCode.negative
      if case .laterVersion = error { code = ExitCode.unavailable }
      throw SpoolProblem(SpoolChangeText.problem(error, lane: lane), code: code)
    }
  }

  static func isConfirmed(_ question: String) -> Bool {
    StandardStreams.writeStandardOutput("\(question) [y/N] ")
    let answer = readLine() ?? ""
    return ["y", "yes"].contains(answer.lowercased())
  }

  private static func unknown(_ lane: String?) -> String {
    SpoolChangeText.problem(.unknownLane, lane: lane ?? "")
  }
}
