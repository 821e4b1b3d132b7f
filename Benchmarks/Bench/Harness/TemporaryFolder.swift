import Glibc

/// A folder that goes, with the files in it and one level of folders below, when it ends.
struct TemporaryFolder: ~Copyable {
  /// Without a slash at the end.
  let path: String

  /// Makes one in `parent`.
  init(in parent: String) throws(BenchError) {
    var template = Array("\(parent)/danube-bench-XXXXXX".utf8CString)
    let made = unsafe template.withUnsafeMutableBufferPointer { place in
      guard let base = place.baseAddress, unsafe mkdtemp(base) != nil else { return "" }
      return unsafe String(cString: base)
    }
    guard !made.isEmpty else {
      throw .failed("no folder can be made in \(parent): name another one with --folder")
    }
    path = made
  }

  deinit { Self.remove(path) }

  /// Removes a folder and what is in it.
  static func remove(_ path: String) {
    guard let names = unsafe opendir(path) else { return }
    var found: [String] = []
    while let entry = unsafe readdir(names) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { place in
        unsafe place.withMemoryRebound(to: CChar.self, capacity: 256) { text in
          unsafe String(cString: text)
        }
      }
      if name != ".", name != ".." { found.append(name) }
    }
    unsafe closedir(names)
    for name in found where unsafe unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
    unsafe rmdir(path)
  }
}
