import IOPort

/// A file: what readers see, and what would be left of it without power.
final class SimulatedFile {
  /// A change of the content that is not durable.
  struct Change {
    /// When it was completed, in the order of the disk's completions.
    let sequence: UInt64
    let offset: Int
    var bytes: [UInt8]
    /// Set for a change of size alone, to more or to less.
    let size: Int?
    /// Whether what is behind the size is cut off.
    var cuts = false
    /// No sync will make it durable any more: one failed, or lied, while it was waiting.
    var isForgotten = false
    /// It is durable. It waits for what was forgotten before it, which must not come behind it.
    var isSynced = false
  }

  /// A disk writes that many bytes at once or not at all.
  static let sectorBytes = 512

  private(set) var content: [UInt8] = []
  private(set) var durable: [UInt8] = []
  private(set) var changes: [Change] = []

  var bytes: Int { content.count }

  func write(_ bytes: [UInt8], at offset: Int, sequence: UInt64) {
    Self.apply(bytes, at: offset, to: &content)
    changes.append(Change(sequence: sequence, offset: offset, bytes: bytes, size: nil))
  }

  func grow(to size: Int, sequence: UInt64) {
    guard size > content.count else { return }
    content += Array(repeating: 0, count: size - content.count)
    changes.append(Change(sequence: sequence, offset: 0, bytes: [], size: size))
  }

  func truncate(to size: Int, sequence: UInt64) {
    guard size < content.count else { return grow(to: size, sequence: sequence) }
    content.removeLast(content.count - size)
    changes.append(Change(sequence: sequence, offset: 0, bytes: [], size: size, cuts: true))
  }

  func read(at offset: Int, count: Int) -> ArraySlice<UInt8> {
    guard offset < content.count else { return [] }
    return content[offset..<min(offset + count, content.count)]
  }

  /// Makes durable what was completed up to `sequence`.
  func sync(upTo sequence: UInt64) {
    for index in changes.indices
    where changes[index].sequence <= sequence && !changes[index].isForgotten {
      changes[index].isSynced = true
    }
    let done = changes.firstIndex { !$0.isSynced } ?? changes.endIndex
    for change in changes[..<done] { Self.apply(change, to: &durable) }
    changes.removeSubrange(..<done)
  }

  /// A sync failed or lied: what it was to make durable is not tried again.
  func forget(upTo sequence: UInt64) {
    for index in changes.indices
    where changes[index].sequence <= sequence && !changes[index].isSynced {
      changes[index].isForgotten = true
    }
  }

  /// Power is gone: of what was not durable any set of sectors is left. Answers how many are not,
  /// and how many of the others have a bit flipped.
  func losePower(
    random: inout SplitMix64, garbledPerMille: Int = 0
  ) -> (lost: Int, garbled: Int) {
    var lost = 0
    var garbled = 0
    // All, nothing, or some: extremes are as likely as mixtures.
    let keepPerMille = [0, 1_000, 500, 900, 100].randomElement(using: &random) ?? 500
    for change in changes {
      if change.isSynced {
        Self.apply(change, to: &durable)
        continue
      }
      guard change.size == nil else {
        if Int.random(in: 0..<1_000, using: &random) < keepPerMille {
          Self.apply(change, to: &durable)
        }
        continue
      }
      var start = 0
      while start < change.bytes.count {
        // Pieces end where sectors of the disk end.
        let at = change.offset + start
        let end = min(
          start + Self.sectorBytes - at % Self.sectorBytes, change.bytes.count)
        if Int.random(in: 0..<1_000, using: &random) < keepPerMille {
          var sector = Array(change.bytes[start..<end])
          if garbledPerMille > 0, Int.random(in: 0..<1_000, using: &random) < garbledPerMille {
            sector[Int.random(in: 0..<sector.count, using: &random)] ^=
              1 << UInt8.random(in: 0..<8, using: &random)
            garbled += 1
          }
          Self.apply(sector, at: at, to: &durable)
        } else {
          lost += 1
        }
        start = end
      }
    }
    changes = []
    content = durable
    return (lost, garbled)
  }

  /// Flips a bit, on the disk and in the cache alike.
  func flip(bit: Int, ofByte index: Int) {
    guard index < content.count else { return }
    content[index] ^= 1 << UInt8(bit)
    if index < durable.count { durable[index] ^= 1 << UInt8(bit) }
    for place in changes.indices {
      let at = index - changes[place].offset
      if changes[place].bytes.indices.contains(at) { changes[place].bytes[at] ^= 1 << UInt8(bit) }
    }
  }

  private static func apply(_ change: Change, to content: inout [UInt8]) {
    if let size = change.size {
      if size > content.count {
        content += Array(repeating: 0, count: size - content.count)
      } else if change.cuts {
        content.removeLast(content.count - size)
      }
    } else {
      apply(change.bytes, at: change.offset, to: &content)
    }
  }

  private static func apply(_ bytes: [UInt8], at offset: Int, to content: inout [UInt8]) {
    let end = offset + bytes.count
    if end > content.count { content += Array(repeating: 0, count: end - content.count) }
    content.replaceSubrange(offset..<end, with: bytes)
  }
}

/// A directory: the names that readers see, and those that would be left without power.
final class SimulatedDirectory {
  /// A change of names that is not durable.
  enum Change {
    case add(FileName, SimulatedFile)
    case remove(FileName)
    case rename(FileName, to: FileName, SimulatedFile)
  }

  let path: String
  private(set) var files: [FileName: SimulatedFile] = [:]
  private var durable: [FileName: SimulatedFile] = [:]
  private var changes: [(sequence: UInt64, change: Change)] = []

  init(path: String) { self.path = path }

  func change(_ change: Change, sequence: UInt64) {
    Self.apply(change, to: &files)
    changes.append((sequence, change))
  }

  func sync(upTo sequence: UInt64) {
    for entry in changes where entry.sequence <= sequence { Self.apply(entry.change, to: &durable) }
    changes.removeAll { $0.sequence <= sequence }
  }

  /// Power is gone: the first changes are left, or any set of them. Answers how many are not.
  func losePower(random: inout SplitMix64) -> Int {
    var lost = 0
    let isPrefix = Bool.random(using: &random)
    let kept = Int.random(in: 0...changes.count, using: &random)
    for (index, entry) in changes.enumerated() {
      if isPrefix ? index < kept : Bool.random(using: &random) {
        Self.apply(entry.change, to: &durable)
      } else {
        lost += 1
      }
    }
    changes = []
    files = durable
    return lost
  }

  private static func apply(_ change: Change, to files: inout [FileName: SimulatedFile]) {
    switch change {
    case .add(let name, let file): files[name] = file
    case .remove(let name): files[name] = nil
    case .rename(let name, let newName, let file):
      files[name] = nil
      files[newName] = file
    }
  }
}
