import Bytes
import Glibc
import IOPort

/// A file or directory that a port has open.
final class OpenFile {
  enum Target {
    case directory(SimulatedDirectory)
    case file(SimulatedFile, isWritable: Bool)
  }

  let descriptor: Descriptor
  let target: Target
  let disk: SimulatedDisk
  var underWay = 0
  var closeToken: Token?

  init(descriptor: Descriptor, target: Target, disk: SimulatedDisk) {
    self.descriptor = descriptor
    self.target = target
    self.disk = disk
  }
}

/// Work on a file that the kernel has taken.
final class DiskRequest {
  enum Work {
    case open(FileName, FileMode)
    case allocate(Int)
    case truncate(Int)
    case write(offset: Int, slices: [MemorySlice])
    case read(offset: Int, MutableMemorySlice)
    case sync(upTo: UInt64)
    case remove(FileName)
    case rename(FileName, to: FileName)
  }

  let token: Token
  let node: SimulatedNode
  let file: OpenFile
  let work: Work
  /// What a write named when it was asked for.
  private(set) var copy: [UInt8] = []

  init(token: Token, node: SimulatedNode, file: OpenFile, work: Work) {
    self.token = token
    self.node = node
    self.file = file
    self.work = work
    if case .write(_, let slices) = work {
      for slice in slices { slice.withBytes { bytes in copy += bytes.withUnsafeBytes(Array.init) } }
    }
  }

  /// Whether the memory that a write named still holds what it held.
  var isUntouched: Bool {
    guard case .write(_, let slices) = work else { return true }
    var offset = 0
    return copy.withUnsafeBytes { copied in
      for slice in slices where slice.count > 0 {
        guard let named = slice.address, let base = copied.baseAddress,
          memcmp(named, base + offset, slice.count) == 0
        else { return false }
        offset += slice.count
      }
      return true
    }
  }
}
