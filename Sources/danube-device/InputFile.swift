import Glibc

/// A file, or the standard input, that is read from start to end.
struct InputFile: ~Copyable {
  private let path: String
  private let descriptor: Int32
  private var buffer: [UInt8] = []
  /// Where in the buffer the next line begins.
  private var position = 0
  private var isAtEnd = false

  /// Opens the file at `path`; `-` is the standard input.
  init(_ path: String) throws(DeviceError) {
    self.path = path
    descriptor = path == "-" ? 0 : unsafe open(path, O_RDONLY)
    guard descriptor >= 0 else {
      throw DeviceError(
        message: "\(path) cannot be read (errno \(errno))", exitCode: ExitCode.data)
    }
  }

  deinit {
    if descriptor > 2 { close(descriptor) }
  }

  /// The next line, without its end; nil after the last one. A last line without an end is one too.
  mutating func nextLine() throws(DeviceError) -> [UInt8]? {
    var searched = position
    while true {
      if let end = buffer[searched...].firstIndex(of: 0x0a) {
        defer { position = end + 1 }
        return Array(buffer[position..<end])
      }
      buffer.removeSubrange(..<position)
      position = 0
      searched = buffer.count
      if isAtEnd {
        defer { buffer = [] }
        return buffer.isEmpty ? nil : buffer
      }
      try readMore()
    }
  }

  /// All bytes that are left, up to `limit`; one more when there are more.
  mutating func readAll(limit: Int) throws(DeviceError) -> [UInt8] {
    while !isAtEnd, buffer.count <= limit { try readMore() }
    return buffer
  }

  private mutating func readMore() throws(DeviceError) {
    let start = buffer.count
    buffer.append(contentsOf: repeatElement(0, count: 65_536))
    var count: Int
    repeat {
      count = unsafe buffer.withUnsafeMutableBytes { memory in
        let free = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[start...])
        return unsafe read(descriptor, free.baseAddress, free.count)
      }
    } while count < 0 && errno == EINTR
    buffer.removeSubrange((start + max(0, count))...)
    guard count >= 0 else {
      throw DeviceError(
        message: "\(path) cannot be read (errno \(errno))", exitCode: ExitCode.data)
    }
    isAtEnd = count == 0
  }
}
