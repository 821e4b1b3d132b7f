import Bytes

/// A state as it is written.
struct CursorImage: ~Copyable {
  var bytes = GrowableBytes()
  /// Bytes of the state; those behind are zeros.
  private(set) var stateBytes = 0
  private(set) var generation: UInt64 = 0

  mutating func set(_ state: CursorState, generation: UInt64) {
    bytes.removeAll(keepingCapacityUpTo: 1 << 20)
    state.encode(generation: generation, into: &bytes)
    stateBytes = bytes.count
    self.generation = generation
  }

  mutating func set(_ encoded: RawSpan, generation: UInt64) {
    bytes.removeAll(keepingCapacityUpTo: 0)
    bytes.append(encoded)
    stateBytes = encoded.byteCount
    self.generation = generation
  }

  /// Adds zeros until there are so many bytes.
  mutating func pad(to count: Int) { bytes.appendZeros(max(count - bytes.count, 0)) }

  mutating func release() {
    bytes.removeAll(keepingCapacityUpTo: 0)
    stateBytes = 0
  }
}
