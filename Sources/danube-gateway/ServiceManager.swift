import Gateway
import IOPort
import Uring

/// The service manager that started this process, if one did: systemd, or whoever speaks its
/// protocol (sd_notify(3), sd_watchdog_enabled(3)).
struct ServiceManager: ~Copyable {
  private let socket: NotifySocket?
  private var notices: ServiceNotices

  init(gateway: Gateway) {
    let socket =
      switch ProcessEnvironment.value(of: "NOTIFY_SOCKET") {
      case let path?: NotifySocket.open(path: path)
      case nil: NotifySocket?.none
      }
    self.socket = socket
    notices = ServiceNotices(
      gateway: gateway, watchdogMilliseconds: Self.watchdogMilliseconds)
  }

  /// How long the manager waits for a sign of life; nil when it does not, or not for this process.
  private static var watchdogMilliseconds: Int? {
    guard let text = ProcessEnvironment.value(of: "WATCHDOG_USEC"), let number = Int(text),
      number > 0
    else { return nil }
    if let owner = ProcessEnvironment.value(of: "WATCHDOG_PID"), !owner.isEmpty,
      owner != "\(ProcessEnvironment.processID)"
    {
      return nil
    }
    return max(1, number / 1_000)
  }

  /// Tells what there is to tell, and wakes loops that have to show that they turn.
  mutating func tell(_ loop: inout MainLoop<Uring>) {
    guard socket != nil else { return }
    while let message = notices.next(at: loop.clock.now) { _ = socket?.send(message) }
    if notices.takeWakeUp() { loop.wakeLoops() }
  }

  /// When there will be something to tell although nothing happens.
  var nextDeadline: Instant { socket == nil ? .distantFuture : notices.nextDeadline }
}
