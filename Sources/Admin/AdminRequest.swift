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
    }
  }

  /// The methods it takes, as `Allow` lists them (RFC 9110 §10.2.1).
  public var allowedMethods: StaticString { isSettable ? "GET, HEAD, PUT" : "GET, HEAD" }

  /// Whether it takes PUT.
  public var isSettable: Bool { self == .logLevel }
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
