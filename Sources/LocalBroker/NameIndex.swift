import Bytes

/// Finds a number by a name without making an array of the name: by its FNV-1a hash, the few names
/// with an equal hash being told apart by the caller.
struct NameIndex {
  private var byHash: [UInt64: [Int]] = [:]

  private static func hash(_ name: RawSpan) -> UInt64 {
    var hash = FNV1a()
    hash.combine(name)
    return hash.value
  }

  mutating func insert(_ number: Int, name: [UInt8]) {
    byHash[Self.hash(name.rawBytes), default: []].append(number)
  }

  mutating func remove(_ number: Int, name: [UInt8]) {
    let hash = Self.hash(name.rawBytes)
    byHash[hash]?.removeAll { $0 == number }
    if byHash[hash]?.isEmpty == true { byHash[hash] = nil }
  }

  /// The first number under the name's hash that `matches`.
  func first(_ name: RawSpan, where matches: (Int) -> Bool) -> Int? {
    byHash[Self.hash(name)]?.first(where: matches)
  }
}
