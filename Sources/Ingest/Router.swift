import Bytes
import MQTT
import Records
import Settings

/// Finds the route of a topic, and writes what the route adds to a record.
struct Router: ~Copyable {
  struct Route {
    let filter: TopicFilter
    let lane: LaneID
    /// Fields that every record of the route begins with, encoded.
    let prefix: [UInt8]
    /// The same for webhooks.
    let webhookPrefix: [UInt8]
    let key: Template
    /// Attributes whose value depends on the message: name and value template.
    let attributes: [(name: [UInt8], value: Template)]
  }

  private(set) var routes: [Route] = []
  private var value = GrowableBytes()

  init(configuration: GatewayConfiguration, lanes: LaneTable) {
    var known: [[UInt8]: LaneID] = [:]
    for index in 0..<UInt32(lanes.count) {
      known[lanes[LaneID(rawValue: index)].topic] = LaneID(rawValue: index)
    }
    for route in configuration.routes {
      guard let filter = TopicFilter(Array(route.filter.text.utf8)),
        let lane = known[Array(route.topic.utf8)]
      else { preconditionFailure("the configuration was not checked") }
      let constant = route.attributes.filter { $0.value.isConstant }
      routes.append(
        Route(
          filter: filter, lane: lane,
          prefix: Self.prefix(lane: lanes[lane], source: "mqtt", constantAttributes: constant),
          webhookPrefix: Self.prefix(
            lane: lanes[lane], source: "webhook", constantAttributes: constant),
          key: route.key,
          attributes: route.attributes.filter { !$0.value.isConstant }
            .map { (Array($0.name.utf8), $0.value) }))
    }
  }

  /// `msg_id{topic_name}` (2), `producer_name` (5), and the attributes (7) that never change.
  private static func prefix(
    lane: LaneDescription, source: StaticString, constantAttributes: [RouteAttribute]
  ) -> [UInt8] {
    var messageID = GrowableBytes()
    RecordFields.append(field: 2, lane.topic.span, to: &messageID)
    var prefix = GrowableBytes()
    RecordFields.append(field: 2, messageID.bytes, to: &prefix)
    RecordFields.append(field: 5, lane.producerName.span, to: &prefix)
    RecordFields.appendAttribute("source", source, to: &prefix)
    var value = GrowableBytes()
    let none = GrowableBytes()
    for attribute in constantAttributes {
      value.removeAll()
      Self.expand(attribute.value, clientID: none.bytes, topic: none.bytes, to: &value) { _ in nil }
      RecordFields.appendAttribute(Array(attribute.name.utf8).span, value.bytes, to: &prefix)
    }
    return RecordFields.array(prefix.bytes)
  }

  /// The first route whose filter matches, with what its wildcards matched. Linear in the routes.
  func firstMatch(_ topic: RawSpan) -> (index: Int, captures: TopicFilter.Captures)? {
    for index in routes.indices {
      if let captures = routes[index].filter.match(topic) { return (index, captures) }
    }
    return nil
  }

  /// Appends the attributes of a route that depend on the message.
  mutating func appendAttributes(
    of index: Int, captures: TopicFilter.Captures, clientID: RawSpan, topic: RawSpan,
    to output: inout GrowableBytes
  ) {
    for attribute in routes[index].attributes {
      value.removeAll()
      Self.expand(attribute.value, captures, clientID: clientID, topic: topic, to: &value)
      RecordFields.appendAttribute(attribute.name.span, value.bytes, to: &output)
    }
  }

  /// Appends the key of a message.
  func appendKey(
    of index: Int, captures: TopicFilter.Captures, clientID: RawSpan, topic: RawSpan,
    to output: inout GrowableBytes
  ) {
    Self.expand(routes[index].key, captures, clientID: clientID, topic: topic, to: &output)
  }

  private static func expand(
    _ template: Template, _ captures: TopicFilter.Captures, clientID: RawSpan, topic: RawSpan,
    to output: inout GrowableBytes
  ) {
    expand(template, clientID: clientID, topic: topic, to: &output) { captures.range(of: $0) }
  }

  private static func expand(
    _ template: Template, clientID: RawSpan, topic: RawSpan, to output: inout GrowableBytes,
    range: (Int) -> Range<Int>?
  ) {
    for part in template.parts {
      switch part {
      case .literal(let text): output.append(contentsOf: text)
      case .clientID: output.append(clientID)
      case .topic: output.append(topic)
      case .wildcard(let number):
        if let range = range(number) { output.append(topic.extracting(range)) }
      }
    }
  }
}

extension Template {
  /// Whether the text is the same for every message.
  var isConstant: Bool {
    parts.allSatisfy { part in
      if case .literal = part { true } else { false }
    }
  }
}
