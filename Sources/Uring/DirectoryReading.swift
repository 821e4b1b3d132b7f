import CLinux
import IOPort

/// The names in a directory.
enum DirectoryReading {
  /// The files of an open directory with their sizes, by name. Names that no ``FileName`` can hold
  /// are left out, and so is whatever is no file.
  static func files(
    in fileDescriptor: Int32
  ) throws(IOError) -> [(name: FileName, bytes: UInt64)] {
    guard let names = unsafe clinux_open_names(fileDescriptor) else {
      throw KernelError.ioError(clinux_errno())
    }
    defer { unsafe closedir(names) }
    var found: [(name: FileName, bytes: UInt64)] = []
    while let text = unsafe clinux_next_name(names) {
      let name = unsafe String(cString: text)
      // A name that vanishes meanwhile, or that stands for no file, is none of ours.
      guard let name = FileName(name),
        case let bytes = unsafe clinux_file_bytes_at(
          fileDescriptor, text), bytes >= 0
      else { continue }
      found.append((name, UInt64(bytes)))
    }
    let code = clinux_errno()
    guard code == 0 else { throw KernelError.ioError(code) }
    return found.sorted { $0.name < $1.name }
  }
}
