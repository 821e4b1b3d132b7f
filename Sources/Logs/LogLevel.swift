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

  /// As it stands in a line: `debug`, `info`, `warn`, `error`.
  public var word: StaticString {
    switch self {
    case .debug: "debug"
    case .info: "info"
    case .warning: "warn"
    case .error: "error"
    }
  }
}

/// The least level that is written: one for all loggers, set from any thread.
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
