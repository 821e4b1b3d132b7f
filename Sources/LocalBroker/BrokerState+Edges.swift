import Bytes
import DanubeProtocol
import GRPC
import IOPort

// Edges that register. What is known of them is forgotten at the next start: a heartbeat is then
// answered NOT_FOUND, and the edge registers again.
extension BrokerState {
  /// Makes an edge's topics; what is wrong with one is told with it, and the others are made.
  mutating func registerEdge(
    _ request: RegisterEdgeRequest
  ) throws(Refusal) -> RegisterEdgeResponse {
    try checkName(request.edgeName, what: "edge_name")
    guard request.topics.count <= limits.topics else {
      throw Refusal(.resourceExhausted, "no more than \(limits.topics) topics")
    }
    let known = edges[request.edgeName]
    guard known != nil || edges.count < limits.edges else {
      throw Refusal(.resourceExhausted, "no more than \(limits.edges) edges")
    }
    let prefix = Self.prefix(ofEdge: request.edgeName)
    if !configuration.requiresEdgeNamespaces, TopicName.isValid(prefix + request.edgeName) {
      namespaces.insert(request.edgeName)
    }
    var response = RegisterEdgeResponse(isSuccess: true, message: Array("registered".utf8))
    for declaration in request.topics {
      var result = TopicRegistrationResult(
        topicName: declaration.topicName, isSchemaResolved: declaration.schemaSubject == nil)
      do throws(Refusal) {
        result.isTopicCreated = try registerTopic(declaration.topicName, of: request.edgeName)
      } catch {
        result.error = Array(error.message.utf8)
      }
      response.topics.append(result)
    }
    response.configVersion = (known ?? 0) + 1
    edges[request.edgeName] = response.configVersion
    return response
  }

  /// What the topics of an edge begin with.
  private static func prefix(ofEdge name: [UInt8]) -> [UInt8] {
    [UInt8(ascii: "/")] + name + [UInt8(ascii: "/")]
  }

  /// Whether the topic was made; it may be there.
  private mutating func registerTopic(
    _ name: [UInt8], of edge: [UInt8]
  ) throws(Refusal) -> Bool {
    guard name.starts(with: Self.prefix(ofEdge: edge)) else {
      throw Refusal(.invalidArgument, "topic \(shown(name)) is not under /\(shown(edge))/")
    }
    return try reliableTopic(name).isNew
  }

  /// The reliable topic of a name, made if it is missing.
  mutating func reliableTopic(_ name: [UInt8]) throws(Refusal) -> (topic: Int, isNew: Bool) {
    if let topic = topic(named: name) {
      guard topics[topic].strategy == .reliable else {
        throw Refusal(.failedPrecondition, "topic \(shown(name)) is not a reliable one")
      }
      return (topic, false)
    }
    return (try newTopic(name, strategy: .reliable), true)
  }

  /// There are no schemas: what changes at a registration is the version alone.
  func heartbeat(_ request: EdgeHeartbeatRequest) throws(Refusal) -> EdgeHeartbeatResponse {
    guard let version = edges[request.edgeName] else {
      throw Refusal(.notFound, "edge \(shown(request.edgeName)) is not registered")
    }
    return EdgeHeartbeatResponse(configVersion: version)
  }
}
