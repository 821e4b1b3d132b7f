import BenchLoad

/// A folder that goes, with all that is in it, when it ends, or when a signal ends the bench.
struct TemporaryFolder: ~Copyable {
  /// Without a slash at the end.
  let path: String

  /// Makes one in `parent`.
  init(in parent: String) throws(BenchError) {
    var template = Array("\(parent)/danube-bench-XXXXXX".utf8CString)
    let made = unsafe template.withUnsafeMutableBufferPointer { place in
      guard let base = place.baseAddress, unsafe bench_make_folder(base) == 0 else { return "" }
      return unsafe String(cString: base)
    }
    guard !made.isEmpty else {
      throw .failed("no folder can be made in \(parent): name another one with --folder")
    }
    path = made
  }

  deinit { Self.remove(path) }

  /// Removes a folder and what is in it.
  static func remove(_ path: String) { unsafe bench_remove_folder(path) }
}
