import Glibc

/// How much of the machine others took between two moments: what the bench and its children did not
/// use of the time that the processors were busy. Figures of a busy machine say little.
struct MachineLoad {
  private let busyNanoseconds: UInt64
  private let ownNanoseconds: UInt64
  private let began = Stopwatch.monotonicNanoseconds()

  /// As of now.
  init() {
    busyNanoseconds = Self.busy() ?? 0
    ownNanoseconds = Self.own()
  }

  /// The share of all processors that others had since `earlier`, 0 … 1; nil where nobody tells.
  func othersShare(since earlier: MachineLoad) -> Double? {
    guard busyNanoseconds > earlier.busyNanoseconds, began > earlier.began else { return nil }
    let busy = Double(busyNanoseconds - earlier.busyNanoseconds)
    let own = Double(ownNanoseconds) - Double(earlier.ownNanoseconds)
    let all = Double(began - earlier.began) * Double(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    return min(max((busy - own) / all, 0), 1)
  }

  /// Time that all processors were busy since the start of the machine: everything but idle and
  /// waiting for the disk; stolen time, too.
  private static func busy() -> UInt64? {
    guard let line = ProcessFigures.text("/proc/stat")?.split(separator: "\n").first else {
      return nil
    }
    let fields = line.split(separator: " ").dropFirst().compactMap { UInt64($0) }
    guard fields.count >= 8 else { return nil }
    let ticks = fields[0] + fields[1] + fields[2] + fields[5] + fields[6] + fields[7]
    return ticks * (1_000_000_000 / UInt64(max(1, sysconf(Int32(_SC_CLK_TCK)))))
  }

  /// Processor time of the bench, of its children that live and of those that were waited for.
  private static func own() -> UInt64 {
    var sum = Stopwatch.nanoseconds(CLOCK_PROCESS_CPUTIME_ID)
    var usage = rusage()
    if unsafe getrusage(RUSAGE_CHILDREN.rawValue, &usage) == 0 {
      for time in [usage.ru_utime, usage.ru_stime] {
        sum += UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_usec) * 1_000
      }
    }
    for child in ProcessFigures.children() {
      sum += ProcessFigures.processorNanoseconds(of: child) ?? 0
    }
    return sum
  }
}
