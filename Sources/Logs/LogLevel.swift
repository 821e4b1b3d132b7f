import Synchronization

/// How much a line matters.
public enum LogLevel: UInt8, BitwiseCopyable, Sendable, Comparable, CaseIterable {
  /// For who looks for a fault.
  case debug
  /// What an operator wants to find later.
  case info
  /// Something is not as it should be; the gateway copes.
  case warning
  /// Something is lost or does not work.
  case error

  /// Less important than.
  public static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }

  /// The level that people call so, in any case: `debug`, `info`, `warn` or `warning`, `error`, and
  /// `trace`, which others have and is `debug` here; nil for any other text.
  public init?(named name: some StringProtocol) {
    switch name.lowercased() {
    case "debug", "trace": self = .debug
    case "info": self = .info
    case "warn", "warning": self = .warning
    case "error": self = .error
    default: return nil
    }
  }

  /// As it stands in a line: `debug`, `info`, `warn`, `error`.
  public var word: StaticString {
    switch self {
    case .debug: "debug"
    case .info: "info"
    case .warning: "warn"
    case .error: "error"
    }
  }

  /// The level as a priority of syslog(3), 3 to 7.
  public var syslogPriority: UInt8 {
    switch self {
    case .debug: 7
    case .info: 6
    case .warning: 4
    case .error: 3
    }
  }
}

/// The least level that is written: one for all loggers, set from any thread while they write.
/// Asking is one relaxed load.
public final class LogThreshold: Sendable {
  private let storage: Atomic<UInt8>

  /// A threshold at a level.
  public init(_ level: LogLevel = .info) { storage = Atomic(level.rawValue) }

  /// The least level that is written.
  public var level: LogLevel {
    get { LogLevel(rawValue: storage.load(ordering: .relaxed)) ?? .info }
    set { storage.store(newValue.rawValue, ordering: .relaxed) }
  }
}
