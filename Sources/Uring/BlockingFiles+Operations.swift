import Bytes
import CLinux
import IOPort

// One call an operation, made at once.
extension BlockingFiles {
  mutating func perform(
    _ operation: FileOperation, slices: Span<MemorySlice>, names: Span<FileName>
  ) -> FileEvent {
    if isReadOnly, Self.changesTheDisk(operation) { return .failed(IOError(.readOnly)) }
    switch operation {
    case .open(let directory, let name, let mode):
      return open(names[Int(name)], in: directory, mode)
    case .allocate(let file, let bytes):
      return with(file) { entry in
        Self.event(clinux_allocate(entry.fileDescriptor, Int(clamping: bytes)))
      }
    case .truncate(let file, let bytes):
      return with(file) { entry in
        Self.event(clinux_truncate(entry.fileDescriptor, Int(clamping: bytes)))
      }
    case .write(let file, let offset, let first, let count):
      return with(file) { entry in
        Self.write(
          slices.extracting(Int(first)..<Int(first) + Int(count)), to: entry.fileDescriptor,
          at: offset)
      }
    case .read(let file, let offset, let memory):
      return with(file) { entry in
        unsafe Self.transferred(
          clinux_read_at(
            entry.fileDescriptor, memory.address, memory.count, Int(clamping: offset)))
      }
    case .sync(let file):
      return with(file) { entry in
        Self.event(clinux_sync(entry.fileDescriptor, entry.isDirectory ? 0 : 1))
      }
    case .remove(let directory, let name):
      return with(directory) { entry in
        let text = Text(names[Int(name)])
        return unsafe text.withPointer { name in
          unsafe Self.event(clinux_remove_at(entry.fileDescriptor, name))
        }
      }
    case .rename(let directory, let name, let newName):
      return with(directory) { entry in
        let (old, new) = (Text(names[Int(name)]), Text(names[Int(newName)]))
        return unsafe old.withPointer { old in
          unsafe new.withPointer { new in
            unsafe Self.event(clinux_rename_at(entry.fileDescriptor, old, new))
          }
        }
      }
    }
  }

  private static func changesTheDisk(_ operation: FileOperation) -> Bool {
    switch operation {
    case .open(_, _, let mode): mode != .read
    case .read: false
    case .allocate, .truncate, .write, .sync, .remove, .rename: true
    }
  }

  private func with(
    _ descriptor: Descriptor, _ body: (DescriptorTable.Entry) -> FileEvent
  ) -> FileEvent {
    guard let place = descriptors.place(of: descriptor) else {
      return .failed(IOError(.cancelled))
    }
    return body(descriptors[place])
  }

  private mutating func open(
    _ name: FileName, in directory: Descriptor, _ mode: FileMode
  ) -> FileEvent {
    guard let parent = descriptors.place(of: directory) else {
      return .failed(IOError(.cancelled))
    }
    let flags =
      switch mode {
      // A pipe in the place of a file would be waited for.
      case .read: O_RDONLY | O_NONBLOCK
      case .update: O_RDWR
      case .create: O_RDWR | O_CREAT | O_EXCL
      }
    let folder = descriptors[parent].fileDescriptor
    let text = Text(name)
    let answer = unsafe text.withPointer { unsafe clinux_open_at(folder, $0, flags, 0o640) }
    guard answer >= 0 else { return .failed(KernelError.ioError(-answer)) }
    let bytes = clinux_file_bytes(answer)
    guard bytes >= 0, let place = descriptors.insert(answer) else {
      Sockets.close(answer)
      return .failed(
        bytes < 0 ? KernelError.ioError(Int32(clamping: -bytes)) : IOError(.resourcesExhausted))
    }
    return .opened(descriptors.descriptor(of: place), bytes: UInt64(bytes))
  }

  /// Writes slice by slice; what was written before one failed is told as written.
  private static func write(
    _ slices: Span<MemorySlice>, to fileDescriptor: Int32, at offset: UInt64
  ) -> FileEvent {
    var written = 0
    for index in slices.indices {
      let slice = slices[index]
      guard slice.count > 0 else { continue }
      let count = unsafe clinux_write_at(
        fileDescriptor, slice.address, slice.count,
        Int(clamping: offset.addingReportingOverflow(UInt64(written)).partialValue))
      guard count >= 0 else {
        return written > 0 ? .transferred(written) : transferred(count)
      }
      written += count
      if count < slice.count { break }
    }
    return .transferred(written)
  }

  private static func transferred(_ answer: Int) -> FileEvent {
    answer >= 0
      ? .transferred(answer) : .failed(KernelError.ioError(Int32(clamping: -answer)))
  }

  /// The event for 0 or a positive error number.
  private static func event(_ code: Int32) -> FileEvent {
    code == 0 ? .done : .failed(KernelError.ioError(code))
  }

  /// A name as the C library takes it.
  private struct Text: BitwiseCopyable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    init(_ name: FileName) { words = name.words }

    func withPointer<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
      unsafe withUnsafeBytes(of: words) { bytes in
        guard let base = bytes.baseAddress else { preconditionFailure("a name of 32 bytes") }
        return unsafe body(base.assumingMemoryBound(to: CChar.self))
      }
    }
  }
}
