import CLinux
import IOPort

/// Directories and the names in them.
enum DirectoryReading {
  /// Opens a directory that exists.
  static func open(
    _ path: String, in descriptors: inout DescriptorTable
  ) throws(IOError) -> Descriptor {
    let fileDescriptor = unsafe clinux_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    guard fileDescriptor >= 0 else { throw KernelError.ioError(clinux_errno()) }
    guard let place = descriptors.insert(fileDescriptor) else {
      Sockets.close(fileDescriptor)
      throw IOError(.resourcesExhausted)
    }
    descriptors[place].isDirectory = true
    return descriptors.descriptor(of: place)
  }

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
