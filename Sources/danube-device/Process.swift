import Glibc
import Synchronization

/// What this process asks of the kernel besides files and sockets.
enum Process {
  private static let stopRequested = Atomic<Bool>(false)

  /// Whether SIGINT or SIGTERM came.
  static var shouldStop: Bool { stopRequested.load(ordering: .relaxed) }

  /// Makes SIGINT and SIGTERM end a run in order, the second one at once, and a closed pipe an
  /// error of the write to it.
  static func prepareSignals() {
    let stop: @convention(c) (Int32) -> Void = { _ in
      if Process.stopRequested.exchange(true, ordering: .relaxed) { _exit(130) }
    }
    signal(SIGINT, stop)
    signal(SIGTERM, stop)
    signal(SIGPIPE, SIG_IGN)
  }

  /// Lets the process have as many descriptors as the hard limit allows: one a device.
  static func raiseDescriptorLimit() {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    // When it fails, connecting many devices will say so.
    _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
