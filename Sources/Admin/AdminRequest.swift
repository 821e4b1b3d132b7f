import IOPort

/// What can be asked for on the admin address.
public enum AdminEndpoint: UInt8, BitwiseCopyable, Sendable {
  /// `/healthz`: whether the loops turn.
  case health
  /// `/metrics`: counters in the Prometheus text format.
  case metrics
  /// `/status`: what the gateway does, as JSON.
  case status
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
}

/// Media types of the answers.
public enum AdminContentType {
  /// The Prometheus text exposition format.
  public static let prometheus: StaticString = "text/plain; version=0.0.4; charset=utf-8"
  /// JSON.
  public static let json: StaticString = "application/json"
}
