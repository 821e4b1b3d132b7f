import Bytes

/// The methods of Danube's `danube` and `danube.edge` packages that a client or a broker of this
/// gateway speaks.
public enum DanubeMethod: UInt8, CaseIterable, Sendable {
  /// `ProducerRequest` → `ProducerResponse`
  case createProducer
  /// `StreamMessage` → `MessageResponse`
  case sendMessage
  /// `ConsumerRequest` → `ConsumerResponse`
  case subscribe
  /// `ReceiveRequest` → stream of `StreamMessage`
  case receiveMessages
  /// `AckRequest` → `AckResponse`
  case ack
  /// `NackRequest` → `NackResponse`
  case nack
  /// `TopicLookupRequest` → `TopicLookupResponse`
  case topicLookup
  /// `TopicLookupRequest` → `TopicPartitionsResponse`
  case topicPartitions
  /// `HealthCheckRequest` → `HealthCheckResponse`
  case healthCheck
  /// `RegisterEdgeRequest` → `RegisterEdgeResponse`
  case registerEdge
  /// `EdgeHeartbeatRequest` → `EdgeHeartbeatResponse`
  case edgeHeartbeat
  /// Stream of `ReplicateBatch` → stream of `ReplicateAck`
  case replicateData

  /// The path of the HTTP/2 request.
  public var path: StaticString {
    switch self {
    case .createProducer: "/danube.ProducerService/CreateProducer"
    case .sendMessage: "/danube.ProducerService/SendMessage"
    case .subscribe: "/danube.ConsumerService/Subscribe"
    case .receiveMessages: "/danube.ConsumerService/ReceiveMessages"
    case .ack: "/danube.ConsumerService/Ack"
    case .nack: "/danube.ConsumerService/Nack"
    case .topicLookup: "/danube.Discovery/TopicLookup"
    case .topicPartitions: "/danube.Discovery/TopicPartitions"
    case .healthCheck: "/danube.HealthCheck/HealthCheck"
    case .registerEdge: "/danube.edge.EdgeReplicatorService/RegisterEdge"
    case .edgeHeartbeat: "/danube.edge.EdgeReplicatorService/EdgeHeartbeat"
    case .replicateData: "/danube.edge.EdgeReplicatorService/ReplicateData"
    }
  }

  /// The method with this path; nil for any other path.
  public init?(path: RawSpan) {
    for method in Self.allCases where method.hasPath(path) {
      self = method
      return
    }
    return nil
  }

  private func hasPath(_ bytes: RawSpan) -> Bool {
    guard bytes.byteCount == path.utf8CodeUnitCount else { return false }
    return bytes.isEqual(to: path)
  }
}
