import Bytes
import Glibc
import IOPort

extension SimulatedPort {
  /// Opens a directory of the host's disk; it is there as soon as somebody asks for it.
  public mutating func openDirectory(_ path: String) throws(IOError) -> Descriptor {
    guard !node.isDead else { throw IOError(.other) }
    guard let descriptor = node.takeDescriptor() else {
      throw IOError(.resourcesExhausted, code: EMFILE)
    }
    let disk = world.disk(of: node.host)
    node.openFiles[descriptor.rawValue] = OpenFile(
      descriptor: descriptor, target: .directory(disk.directory(path)), disk: disk)
    return descriptor
  }

  /// The files of a directory with their sizes, by name.
  public mutating func files(
    in directory: Descriptor
  ) throws(IOError) -> [(name: FileName, bytes: UInt64)] {
    guard case .directory(let directory) = openFile(directory).target else {
      throw IOError(.other, code: ENOTDIR)
    }
    return directory.files.map { (name: $0.key, bytes: UInt64($0.value.bytes)) }
      .sorted { $0.name.description < $1.name.description }
  }

  func submit(
    _ operation: FileOperation, token: Token, slices: [MemorySlice], names: [FileName]
  ) {
    switch operation {
    case .open(let directory, let name, let mode):
      submit(.open(names[Int(name)], mode), on: directory, token: token)
    case .allocate(let file, let bytes):
      submit(.allocate(Int(bytes)), on: file, token: token)
    case .truncate(let file, let bytes):
      submit(.truncate(Int(bytes)), on: file, token: token)
    case .write(let file, let offset, let first, let count):
      check(count > 0 && Int(first) + Int(count) <= slices.count, "a write of slices not named")
      check(count <= 1_024, "a write of more slices than a kernel takes")
      let named = Array(slices[Int(first)..<Int(first + count)])
      submit(.write(offset: Int(offset), slices: named), on: file, token: token)
    case .read(let file, let offset, let memory):
      submit(.read(offset: Int(offset), memory), on: file, token: token)
    case .sync(let file):
      submit(.sync(upTo: openFile(file).disk.sequence), on: file, token: token)
    case .remove(let directory, let name):
      submit(.remove(names[Int(name)]), on: directory, token: token)
    case .rename(let directory, let name, let newName):
      submit(.rename(names[Int(name)], to: names[Int(newName)]), on: directory, token: token)
    }
  }

  private func submit(_ work: DiskRequest.Work, on descriptor: Descriptor, token: Token) {
    let file = openFile(descriptor)
    check(file.closeToken == nil, "work on a file that is being closed")
    world.submit(DiskRequest(token: token, node: node, file: file, work: work))
  }

  private func openFile(_ descriptor: Descriptor) -> OpenFile {
    guard let file = node.openFiles[descriptor.rawValue] else {
      world.violation("descriptor \(descriptor.rawValue) is no open file", by: node)
    }
    return file
  }
}
