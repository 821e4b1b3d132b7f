import Bytes
import Records
import Settings

/// A route that takes a message.
struct RouteMatch: BitwiseCopyable {
  /// Its index in the file.
  let index: Int
}

/// Finds the route of a message, the lane that it leads to, and writes what the route adds to a
/// record.
struct Router: ~Copyable {
  /// A route, as numbers: looking at it counts no reference.
  private struct Route {
    let source: RouteSource
    let topic: CompiledTemplates.ID
    /// The lane, or that of the first partition; nil where the topic is a template.
    let lane: LaneID?
    /// 0 for a topic without partitions.
    let partitions: UInt32
    let isReliable: Bool
    let mapsTopicValues: Bool
    let policy: LanePolicy
    /// How its own records are kept in order.
    let order: RecordOrder
    let acknowledgement: RouteConfiguration.Acknowledgement
    let key: CompiledTemplates.ID
    /// Attributes that are the same for every message, encoded.
    let constants: CompiledTemplates.Text
    /// Range of `attributes`.
    let attributes: Range<Int>
    /// Range of `places`: where the placeholders of its topic or path stand.
    let places: Range<Int>
  }

  /// An attribute that depends on the message.
  private struct Attribute: BitwiseCopyable {
    let name: CompiledTemplates.Text
    let value: CompiledTemplates.ID
  }

  private let lanes: LaneTable
  private let gatewayName: [UInt8]
  private var routes: [Route] = []
  private var tries: [RouteTrie]
  private var templates = CompiledTemplates()
  private var attributes: [Attribute] = []
  private var places: [RouteCaptures.Place] = []
  private var topics: TopicRegistry
  /// Of each lane `msg_id{topic_name}` (2) and `producer_name` (5), encoded, one after the other.
  private var prefixes = GrowableBytes()
  private var prefixEnds: [Int] = []
  /// The partition that a route's next record without a key goes to.
  private var nextPartitions: [UInt32]
  /// Records so far that keep no order.
  private var unordered: UInt64 = 0
  // Used again for each message.
  private var topic = GrowableBytes()
  private var value = GrowableBytes()

  /// `lanes` begins with the lanes that the configuration names; the router adds others. `seed`
  /// keeps devices from choosing topics that are slow to find.
  init(configuration: GatewayConfiguration, lanes: LaneTable, seed: UInt64) {
    self.lanes = lanes
    gatewayName = Array(configuration.gateway.name.utf8)
    tries = RouteSource.allCases.map { RouteTrie(source: $0) }
    topics = TopicRegistry(seed: seed)
    nextPartitions = Array(repeating: 0, count: configuration.routes.count)
    let policies = RoutePolicies(configuration).policies
    for (route, policy) in zip(configuration.routes, policies) { add(route, policy) }
  }

  // MARK: Routes

  /// `policy` is that of topics which it makes.
  private mutating func add(_ route: RouteConfiguration, _ policy: LanePolicy) {
    let source: RouteSource = route.mqtt != nil ? .mqtt : .webhook
    tries[Int(source.rawValue)].insert(route.steps, route: UInt32(routes.count))
    let constants = constants(of: route, source)
    let firstAttribute = attributes.count
    for attribute in route.attributes where !attribute.value.isConstant {
      attributes.append(
        Attribute(
          name: templates.add(Array(attribute.name.utf8).rawBytes),
          value: templates.add(attribute.value, of: route)))
    }
    let firstPlace = places.count
    places += Self.places(of: route)
    routes.append(
      Route(
        source: source, topic: templates.add(route.topic, of: route), lane: staticLane(of: route),
        partitions: UInt32(route.partitions), isReliable: route.isReliable,
        mapsTopicValues: route.topicValues == .map, policy: policy,
        order: RecordOrder(route.order),
        acknowledgement: route.acknowledgement, key: templates.add(route.key, of: route),
        constants: templates.add(constants.rawBytes),
        attributes: firstAttribute..<attributes.count, places: firstPlace..<places.count))
  }

  /// The lane of a topic without placeholders: the next ones of the table, where it is a new one.
  private mutating func staticLane(of route: RouteConfiguration) -> LaneID? {
    guard let text = route.topic.constant else { return nil }
    let bytes = Array(text.utf8)
    if let known = topics.find(bytes.rawBytes) { return known.lane }
    let first = LaneID(rawValue: UInt32(prefixEnds.count))
    for number in 0..<UInt32(route.laneCount) {
      let lane = lanes[LaneID(rawValue: first.rawValue + number)]
      precondition(lane.topic.starts(with: bytes), "the table is not of this configuration")
      appendPrefix(of: lane)
    }
    topics.insert(
      bytes.rawBytes,
      TopicRegistry.Entry(
        lane: first, partitions: UInt32(route.partitions), isReliable: route.isReliable,
        storage: lanes[first].policy.storage))
    return first
  }

  private mutating func appendPrefix(of lane: LaneDescription) {
    var messageID = GrowableBytes()
    RecordFields.append(field: 2, lane.topic.span, to: &messageID)
    RecordFields.append(field: 2, messageID.bytes, to: &prefixes)
    RecordFields.append(field: 5, lane.producerName.span, to: &prefixes)
    prefixEnds.append(prefixes.count)
  }

  private func constants(of route: RouteConfiguration, _ source: RouteSource) -> [UInt8] {
    var output = GrowableBytes()
    switch source {
    case .mqtt: RecordFields.appendAttribute("source", "mqtt", to: &output)
    case .webhook: RecordFields.appendAttribute("source", "webhook", to: &output)
    }
    for attribute in route.attributes {
      guard let value = attribute.value.constant else { continue }
      RecordFields.appendAttribute(
        Array(attribute.name.utf8).span, Array(value.utf8).rawBytes, to: &output)
    }
    return [UInt8](copying: output.bytes)
  }

  /// Where the placeholders stand, of a route that has a template which uses them.
  private static func places(of route: RouteConfiguration) -> [RouteCaptures.Place] {
    let templates = [route.topic, route.key] + route.attributes.map(\.value)
    let areUsed = templates.contains { template in
      template.parts.contains { part in
        switch part {
        case .wildcard, .path: true
        case .literal, .clientID, .topic, .header, .query: false
        }
      }
    }
    guard areUsed else { return [] }
    return route.steps.enumerated().compactMap { level, step in
      switch step {
      case .literal: nil
      case .any: RouteCaptures.Place(level: UInt32(level), isRest: false)
      case .rest: RouteCaptures.Place(level: UInt32(level), isRest: true)
      }
    }
  }

  // MARK: Messages

  /// The first route in the file that takes a topic, or a path. Its cost does not grow with the
  /// number of routes, but with how many of them, with wildcards at different levels, match all
  /// levels so far.
  func firstMatch(_ source: RouteSource, _ subject: RawSpan) -> RouteMatch? {
    let found = tries[Int(source.rawValue)].firstMatch(subject)
    return found.route == .max ? nil : RouteMatch(index: Int(found.route))
  }

  /// The lane of a message, and into `fields` what its route adds: the prefix and the key anew, the
  /// route's attributes behind those that are there. A topic that is new makes a lane.
  ///
  /// Records of one `sender` without a key stay in order.
  mutating func resolve<Values: TemplateValues & ~Copyable & ~Escapable>(
    _ match: RouteMatch, subject: RawSpan, values: borrowing Values, sender: UInt64,
    into fields: inout RouteFields
  ) -> LaneResolution {
    let route = routes[match.index]
    var captures = RouteCaptures()
    if !route.places.isEmpty, let first = route.source.firstLevel(of: subject) {
      captures = RouteCaptures(subject, from: first, places.span.extracting(route.places))
    }
    let subject = RouteSubject(route.source, subject, captures: captures)
    var first = route.lane
    var isMapped = false
    if first == nil {
      do throws(RouteRefusal) {
        first = try templatedLane(route, subject, values, isMapped: &isMapped)
      } catch {
        return .refused(error)
      }
    }
    guard let first else { return .refused(.missingValue) }
    fields.key.removeAll()
    if !templates.expand(route.key, subject, values, to: &fields.key) { fields.key.removeAll() }
    appendAttributes(route, subject, values, to: &fields.attributes)
    let keyHash = RecordOrder.hash(ofKey: fields.key.bytes)
    let lane = partition(of: match, route, first, key: fields.key.isEmpty ? nil : keyHash)
    fields.prefix.removeAll()
    fields.prefix.append(prefix(of: lane))
    fields.prefix.append(templates.bytes(of: route.constants))
    let orderHash: UInt64
    switch route.order {
    case .key: orderHash = fields.key.isEmpty ? mixed(sender) : keyHash
    case .topic: orderHash = RecordOrder.topicHash
    case .none:
      unordered &+= 1
      orderHash = mixed(unordered)
    }
    return .lane(
      ResolvedLane(
        lane: lane, orderHash: orderHash, acknowledgement: route.acknowledgement,
        isMapped: isMapped))
  }

  /// `msg_id{topic_name}` and `producer_name` of a lane, encoded.
  @_lifetime(borrow self)
  private func prefix(of lane: LaneID) -> RawSpan {
    let index = Int(lane.rawValue)
    return prefixes.bytes.extracting((index == 0 ? 0 : prefixEnds[index - 1])..<prefixEnds[index])
  }

  /// The key's partition as Danube's clients choose it, FNV-1a modulo their number; each in turn
  /// for records without a key.
  private mutating func partition(
    of match: RouteMatch, _ route: Route, _ first: LaneID, key: UInt64?
  ) -> LaneID {
    guard route.partitions > 0 else { return first }
    let number: UInt32
    if let key {
      number = UInt32(truncatingIfNeeded: key % UInt64(route.partitions))
    } else {
      number = nextPartitions[match.index]
      nextPartitions[match.index] = (number + 1) % route.partitions
    }
    return LaneID(rawValue: first.rawValue + number)
  }

  private mutating func appendAttributes<Values: TemplateValues & ~Copyable & ~Escapable>(
    _ route: Route, _ subject: borrowing RouteSubject, _ values: borrowing Values,
    to output: inout GrowableBytes
  ) {
    for index in route.attributes {
      value.removeAll()
      guard templates.expand(attributes[index].value, subject, values, to: &value) else { continue }
      RecordFields.appendAttribute(
        templates.bytes(of: attributes[index].name), value.bytes, to: &output)
    }
  }

  /// The lane of a topic with placeholders, or of its first partition.
  private mutating func templatedLane<Values: TemplateValues & ~Copyable & ~Escapable>(
    _ route: Route, _ subject: borrowing RouteSubject, _ values: borrowing Values,
    isMapped: inout Bool
  ) throws(RouteRefusal) -> LaneID {
    topic.removeAll()
    isMapped = try templates.expandTopic(
      route.topic, subject, values, maps: route.mapsTopicValues, to: &topic)
    guard let known = topics.find(topic.bytes) else { return try addTopic(route) }
    guard known.partitions == route.partitions, known.isReliable == route.isReliable,
      // What goes to the disk always is there for those who ask for less.
      known.storage == route.policy.storage
        || known.storage == .always && route.policy.storage == .spill
    else {
      throw .conflictingTopic
    }
    return known.lane
  }

  /// Makes the lanes of the topic at hand.
  private mutating func addTopic(_ route: Route) throws(RouteRefusal) -> LaneID {
    let name = [UInt8](copying: topic.bytes)
    let new = LaneDescription.lanes(
      of: name, partitions: Int(route.partitions),
      isReliable: route.isReliable,
      policy: route.policy, gatewayName: gatewayName)
    // All of them or none: half the partitions are no topic.
    guard lanes.capacity - lanes.count >= new.count else { throw .tooManyTopics }
    var first: LaneID?
    for lane in new {
      guard let id = lanes.append(lane) else { throw .tooManyTopics }
      first = first ?? id
      appendPrefix(of: lane)
    }
    guard let first else { throw .tooManyTopics }
    topics.insert(
      name.rawBytes,
      TopicRegistry.Entry(
        lane: first, partitions: route.partitions, isReliable: route.isReliable,
        storage: route.policy.storage))
    return first
  }
}
