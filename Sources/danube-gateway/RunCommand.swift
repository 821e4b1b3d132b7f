import Gateway
import Glibc
import IOPort
import Logs
import Settings
import Uring

/// `danube-gateway run`: three threads around one gateway.
enum RunCommand {
  /// What there is to know of an embedded broker without a disk; nil with one.
  static func memoryNote(_ configuration: GatewayConfiguration) -> String? {
    guard configuration.danube.target == .embedded, configuration.spool.mode == .memory else {
      return nil
    }
    return "with [spool] mode = \"memory\" what the embedded broker acknowledged does not survive a"
      + " crash"
  }

  static func run(_ loaded: LoadedConfiguration) -> Int32 {
    SignalDescriptor.blockSignals()
    do throws(FileLock.Failure) {
      let lock = try FileLock(directory: loaded.configuration.gateway.dataDirectory)
      let folderLock = try lockSpool(loaded.configuration)
      let status = serve(loaded)
      // Held until here.
      _ = consume lock
      _ = consume folderLock
      return status
    } catch {
      Complaint.write("danube-gateway: \(error.message)")
      return ExitCode.unavailable
    }
  }

  /// The lock of the spool's folder, which may be elsewhere by a link, where another one finds it.
  private static func lockSpool(
    _ configuration: GatewayConfiguration
  ) throws(FileLock.Failure) -> FileLock {
    let folder = SpoolLook.folder(configuration)
    if configuration.spool.mode != .memory {
      do throws(FileLock.Failure) {
        try FileLock.makeDirectories(folder)
      } catch {
        // The gateway finds out, and says so where it is looked for.
      }
    }
    return try FileLock(folder: folder)
  }

  private static func serve(_ loaded: LoadedConfiguration) -> Int32 {
    do throws(UringError) {
      var limits = UringLimits()
      limits.submissionEntries = 64
      limits.completionEntries = 256
      limits.receiveBufferCount = 32
      limits.receiveBufferBytes = 4_096
      return try serve(loaded, port: Uring(limits: limits))
    } catch {
      Complaint.write("danube-gateway: \(error.description)")
      return ExitCode.unavailable
    }
  }

  private static func serve(
    _ loaded: LoadedConfiguration, port: consuming Uring
  ) -> Int32 {
    let configuration = loaded.configuration
    var port = port
    do throws(IOError) {
      try port.watchSignals(token: MainLoop<Uring>.stopToken)
    } catch {
      Complaint.write("danube-gateway: cannot watch for signals (error \(error.code))")
      return ExitCode.unavailable
    }
    var files: SecurityFiles
    do throws(SecurityFiles.Problem) {
      files = try SecurityFiles(configuration)
    } catch {
      Complaint.write(loaded.error(error).description)
      return ExitCode.configuration
    }
    let descriptors = DescriptorLimit.raise()
    let gateway = Gateway(
      configuration: configuration, seed: UInt64.random(in: 0 ... .max), startingAt: port.now,
      connectionLimit: descriptors - Gateway.reservedDescriptors, bootID: MachineIdentity.bootID,
      security: files.security)
    var log = LogWriter(gateway: gateway)
    var manager = ServiceManager(gateway: gateway)
    do throws(StartError) {
      var loop = try MainLoop(gateway: gateway, port: port)
      let threads = try startThreads(gateway)
      log.started(loaded, at: loop.clock.unixMilliseconds)
      noteUnusedSpool(configuration, &log, at: loop.clock.unixMilliseconds)
      let wanted = configuration.listeners.reduce(0) { $0 + $1.maxConnections }
      if wanted > descriptors - Gateway.reservedDescriptors {
        log.tooFewDescriptors(descriptors, wanted: wanted, at: loop.clock.unixMilliseconds)
      }
      var filesDue = loop.clock.now
      while !loop.isFinished {
        if files.isWatched, loop.clock.now >= filesDue {
          filesDue = loop.clock.now.advanced(milliseconds: Self.filesMilliseconds)
          refresh(&files, gateway, &log, at: loop.clock.unixMilliseconds)
        }
        let logWait = log.write(at: loop.clock.unixMilliseconds)
        let noticeWait = manager.nextDeadline.milliseconds(since: loop.clock.now)
        let filesWait = files.isWatched ? filesDue.milliseconds(since: loop.clock.now) : .max
        loop.turn(waitingAtMost: min(logWait, max(0, min(noticeWait, filesWait)))) {
          gateway.processMetrics.sample()
        }
        ResolverThread.serve(gateway)
        manager.tell(&loop)
      }
      log.ended(at: loop.clock.unixMilliseconds)
      if loop.isOver { threads.join() }
    } catch {
      Complaint.write("danube-gateway: \(error.message)")
      return ExitCode.unavailable
    }
    if let problem = gateway.control.startError {
      Complaint.write("danube-gateway: \(problem)")
      return gateway.control.isStartErrorFinal ? ExitCode.configuration : ExitCode.unavailable
    }
    return 0
  }

  /// How often certificates and the token are looked at for changes, milliseconds.
  private static let filesMilliseconds = 5_000

  /// Hands over certificates and a token that changed.
  private static func refresh(
    _ files: inout SecurityFiles, _ gateway: Gateway, _ log: inout LogWriter, at time: UInt64
  ) {
    do throws(SecurityFiles.Problem) {
      guard try files.refresh() else { return }
      gateway.security.offer(files.security)
      log.securityChanged(at: time)
      if let bell = gateway.control.doorbell(of: .delivery) { Uring.ring(bell) }
    } catch {
      log.securityProblem(error, at: time)
    }
  }

  /// Without a spool nobody else looks whether there is something in its folder.
  private static func noteUnusedSpool(
    _ configuration: GatewayConfiguration, _ log: inout LogWriter, at time: UInt64
  ) {
    guard configuration.spool.mode == .memory, let listing = SpoolLook.listing(configuration)
    else { return }
    let left = SpoolLeftoversText.leftovers(listing, configuration)
    log.unusedSpool(left, folder: SpoolLook.folder(configuration), at: time)
  }

  private static func startThreads(_ gateway: Gateway) throws(StartError) -> Threads {
    do throws(ThreadError) {
      return Threads(
        delivery: try NamedThread(name: "delivery", running: DeliveryThread(gateway: gateway)),
        ingest: try NamedThread(name: "ingest", running: IngestThread(gateway: gateway)))
    } catch {
      throw StartError(message: "cannot start a thread: \(error.message)")
    }
  }
}

/// The threads beside main. They are joined only when both loops have ended.
private struct Threads: ~Copyable {
  let delivery: NamedThread
  let ingest: NamedThread

  consuming func join() {
    delivery.join()
    ingest.join()
  }
}

private struct DeliveryThread: ThreadBody {
  let gateway: Gateway

  consuming func run() {
    runLoop(gateway, .delivery) { (port: consuming Uring) throws(StartError) in
      var loop = try DeliveryLoop(gateway: gateway, port: port)
      while !loop.isStopped { loop.turn() }
    }
  }
}

private struct IngestThread: ThreadBody {
  let gateway: Gateway

  consuming func run() {
    runLoop(gateway, .ingest) { (port: consuming Uring) throws(StartError) in
      var loop = try IngestLoop(gateway: gateway, port: port)
      while !loop.isStopped { loop.turn() }
    }
  }
}

/// Makes the thread's own port and runs a loop on it until it ends.
private func runLoop(
  _ gateway: Gateway, _ part: GatewayControl.Part,
  _ body: (consuming Uring) throws(StartError) -> Void
) {
  do throws(UringError) {
    // What one wait can bring is what ingest may have to keep when memory for records is used up.
    var limits = UringLimits()
    limits.receiveBufferBytes = 8 * 1_024
    let port = try Uring(limits: limits)
    gateway.processMetrics.setProcessorClock(ProcessUsage.threadClock(), of: part)
    do throws(StartError) {
      try body(port)
    } catch {
      gateway.control.fail(part, error.message)
    }
  } catch {
    gateway.control.fail(part, error.description)
  }
  if let bell = gateway.control.doorbell(of: .main) { Uring.ring(bell) }
}
