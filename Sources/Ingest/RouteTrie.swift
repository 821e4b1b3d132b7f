import Bytes
package import Settings

/// Which of the routes takes an MQTT topic or the path of a webhook.
package enum RouteSource: UInt8, BitwiseCopyable, CaseIterable {
  /// An MQTT topic name (MQTT 5.0 §4.7).
  case mqtt
  /// The path of a request, as it was written.
  case webhook
}

/// The routes of one source as a tree of levels. `package`: the bench measures it by itself.
///
/// A look-up follows the levels of its subject: at each at most the child with these bytes and the
/// one that stands for any level. Its cost is that of the routes which match so far, whatever
/// others there are; a subtree whose routes all come later in the file than one found is passed
/// over.
package struct RouteTrie: Sendable {
  /// A route that matches, and what finding it took.
  package struct Found: BitwiseCopyable {
    /// Index of the first route that matches; `.max` for none.
    package var route = UInt32.max
    /// Nodes looked at, and places of the table of children: what the cost is.
    package var visits = 0

    mutating func take(_ candidate: UInt32) { route = min(route, candidate) }
  }

  private struct Node: BitwiseCopyable {
    /// The first route here or below.
    var least = UInt32.max
    /// The first route that ends here.
    var route = UInt32.max
    /// The first route that goes on with anything.
    var rest = UInt32.max
    /// The child for any level; 0 for none.
    var any: UInt32 = 0
    var hasLiterals = false
  }

  /// A child by its bytes, in an open-addressed table of all of them.
  private struct Edge: BitwiseCopyable {
    var hash: UInt64 = 0
    var parent: UInt32 = 0
    /// 0 where the place is free.
    var child: UInt32 = 0
    var start: UInt32 = 0
    var length: UInt32 = 0
  }

  let source: RouteSource
  private var nodes = [Node()]
  /// A power of two of places, at most half of them taken.
  private var edges = [Edge](repeating: Edge(), count: 16)
  private var edgeCount = 0
  private var texts: [UInt8] = []
  private var longestLiteral = 0

  package init(source: RouteSource) {
    self.source = source
  }

  /// Adds a route. The depth of its steps is limited where they are read.
  package mutating func insert(_ steps: [RouteStep], route: UInt32) {
    var node = 0
    for step in steps {
      nodes[node].least = min(nodes[node].least, route)
      switch step {
      case .literal(let bytes): node = insertChild(of: node, bytes)
      case .any:
        if nodes[node].any == 0 {
          nodes.append(Node())
          nodes[node].any = UInt32(nodes.count - 1)
        }
        node = Int(nodes[node].any)
      case .rest:
        nodes[node].rest = min(nodes[node].rest, route)
        return
      }
    }
    nodes[node].least = min(nodes[node].least, route)
    nodes[node].route = min(nodes[node].route, route)
  }

  /// The first route that takes the subject.
  package func firstMatch(_ subject: RawSpan) -> Found {
    var found = Found()
    guard let start = source.firstLevel(of: subject) else { return found }
    search(0, subject, from: start, &found)
    return found
  }

  /// `start` is where the next level begins, one beyond the end when there is none. Recurses as
  /// deep as the routes have levels.
  private func search(_ node: Int, _ subject: RawSpan, from start: Int, _ found: inout Found) {
    found.visits += 1
    let here = nodes[node]
    guard here.least < found.route else { return }
    if start > subject.byteCount {
      found.take(here.route)
      // `a/#` matches `a` too (MQTT 5.0 §4.7.1.2); of a path the slash has to be there.
      if source == .mqtt { found.take(here.rest) }
      return
    }
    // [MQTT-4.7.2-1] Wildcards at the beginning match no topic that begins with $.
    let isHidden = source == .mqtt && node == 0 && subject.octet(at: 0) == UInt8(ascii: "$")
    if !isHidden { found.take(here.rest) }
    let end = subject.endOfLevel(from: start)
    let child = here.hasLiterals ? child(of: node, subject.extracting(start..<end), &found) : 0
    let standsForAny = !isHidden && (source == .mqtt || end > start)
    let any = standsForAny ? Int(here.any) : 0
    // The one with the earlier route first: it may make the other needless.
    if child != 0, any != 0, nodes[any].least < nodes[child].least {
      search(any, subject, from: end + 1, &found)
      search(child, subject, from: end + 1, &found)
      return
    }
    if child != 0 { search(child, subject, from: end + 1, &found) }
    if any != 0 { search(any, subject, from: end + 1, &found) }
  }

  // MARK: Children by their bytes

  private static func hash(_ parent: Int, _ bytes: RawSpan) -> UInt64 {
    var hash = FNV1a()
    hash.combine(bytes)
    return mixed(hash.value ^ UInt64(parent) &* 0x9E37_79B9_7F4A_7C15)
  }

  private func child(of node: Int, _ bytes: RawSpan, _ found: inout Found) -> Int {
    guard bytes.byteCount <= longestLiteral else { return 0 }
    let hash = Self.hash(node, bytes)
    var place = Int(truncatingIfNeeded: hash) & (edges.count - 1)
    while edges[place].child != 0 {
      found.visits += 1
      let edge = edges[place]
      if edge.hash == hash, edge.parent == UInt32(node), text(of: edge, is: bytes) {
        return Int(edge.child)
      }
      place = (place + 1) & (edges.count - 1)
    }
    return 0
  }

  private func text(of edge: Edge, is bytes: RawSpan) -> Bool {
    guard Int(edge.length) == bytes.byteCount else { return false }
    let start = Int(edge.start)
    return texts.rawBytes.extracting(start..<start + bytes.byteCount).isEqual(to: bytes)
  }

  private mutating func insertChild(of node: Int, _ bytes: [UInt8]) -> Int {
    var found = Found()
    longestLiteral = max(longestLiteral, bytes.count)
    let known = child(of: node, bytes.rawBytes, &found)
    if known != 0 { return known }
    nodes.append(Node())
    nodes[node].hasLiterals = true
    let edge = Edge(
      hash: Self.hash(node, bytes.rawBytes), parent: UInt32(node),
      child: UInt32(nodes.count - 1), start: UInt32(texts.count), length: UInt32(bytes.count))
    texts += bytes
    edgeCount += 1
    if edgeCount * 2 > edges.count { grow() }
    place(edge)
    return nodes.count - 1
  }

  private mutating func place(_ edge: Edge) {
    var place = Int(truncatingIfNeeded: edge.hash) & (edges.count - 1)
    while edges[place].child != 0 { place = (place + 1) & (edges.count - 1) }
    edges[place] = edge
  }

  private mutating func grow() {
    let old = edges
    edges = [Edge](repeating: Edge(), count: old.count * 2)
    for edge in old where edge.child != 0 { place(edge) }
  }
}

extension RouteSource {
  /// Where the first level of a subject begins; nil when nothing can match it.
  func firstLevel(of subject: RawSpan) -> Int? {
    switch self {
    case .mqtt: subject.isEmpty ? nil : 0
    case .webhook: subject.byte(at: 0) == UInt8(ascii: "/") ? 1 : nil
    }
  }
}
