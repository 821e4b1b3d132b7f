import Glibc
import Uring

/// What the kernel tells of a process (proc(5)). A process identifier of nil is the bench itself.
enum ProcessFigures {
  /// One thread's name and processor time.
  struct Thread: Equatable {
    let id: Int32
    let name: String
    let processorNanoseconds: UInt64
  }

  private static func path(_ process: pid_t?, _ file: String) -> String {
    "/proc/\(process.map { String($0) } ?? "self")/\(file)"
  }

  /// A file of the kernel as text.
  static func text(_ path: String) -> String? {
    guard let bytes = try? FileReading.readFile(path, limitBytes: 64 << 10) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func value(_ name: String, in path: String) -> UInt64? {
    for line in text(path)?.split(separator: "\n") ?? [] where line.hasPrefix(name + ":") {
      return line.dropFirst(name.utf8.count + 1).split(whereSeparator: \.isWhitespace).first
        .flatMap { UInt64($0) }
    }
    return nil
  }

  /// Processor time of all threads, ended ones too, user and system, nanoseconds; nil when there is
  /// no such process.
  static func processorNanoseconds(of process: pid_t?) -> UInt64? {
    var clock = clockid_t()
    guard unsafe clock_getcpuclockid(process ?? 0, &clock) == 0 else { return nil }
    var time = timespec()
    guard unsafe clock_gettime(clock, &time) == 0 else { return nil }
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// The bench's own children that were not waited for.
  static func children() -> [pid_t] {
    let main = getpid()
    let list = text("/proc/\(main)/task/\(main)/children") ?? ""
    return list.split(whereSeparator: \.isWhitespace).compactMap { pid_t($0) }
  }

  /// The threads that live now, by their identifiers.
  static func threads(of process: pid_t?) -> [Thread] {
    let folder = path(process, "task")
    guard let names = unsafe opendir(folder) else { return [] }
    defer { unsafe closedir(names) }
    var threads: [Thread] = []
    while let entry = unsafe readdir(names) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { place in
        unsafe place.withMemoryRebound(to: CChar.self, capacity: 256) { text in
          unsafe String(cString: text)
        }
      }
      guard let id = Int32(name) else { continue }
      // schedstat: nanoseconds on a processor, nanoseconds waiting for one, time slices.
      let spent = text("\(folder)/\(id)/schedstat")?.split(separator: " ").first
      threads.append(
        Thread(
          id: id,
          name: text("\(folder)/\(id)/comm").map { String($0.prefix { $0 != "\n" }) } ?? "",
          processorNanoseconds: spent.flatMap { UInt64($0) } ?? 0))
    }
    return threads.sorted { $0.id < $1.id }
  }

  /// Memory in RAM, bytes.
  static func residentMemoryBytes(of process: pid_t?) -> Double? {
    value("VmRSS", in: path(process, "status")).map { Double($0) * 1_024 }
  }

  /// The most memory that was in RAM since the start or the last reset, bytes.
  static func peakMemoryBytes(of process: pid_t?) -> Double? {
    value("VmHWM", in: path(process, "status")).map { Double($0) * 1_024 }
  }

  /// Begins the bench's own peak anew.
  static func resetPeakMemory() {
    let file = unsafe open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    unsafe _ = write(file, "5", 1)
    close(file)
  }

  /// Bytes that went, or will go, to the block device; nil where the kernel does not count them.
  static func writtenBytes(of process: pid_t?) -> UInt64? {
    value("write_bytes", in: path(process, "io"))
  }

  /// How often threads gave the processor up of their own: about how often they woke up.
  static func voluntarySwitches(of process: pid_t?) -> UInt64 {
    var sum: UInt64 = 0
    for thread in threads(of: process) {
      sum += value("voluntary_ctxt_switches", in: path(process, "task/\(thread.id)/status")) ?? 0
    }
    return sum
  }

  /// Threads that live now.
  static func threadCount(of process: pid_t?) -> Int? {
    value("Threads", in: path(process, "status")).map { Int($0) }
  }
}
