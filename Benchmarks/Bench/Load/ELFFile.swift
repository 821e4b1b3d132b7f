import Glibc
import Uring

/// The size of an executable without what `strip` removes.
enum ELFFile {
  /// Bytes of its loaded segments and their headers (elf(5)): what is left when symbols and debug
  /// information are gone, but for some hundred bytes. 0 when it is no 64-bit ELF file.
  static func strippedBytes(of path: String) -> Int {
    guard let bytes = try? FileReading.readFile(path, limitBytes: 1 << 30),
      bytes.count > 64, bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2, 1])
    else { return 0 }
    func number(at offset: Int, _ width: Int) -> Int {
      guard offset >= 0, offset + width <= bytes.count else { return 0 }
      return bytes[offset..<offset + width].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    let table = number(at: 32, 8)
    let entryBytes = number(at: 54, 2)
    var end = table
    for index in 0..<number(at: 56, 2) {
      let entry = table + index * entryBytes
      // PT_LOAD: p_offset at 8, p_filesz at 32.
      if number(at: entry, 4) == 1 {
        end = max(end, number(at: entry + 8, 8) + number(at: entry + 32, 8))
      }
    }
    return end
  }
}

/// The shared libraries of a running process.
enum SharedLibraries {
  /// Those that are mapped, each with the size of its file, bytes.
  static func loaded(by process: Int32, except binary: String) -> [(name: String, bytes: Int)] {
    let maps = try? FileReading.readFile("/proc/\(process)/maps", limitBytes: 4 << 20)
    var paths: [Substring] = []
    let text = String(decoding: maps ?? [], as: UTF8.self)
    for line in text.split(separator: "\n") {
      guard let start = line.firstIndex(of: "/") else { continue }
      let path = line[start...]
      if path.contains(".so"), !paths.contains(path) { paths.append(path) }
    }
    return paths.map { path in
      var status = stat()
      let isThere = unsafe stat(String(path), &status) == 0
      let name = path.split(separator: "/").last.map(String.init) ?? ""
      return (name, isThere ? Int(status.st_size) : 0)
    }.sorted { $0.name < $1.name }
  }
}
