import Bytes
import CLinux
public import IOPort

extension Uring {
  /// Slices of one write at most: the kernel's UIO_MAXIOV.
  private static var sliceLimit: Int { 1_024 }

  /// Opens a directory; it and its parents are made where they are missing.
  public mutating func openDirectory(_ path: String) throws(IOError) -> Descriptor {
    do throws(FileLock.Failure) {
      try FileLock.makeDirectories(path)
    } catch {
      guard case .failed(_, let code) = error else { throw IOError(.other) }
      throw KernelError.ioError(code)
    }
    return try DirectoryReading.open(path, in: &descriptors)
  }

  /// The files of a directory with their sizes, by name.
  public mutating func files(
    in directory: Descriptor
  ) throws(IOError) -> [(name: FileName, bytes: UInt64)] {
    guard let place = openPlace(directory) else { throw IOError(.cancelled) }
    return try DirectoryReading.files(in: descriptors[place].fileDescriptor)
  }

  mutating func submit(
    _ operation: FileOperation, token: Token, slices: Span<MemorySlice>, names: Span<FileName>
  ) {
    switch operation {
    case .open(let directory, let name, let mode):
      guard let place = openPlace(directory) else { return holdCancelled(token) }
      let userData = begin(.open, on: place, token: token)
      ring.open(
        names[Int(name)], in: descriptors[place].fileDescriptor, flags: Self.flags(mode),
        userData: userData)
    case .allocate(let file, let bytes):
      guard let place = openPlace(file) else { return holdCancelled(token) }
      let userData = begin(.fileWork, on: place, token: token)
      ring.allocate(
        descriptors[place].fileDescriptor, byteCount: Int(clamping: bytes), userData: userData)
    case .truncate(let file, let bytes):
      guard let place = openPlace(file) else { return holdCancelled(token) }
      // Not through the ring: kernels before 6.9 have no such operation.
      let code = clinux_truncate(descriptors[place].fileDescriptor, Int(clamping: bytes))
      ring.counters.otherCalls &+= 1
      hold(
        .file(code == 0 ? .done : .failed(KernelError.ioError(code))), token: token)
    case .write(let file, let offset, let first, let count):
      guard let place = openPlace(file) else { return holdCancelled(token) }
      let userData = begin(.transfer, on: place, token: token)
      let taken = min(Int(count), Self.sliceLimit)
      ring.write(
        descriptors[place].fileDescriptor, offset: offset,
        slices: slices.extracting(Int(first)..<Int(first) + taken), userData: userData)
    case .read(let file, let offset, let memory):
      guard let place = openPlace(file) else { return holdCancelled(token) }
      let userData = begin(.transfer, on: place, token: token)
      ring.read(
        descriptors[place].fileDescriptor, offset: offset, into: memory, userData: userData)
    case .sync(let file):
      guard let place = openPlace(file) else { return holdCancelled(token) }
      let userData = begin(.fileWork, on: place, token: token)
      ring.sync(
        descriptors[place].fileDescriptor, dataOnly: !descriptors[place].isDirectory,
        userData: userData)
    case .remove(let directory, let name):
      guard let place = openPlace(directory) else { return holdCancelled(token) }
      let userData = begin(.fileWork, on: place, token: token)
      ring.remove(
        names[Int(name)], from: descriptors[place].fileDescriptor, userData: userData)
    case .rename(let directory, let name, let newName):
      guard let place = openPlace(directory) else { return holdCancelled(token) }
      let userData = begin(.fileWork, on: place, token: token)
      ring.rename(
        names[Int(name)], to: names[Int(newName)], in: descriptors[place].fileDescriptor,
        userData: userData)
    }
  }

  private mutating func holdCancelled(_ token: Token) {
    hold(.file(.failed(IOError(.cancelled))), token: token)
  }

  private static func flags(_ mode: FileMode) -> Int32 {
    switch mode {
    case .read: O_RDONLY
    case .update: O_RDWR
    case .create: O_RDWR | O_CREAT | O_EXCL
    }
  }

  /// The completion of work on a file.
  mutating func fileCompletion(_ completion: KernelCompletion, _ place: UInt32) -> Completion {
    let operation = operations[place]
    finish(place)
    guard completion.result >= 0 else {
      let error = KernelError.ioError(-completion.result)
      return Completion(token: operation.token, event: .file(.failed(error)))
    }
    switch operation.kind {
    case .open: return opened(completion.result, token: operation.token)
    case .transfer:
      return Completion(
        token: operation.token, event: .file(.transferred(Int(completion.result))))
    default: return Completion(token: operation.token, event: .file(.done))
    }
  }

  private mutating func opened(_ fileDescriptor: Int32, token: Token) -> Completion {
    let bytes = clinux_file_bytes(fileDescriptor)
    ring.counters.otherCalls &+= 1
    guard bytes >= 0, let place = descriptors.insert(fileDescriptor) else {
      Sockets.close(fileDescriptor)
      let error =
        bytes < 0 ? KernelError.ioError(Int32(clamping: -bytes)) : IOError(.resourcesExhausted)
      return Completion(token: token, event: .file(.failed(error)))
    }
    return Completion(
      token: token,
      event: .file(.opened(descriptors.descriptor(of: place), bytes: UInt64(bytes))))
  }
}
