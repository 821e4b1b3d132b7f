import CLinux
public import IOPort

/// The signals that ask a process to end, as something a port can wait for.
public enum SignalDescriptor {
  /// Blocks SIGTERM, SIGINT and SIGPIPE for the calling thread and for those it starts afterwards.
  /// Called once, first thing in `main`: a thread that doesn't block them would be killed by them.
  public static func blockSignals() {
    var set = mask
    _ = unsafe sigaddset(&set, SIGPIPE)
    _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  private static var mask: sigset_t {
    var set = sigset_t()
    _ = unsafe sigemptyset(&set)
    _ = unsafe sigaddset(&set, SIGTERM)
    _ = unsafe sigaddset(&set, SIGINT)
    return set
  }

  /// A descriptor that is readable when one of the signals came.
  static func open() throws(IOError) -> Int32 {
    var set = mask
    let flags = Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK)
    let fileDescriptor = unsafe signalfd(-1, &set, flags)
    guard fileDescriptor >= 0 else { throw KernelError.ioError(clinux_errno()) }
    return fileDescriptor
  }

  /// Reads the signals that came and answers how many.
  static func drain(_ fileDescriptor: Int32) -> Int {
    var count = 0
    var info = signalfd_siginfo()
    let size = MemoryLayout<signalfd_siginfo>.size
    while unsafe read(fileDescriptor, &info, size) == size { count += 1 }
    return count
  }
}

/// A port's watch over the signals.
struct SignalWatch: BitwiseCopyable {
  let fileDescriptor: Int32
  let token: Token
}

extension Uring {
  /// Gives `rung` with `token` each time SIGTERM or SIGINT came. The signals are blocked in every
  /// thread (``SignalDescriptor/blockSignals()``). Once a port.
  public mutating func watchSignals(token: Token) throws(IOError) {
    precondition(signals == nil, "signals are watched once")
    let fileDescriptor = try SignalDescriptor.open()
    signals = SignalWatch(fileDescriptor: fileDescriptor, token: token)
    ring.pollReadable(fileDescriptor, userData: InternalData.signals)
  }
}
