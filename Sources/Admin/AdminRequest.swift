import HTTP1
import IOPort

/// What can be asked for on the admin address.
public enum AdminEndpoint: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  /// `/`: what else there is, for people.
  case index
  /// `/healthz`: whether the loops turn.
  case liveness
  /// `/readyz`: whether devices are taken.
  case readiness
  /// `/metrics`: counters in the Prometheus text format.
  case metrics
  /// `/status`: what the gateway does, as JSON.
  case status
  /// `/health`: the same, and its status code says whether the gateway is healthy.
  case health
  /// `/log-level`: the least level that is logged; it can be set.
  case logLevel
  /// `/spool`: what the buffer on the disk holds.
  case spool
  /// `/spool/replay`: records of the spool are sent again.
  case spoolReplay
  /// `/spool/drop`: records of the spool are given up.
  case spoolDrop

  /// The path, exactly.
  public var path: StaticString {
    switch self {
    case .index: "/"
    case .liveness: "/healthz"
    case .readiness: "/readyz"
    case .metrics: "/metrics"
    case .status: "/status"
    case .health: "/health"
    case .logLevel: "/log-level"
    case .spool: "/spool"
    case .spoolReplay: "/spool/replay"
    case .spoolDrop: "/spool/drop"
    }
  }

  /// What it is for, in a line.
  public var summary: StaticString {
    switch self {
    case .index: "this text"
    case .liveness: "200 while both loops turn, 503 otherwise (for a watchdog)"
    case .readiness: "200 while devices are taken, 503 otherwise with reasons (for a balancer)"
    case .metrics: "counters in the Prometheus text format"
    case .status: "healthy, degraded or unhealthy, with reasons and details, as JSON"
    case .health: "the same, with status code 503 when unhealthy"
    case .logLevel: "the least level that is logged; PUT debug, info, warn or error sets it"
    case .spool: "what the buffer on the disk holds, as JSON, or as tables for Accept: text/plain"
    case .spoolReplay: "POST lane=TOPIC&from=N: what is still in the spool is sent again"
    case .spoolDrop: "POST lane=TOPIC, with before=N or without: its records are given up"
    }
  }

  /// The methods it takes, as `Allow` lists them (RFC 9110 §10.2.1).
  public var allowedMethods: StaticString {
    isAction ? "POST" : isSettable ? "GET, HEAD, PUT" : "GET, HEAD"
  }

  /// Whether it takes PUT.
  public var isSettable: Bool { self == .logLevel }

  /// Whether it takes POST, and nothing else.
  public var isAction: Bool { self == .spoolReplay || self == .spoolDrop }

  /// The most bytes of a body that matters.
  var bodyLimitBytes: Int { isAction ? 1_024 : 256 }
}

/// Names who asked, until it is answered.
public struct AdminConnection: BitwiseCopyable, Sendable, Hashable {
  let slot: SlotID
}

/// A request that the server's owner answers, through
/// ``AdminServer/respond(_:statusCode:contentType:body:)``.
public struct AdminRequest: BitwiseCopyable, Sendable {
  /// Who asked.
  public let connection: AdminConnection
  /// What was asked for.
  public let endpoint: AdminEndpoint
  /// Whether it is a PUT, whose body is ``AdminServer/body(of:)``; else GET or HEAD.
  public let isPut: Bool
  /// Whether the client takes text for people rather than JSON: `Accept: text/plain`.
  public let wantsText: Bool
}

/// Media types of the answers.
public enum AdminContentType {
  /// The Prometheus text exposition format.
  public static let prometheus: StaticString = "text/plain; version=0.0.4; charset=utf-8"
  /// JSON.
  public static let json: StaticString = "application/json"
  /// Text for people.
  public static let text: StaticString = "text/plain; charset=utf-8"
}
