/// The routes of one kind so far, to find one that takes all that a later one would: a mistake that
/// nobody would notice.
///
/// A tree of levels, so that the cost of a route does not grow with the number of those before it.
struct RouteCoverage {
  private struct Node {
    var literals: [[UInt8]: Int] = [:]
    var any: Int?
    /// The first route that ends here.
    var route: Int?
    /// The first route that goes on here with anything.
    var rest: Int?
    /// The first route at this node or below.
    var least = Int.max
  }

  private let isMQTT: Bool
  private var nodes = [Node()]

  /// No routes yet, of MQTT topics or of webhooks' paths.
  init(isMQTT: Bool) {
    self.isMQTT = isMQTT
  }

  /// Adds a route, which comes after those that were added before.
  mutating func insert(_ steps: [RouteStep], route: Int) {
    var node = 0
    for step in steps {
      nodes[node].least = min(nodes[node].least, route)
      switch step {
      case .literal(let bytes): node = child(of: node, bytes)
      case .any: node = anyChild(of: node)
      case .rest:
        nodes[node].rest = nodes[node].rest ?? route
        return
      }
    }
    nodes[node].least = min(nodes[node].least, route)
    nodes[node].route = nodes[node].route ?? route
  }

  private mutating func child(of node: Int, _ bytes: [UInt8]) -> Int {
    if let child = nodes[node].literals[bytes] { return child }
    nodes.append(Node())
    nodes[node].literals[bytes] = nodes.count - 1
    return nodes.count - 1
  }

  private mutating func anyChild(of node: Int) -> Int {
    if let child = nodes[node].any { return child }
    nodes.append(Node())
    nodes[node].any = nodes.count - 1
    return nodes.count - 1
  }

  /// The first route that takes all that `steps` would take; nil when none does. Several routes
  /// that only do so together are not found.
  func firstCover(of steps: [RouteStep]) -> Int? {
    var first = Int.max
    search(0, steps[...], &first)
    return first == .max ? nil : first
  }

  private func search(_ node: Int, _ steps: ArraySlice<RouteStep>, _ first: inout Int) {
    guard nodes[node].least < first else { return }
    guard let step = steps.first else {
      first = min(first, nodes[node].route ?? .max)
      // `a/#` takes `a` too (MQTT 5.0 §4.7.1.2).
      if isMQTT { first = min(first, nodes[node].rest ?? .max) }
      return
    }
    // [MQTT-4.7.2-1] Wildcards at the beginning do not stand for a level that begins with $.
    var isHidden = false
    if isMQTT, node == 0, case .literal(let bytes) = step {
      isHidden = bytes.first == UInt8(ascii: "$")
    }
    if !isHidden { first = min(first, nodes[node].rest ?? .max) }
    switch step {
    case .rest: break
    case .any:
      if let child = nodes[node].any { search(child, steps.dropFirst(), &first) }
    case .literal(let bytes):
      if let child = nodes[node].literals[bytes] { search(child, steps.dropFirst(), &first) }
      if let child = nodes[node].any, !isHidden, isMQTT || !bytes.isEmpty {
        search(child, steps.dropFirst(), &first)
      }
    }
  }
}
