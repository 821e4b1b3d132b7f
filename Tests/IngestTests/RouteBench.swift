import Bytes
import Records
import Settings
import Testing

@testable import Ingest

/// What a message has for templates, as a test writes it.
struct PlayedValues: TemplateValues {
  var clientID = "dev"
  var headers: [String: String] = [:]
  var query: [String: String] = [:]

  func append(_ field: TemplateField, name: RawSpan, to output: inout GrowableBytes) -> Bool {
    let name = String(decoding: [UInt8](copying: name), as: UTF8.self)
    let value: String? =
      switch field {
      case .clientID: clientID
      case .header: headers[name]
      case .query: query[name]
      }
    output.append(contentsOf: Array((value ?? "").utf8))
    return value != nil
  }
}

/// What a router made of a message.
struct Resolved: Equatable {
  var topic = ""
  var key = ""
  var attributes: [UInt8] = []
  var prefix: [UInt8] = []
  var orderHash: UInt64 = 0
  var isMapped = false
  var acknowledgement = RouteConfiguration.Acknowledgement.durable
  var refusal: RouteRefusal?
}

/// A router with its lanes.
final class RouteBench {
  let lanes: LaneTable
  var router: Router

  init(
    _ routes: [RouteConfiguration], maxTopics: Int = 100, name: String = "edge-1",
    seed: UInt64 = 7
  ) {
    var configuration = GatewayConfiguration(routes: routes)
    configuration.gateway.name = name
    lanes = LaneTable(configuration: configuration, capacity: maxTopics)
    router = Router(configuration: configuration, lanes: lanes, seed: seed)
  }

  var topics: [String] {
    (0..<UInt32(lanes.count)).map { text(lanes[LaneID(rawValue: $0)].topic) }
  }

  func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  /// The first route that takes a subject.
  func route(_ source: RouteSource, _ subject: String) -> Int? {
    router.firstMatch(source, Array(subject.utf8).rawBytes)?.index
  }

  /// Nil when no route takes it.
  func resolve(
    _ source: RouteSource, _ subject: String, _ values: PlayedValues = PlayedValues(),
    sender: UInt64 = 1
  ) -> Resolved? {
    let bytes = Array(subject.utf8)
    guard let match = router.firstMatch(source, bytes.rawBytes) else { return nil }
    var fields = RouteFields()
    var resolved = Resolved()
    switch router.resolve(
      match, subject: bytes.rawBytes, values: values, sender: sender, into: &fields)
    {
    case .lane(let lane):
      resolved.topic = text(lanes[lane.lane].topic)
      resolved.orderHash = lane.orderHash
      resolved.isMapped = lane.isMapped
      resolved.acknowledgement = lane.acknowledgement
    case .refused(let refusal):
      return Resolved(refusal: refusal)
    }
    resolved.key = text([UInt8](copying: fields.key.bytes))
    resolved.attributes = [UInt8](copying: fields.attributes.bytes)
    resolved.prefix = [UInt8](copying: fields.prefix.bytes)
    return resolved
  }

  func mqtt(_ topic: String, client: String = "dev", sender: UInt64 = 1) -> Resolved? {
    resolve(.mqtt, topic, PlayedValues(clientID: client), sender: sender)
  }
}
