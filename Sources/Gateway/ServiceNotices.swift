import Admin
public import IOPort
import Settings
import Synchronization

/// What a service manager is told about a gateway, in the words of sd_notify(3), and when.
///
/// It decides only; whoever has the socket sends.
public struct ServiceNotices: ~Copyable {
  private let gateway: Gateway
  private var watchdog: WatchdogRule?
  private let watchdogMilliseconds: Int?
  private var phase = Phase.starting
  private var told: Facts?
  private var wantsWakeUp = false

  private enum Phase { case starting, ready, stopping }

  /// What the status line is made of.
  private struct Facts: Equatable {
    var isEmbedded: Bool
    var isConnected: Bool
  }

  /// Notices of a gateway. `watchdogMilliseconds` is how long the manager waits for a sign of life;
  /// nil when it does not wait for any.
  public init(gateway: Gateway, watchdogMilliseconds: Int?) {
    self.gateway = gateway
    self.watchdogMilliseconds = watchdogMilliseconds
  }

  /// The next message to send; nil when there is none now. To be asked until it is nil, after every
  /// turn of the main loop and at ``nextDeadline``.
  public mutating func next(at now: Instant) -> String? {
    if gateway.control.stage != .running, phase != .stopping {
      phase = .stopping
      return stopping
    }
    switch phase {
    case .starting:
      guard gateway.control.state(of: .ingest) == .running,
        gateway.control.state(of: .delivery) == .running
      else { return nil }
      phase = .ready
      watchdog = watchdogMilliseconds.map {
        WatchdogRule(timeoutMilliseconds: $0, progress: progress, at: now)
      }
      let facts = facts
      told = facts
      return "READY=1\nSTATUS=\(status(facts))"
    case .ready:
      let facts = facts
      if told != facts {
        told = facts
        return "STATUS=\(status(facts))"
      }
      let progress = progress
      switch watchdog?.step(progress, at: now) {
      case .feed: return "WATCHDOG=1"
      case .wake:
        wantsWakeUp = true
        return nil
      case .wait, nil: return nil
      }
    // The manager's watchdog is over; how long it waits for the end it was told.
    case .stopping: return nil
    }
  }

  /// When ``next(at:)`` has to be asked although nothing happened.
  public var nextDeadline: Instant {
    phase == .ready ? watchdog?.nextLook ?? .distantFuture : .distantFuture
  }

  /// Whether the loops are to be woken, so that they can show that they turn. Once.
  public mutating func takeWakeUp() -> Bool {
    defer { wantsWakeUp = false }
    return wantsWakeUp
  }

  private var progress: WatchdogRule.Progress {
    WatchdogRule.Progress(
      ingestTurns: gateway.ingestHealth.turns, deliveryTurns: gateway.deliveryHealth.turns)
  }

  private var facts: Facts {
    gateway.deliveryStatus.withLock {
      Facts(
        isEmbedded: gateway.configuration.danube.target == .embedded, isConnected: $0.isConnected)
    }
  }

  /// One line for `systemctl status`.
  private func status(_ facts: Facts) -> String {
    let addresses = gateway.control.listening.map { "\($0.purpose) \($0.address)" }
    let danube =
      facts.isEmbedded
      ? "embedded broker"
      : facts.isConnected ? "connected to Danube" : "not connected to Danube"
    return "Serving \(addresses.joined(separator: ", ")); \(danube)"
  }

  private var stopping: String {
    if let problem = gateway.control.startError {
      let line = problem.split(separator: "\n").first ?? ""
      return "STOPPING=1\nSTATUS=Cannot serve: \(line)"
    }
    // As long as the main loop waits for the others, and as long again for who reads slowly.
    let seconds = gateway.configuration.gateway.shutdownSeconds + 10
    return "STOPPING=1\nSTATUS=Stopping: answering devices\n"
      + "EXTEND_TIMEOUT_USEC=\(seconds * 1_000_000)"
  }
}
