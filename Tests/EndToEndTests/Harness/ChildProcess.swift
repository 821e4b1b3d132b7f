import Foundation

/// A process of the test: its output goes to files, and it is gone when its owner is.
final class ChildProcess {
  /// How a process ended.
  enum End: Equatable {
    case exited(Int32)
    case signalled(Int32)
  }

  let title: String
  let pid: pid_t
  private let input: Int32
  private let folder: TemporaryFolder
  private var end: End?
  private var readOffset = 0

  /// Starts `arguments[0]`, an absolute path, with an open pipe as standard input.
  init(
    _ title: String, _ arguments: [String], in directory: String? = nil,
    environment extra: [String: String] = [:]
  ) throws {
    self.title = title
    folder = try TemporaryFolder()
    var pipeEnds: [Int32] = [0, 0]
    guard pipe(&pipeEnds) == 0 else { throw EndToEndError("pipe: errno \(errno)") }
    _ = fcntl(pipeEnds[1], F_SETFD, FD_CLOEXEC)
    input = pipeEnds[1]
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, pipeEnds[0], 0)
    for (descriptor, name) in [(Int32(1), "stdout"), (2, "stderr")] {
      posix_spawn_file_actions_addopen(
        &actions, descriptor, folder.path(name), O_WRONLY | O_CREAT | O_APPEND, 0o600)
    }
    Self.keepDescriptorsToOurselves()
    // `env` changes the directory and becomes the program, so the process id stays.
    let arguments = (directory.map { ["/usr/bin/env", "--chdir=\($0)"] } ?? []) + arguments
    var environment = ProcessInfo.processInfo.environment
      .filter { !$0.key.lowercased().hasSuffix("_proxy") && !Self.configures($0.key) }
    environment["SWIFT_BACKTRACE"] = "enable=no"
    environment.merge(extra) { $1 }
    var argv = arguments.map { strdup($0) } + [nil]
    var envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { (argv + envp).forEach { free($0) } }
    var started = pid_t(0)
    var attributes = Self.ordinarySignals()
    defer { posix_spawnattr_destroy(&attributes) }
    let failure = posix_spawn(&started, arguments[0], &actions, &attributes, &argv, &envp)
    close(pipeEnds[0])
    pid = started
    guard failure == 0 else {
      close(input)
      end = .exited(127)
      throw EndToEndError("cannot start \(arguments[0]): errno \(failure)")
    }
  }

  deinit {
    if poll() == nil {
      kill(pid, SIGKILL)
      _ = try? wait(seconds: 10)
    }
    close(input)
    Transcript.keep(title: "\(title): standard output", output: read("stdout"))
    Transcript.keep(title: "\(title): standard error", output: read("stderr"))
  }

  /// Variables that mean something to a gateway come from its test alone.
  private static func configures(_ name: String) -> Bool {
    let names = [
      "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY",
      "LOG_LEVEL", "METRICS_PORT", "RUST_LOG", "SERVER_HOST", "SERVER_PORT",
    ]
    return names.contains(name)
      || ["DANUBE_", "CONNECTOR_", "MQTT_"].contains { name.hasPrefix($0) }
  }

  /// Threads that run tests may block or ignore signals; a child would inherit that.
  private static func ordinarySignals() -> posix_spawnattr_t {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    return attributes
  }

  /// Whatever else the test run has open, such as a taken port, is no business of a child.
  private static func keepDescriptorsToOurselves() {
    let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
    for descriptor in (names ?? []).compactMap({ Int32($0) }) where descriptor > 2 {
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }
  }

  /// All that was written so far.
  var output: String { String(decoding: read("stdout"), as: UTF8.self) }
  var errorOutput: String { String(decoding: read("stderr"), as: UTF8.self) }

  /// The end, if it came already.
  func poll() -> End? {
    if let end { return end }
    var status: Int32 = 0
    guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
    end = status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .signalled(status & 0x7f)
    return end
  }

  /// Waits until the process has ended by itself.
  @discardableResult
  func wait(seconds: Double = 30) throws -> End {
    try Deadline(seconds: seconds).wait(for: "the end of \(title)") { poll() }
  }

  func signal(_ number: Int32) {
    if poll() == nil { kill(pid, number) }
  }

  /// The memory of the process that is in RAM.
  func residentKibibytes() throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    guard let number = line?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
      throw EndToEndError("the memory of \(title) cannot be read")
    }
    return number
  }

  /// Ends the process now: what it did not write down is lost.
  func killNow() throws {
    signal(SIGKILL)
    try wait(seconds: 10)
  }

  /// Writes to the standard input.
  func write(_ text: String) throws {
    var rest = Data(text.utf8)
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Foundation.write(input, $0.baseAddress, $0.count) }
      guard count > 0 else { throw EndToEndError("\(title) does not read: errno \(errno)") }
      rest.removeFirst(count)
    }
  }

  /// The next whole line of standard output.
  func nextLine(_ deadline: Deadline = Deadline()) throws -> String {
    try deadline.wait(for: "a line of \(title)") {
      // Looked at before reading: what was written before the end is complete then.
      let ended = poll() != nil
      if let line = takeLine() { return line }
      if ended { throw EndToEndError("\(title) ended: \(errorOutput.suffix(500))") }
      return nil
    }
  }

  /// The next whole line if there is one.
  func takeLine() -> String? {
    guard pending.isEmpty else { return pending.removeLast() }
    guard let file = FileHandle(forReadingAtPath: folder.path("stdout")) else { return nil }
    defer { try? file.close() }
    guard (try? file.seek(toOffset: UInt64(readOffset))) != nil,
      let data = try? file.readToEnd(), let end = data.lastIndex(of: 0x0a)
    else { return nil }
    let whole = data[data.startIndex..<end]
    readOffset += whole.count + 1
    pending = whole.split(separator: 0x0a, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }.reversed()
    return pending.removeLast()
  }

  /// Lines that were read and not yet taken, the next one last.
  private var pending: [String] = []

  private func read(_ name: String) -> Data {
    FileManager.default.contents(atPath: folder.path(name)) ?? Data()
  }
}
