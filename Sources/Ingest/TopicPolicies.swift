public import Records
public import Settings

/// What the routes ask for of a topic of which only the name is known: one that the spool has from
/// an earlier start.
public struct TopicPolicies: Sendable {
  private let routes: [(topic: Template, partitions: Int, policy: LanePolicy)]

  /// Those of a configuration.
  public init(_ configuration: GatewayConfiguration) {
    let policies = RoutePolicies(configuration).policies
    routes = zip(configuration.routes, policies).map { ($0.topic, $0.partitions, $1) }
  }

  /// What all routes ask for that may have made a topic: of several the strictest, as where they
  /// name it. That of a route that says nothing, when none may.
  public func policy(of topic: [UInt8]) -> LanePolicy {
    var policy: LanePolicy?
    for route in routes {
      let name = route.partitions > 0 ? Self.base(of: topic) : topic[...]
      guard route.topic.mayMake(name) else { continue }
      policy?.join(route.policy)
      if policy == nil { policy = route.policy }
    }
    return policy ?? LanePolicy()
  }

  /// The topic without the mark of a partition.
  private static func base(of topic: [UInt8]) -> ArraySlice<UInt8> {
    let mark = Array(RouteTopic.partitionMark.utf8)
    var end = topic.count
    while end > 0, topic[end - 1] >= UInt8(ascii: "0"), topic[end - 1] <= UInt8(ascii: "9") {
      end -= 1
    }
    guard end < topic.count, topic[..<end].suffix(mark.count).elementsEqual(mark) else {
      return topic[...]
    }
    return topic[..<(end - mark.count)]
  }
}

extension Template {
  /// Whether some values of the placeholders make a text of this template.
  func mayMake(_ text: ArraySlice<UInt8>) -> Bool {
    var rest = text
    var isOpen = false
    for (number, part) in parts.enumerated() {
      guard case .literal(let bytes) = part else {
        isOpen = true
        continue
      }
      if number == parts.count - 1 {
        guard rest.count >= bytes.count, rest.suffix(bytes.count).elementsEqual(bytes) else {
          return false
        }
        return isOpen || rest.count == bytes.count
      }
      if !isOpen {
        guard rest.starts(with: bytes) else { return false }
        rest = rest.dropFirst(bytes.count)
      } else {
        guard let place = Self.firstPlace(of: bytes, in: rest) else { return false }
        rest = rest[(place + bytes.count)...]
      }
      isOpen = false
    }
    return isOpen || rest.isEmpty
  }

  private static func firstPlace(of bytes: [UInt8], in text: ArraySlice<UInt8>) -> Int? {
    var start = text.startIndex
    while text.endIndex - start >= bytes.count {
      if text[start...].starts(with: bytes) { return start }
      start += 1
    }
    return nil
  }
}
