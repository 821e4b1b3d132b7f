import Bytes
import HTTP1

/// Fields and parameters of a head, found by their names.
enum HTTPFieldCheck {
  static func check(_ head: borrowing RequestHead) throws(Finding) {
    for index in 0..<head.fieldCount {
      let lower = Array(copying: head.fieldName(at: index)).map {
        (0x41...0x5A).contains($0) ? $0 | 0x20 : $0
      }
      try require(head.isField(at: index, named: lower.rawBytes), "a field is not found")
    }
    try checkQuery(head)
  }

  /// The first parameter of each name is found by its decoded name.
  private static func checkQuery(_ head: borrowing RequestHead) throws(Finding) {
    let query = Array(copying: head.query)
    var seen: Set<[UInt8]> = []
    for parameter in query.split(separator: 0x26, omittingEmptySubsequences: false).prefix(20) {
      let parts = parameter.split(separator: 0x3D, maxSplits: 1, omittingEmptySubsequences: false)
      let name = decoded(Array(parts[0]))
      // An empty name at the very end is no parameter to look for.
      if name.isEmpty || !seen.insert(name).inserted { continue }
      let value = parts.count > 1 ? Array(parts[1]) : []
      guard let found = head.queryValue(of: name.rawBytes) else {
        throw Finding("parameter \(name) is not found in \(query)")
      }
      try require(found.isEqual(to: value), "parameter \(name) has another value in \(query)")
    }
  }

  private static func decoded(_ bytes: [UInt8]) -> [UInt8] {
    var output = GrowableBytes()
    PercentEncoding.decode(bytes.rawBytes, isQuery: true, into: &output)
    return Array(copying: output.bytes)
  }
}
