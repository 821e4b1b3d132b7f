/// Bytes of files by the numbers of their segments.
struct FileSizes {
  private var bytes: [UInt32: UInt64] = [:]
  /// Bytes of all of them.
  private(set) var total: UInt64 = 0

  /// Whether there are none.
  var isEmpty: Bool { bytes.isEmpty }

  /// What is known of a segment's file; nil: nothing.
  subscript(segment: UInt32) -> UInt64? {
    get { bytes[segment] }
    set {
      total = total - (bytes[segment] ?? 0) + (newValue ?? 0)
      bytes[segment] = newValue
    }
  }
}
