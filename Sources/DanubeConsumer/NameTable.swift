import Bytes

/// Names that messages share, each stored once while a message refers to it. A broker names few, so
/// that the one used last is nearly always the right one. O(names) otherwise.
struct NameTable {
  /// Names without references are kept up to here.
  private static let keptCount = 16

  private var names: [(bytes: [UInt8], references: Int)] = []
  private var last = 0

  /// The bytes of a name.
  subscript(index: Int) -> [UInt8] { names[index].bytes }

  /// Finds or adds a name and refers to it once more.
  mutating func refer(to name: RawSpan) -> Int {
    last = find(name) ?? add(name)
    names[last].references += 1
    return last
  }

  /// Refers to a name once less.
  mutating func release(_ index: Int) { names[index].references -= 1 }

  private func find(_ name: RawSpan) -> Int? {
    if last < names.count, name.isEqual(to: names[last].bytes) { return last }
    for index in names.indices where name.isEqual(to: names[index].bytes) { return index }
    return nil
  }

  private mutating func add(_ name: RawSpan) -> Int {
    if names.count >= Self.keptCount, let free = names.firstIndex(where: { $0.references == 0 }) {
      names[free].bytes = Array(copying: name)
      return free
    }
    names.append((Array(copying: name), 0))
    return names.count - 1
  }
}
