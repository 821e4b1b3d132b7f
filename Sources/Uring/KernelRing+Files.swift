import Bytes
import CLinux
import IOPort

// Entries for files. Most are done by kernel threads: file systems block.
extension KernelRing {
  /// Opens a file of a directory.
  mutating func open(
    _ name: FileName, in directory: Int32, flags: Int32, userData: UInt64
  ) {
    makeRoom(slices: 0)
    let entry = unsafe nextEntry()
    unsafe clinux_prep_open(entry, directory, scratch.keep(name), flags, 0o640, userData)
  }

  /// Writes several runs of bytes, at most `UIO_MAXIOV` (1,024).
  mutating func write(
    _ fileDescriptor: Int32, offset: UInt64, slices: Span<MemorySlice>, userData: UInt64
  ) {
    makeRoom(slices: slices.count)
    let entry = unsafe nextEntry()
    unsafe clinux_prep_write(entry, fileDescriptor, scratch.keep(slices), offset, userData)
  }

  /// Reads from a file.
  mutating func read(
    _ fileDescriptor: Int32, offset: UInt64, into memory: MutableMemorySlice, userData: UInt64
  ) {
    unsafe clinux_prep_file_read(
      nextEntry(), fileDescriptor, memory.address, UInt32(clamping: memory.count), offset,
      userData)
  }

  /// Makes a file's content durable, or with `dataOnly` false all about it.
  mutating func sync(_ fileDescriptor: Int32, dataOnly: Bool, userData: UInt64) {
    unsafe clinux_prep_sync(nextEntry(), fileDescriptor, dataOnly ? 1 : 0, userData)
  }

  /// Reserves space for a file.
  mutating func allocate(_ fileDescriptor: Int32, byteCount: Int, userData: UInt64) {
    unsafe clinux_prep_allocate(nextEntry(), fileDescriptor, byteCount, userData)
  }

  /// Removes a name.
  mutating func remove(_ name: FileName, from directory: Int32, userData: UInt64) {
    makeRoom(slices: 0)
    let entry = unsafe nextEntry()
    unsafe clinux_prep_remove(entry, directory, scratch.keep(name), userData)
  }

  /// Gives a file another name.
  mutating func rename(
    _ name: FileName, to newName: FileName, in directory: Int32, userData: UInt64
  ) {
    makeRoom(slices: 0)
    let entry = unsafe nextEntry()
    unsafe clinux_prep_rename(
      entry, directory, scratch.keep(name), scratch.keep(newName), userData)
  }
}
