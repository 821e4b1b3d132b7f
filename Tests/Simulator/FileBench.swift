import Bytes
import IOPort

/// Does one operation on files after the other through a port, for tests of ports and of what is on
/// disks.
public struct FileBench<Port: IOPort & ~Copyable>: ~Copyable {
  /// The port.
  public var port: Port
  private var operations = OperationQueue()
  private var number: UInt32 = 0
  /// Lets time pass; a port that waits by itself needs none.
  private let pass: () -> Void

  /// Works through `port`; `pass` is called whenever nothing completes.
  public init(port: consuming Port, pass: @escaping () -> Void = {}) {
    self.port = port
    self.pass = pass
  }

  private mutating func nextToken() -> Token {
    number += 1
    return Token(owner: 9, verb: 1, slot: SlotID(index: number, generation: 0))
  }

  /// What becomes of the operation with a token; nil when nothing does.
  private mutating func wait(for token: Token) -> FileEvent? {
    port.submit(&operations)
    for _ in 0..<200 {
      port.wait(until: port.now.advanced(milliseconds: 100))
      while let completion = port.next() {
        guard completion.token == token else { continue }
        switch consume completion.event {
        case .file(let event): return event
        case .closed: return .done
        default: return nil
        }
      }
      pass()
    }
    return nil
  }

  /// Opens a file.
  public mutating func open(
    _ name: FileName, in directory: Descriptor, _ mode: FileMode
  ) -> FileEvent? {
    let token = nextToken()
    operations.open(name, in: directory, mode, token: token)
    return wait(for: token)
  }

  /// Does work that names no memory and no file.
  public mutating func work(_ operation: FileOperation) -> FileEvent? {
    let token = nextToken()
    operations.append(.file(operation), token: token)
    return wait(for: token)
  }

  /// Removes a name.
  public mutating func remove(_ name: FileName, from directory: Descriptor) -> FileEvent? {
    let token = nextToken()
    operations.remove(name, from: directory, token: token)
    return wait(for: token)
  }

  /// Gives a file another name.
  public mutating func rename(
    _ name: FileName, to newName: FileName, in directory: Descriptor
  ) -> FileEvent? {
    let token = nextToken()
    operations.rename(name, to: newName, in: directory, token: token)
    return wait(for: token)
  }

  /// Writes bytes in up to `slices` slices.
  public mutating func write(
    _ bytes: [UInt8], to file: Descriptor, offset: UInt64, slices: Int = 1
  ) -> FileEvent? {
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(bytes.count, 1), alignment: 16)
    defer { memory.deallocate() }
    memory.copyBytes(from: bytes)
    guard let base = memory.baseAddress else { return nil }
    let first = operations.beginSend()
    let step = max((bytes.count + slices - 1) / slices, 1)
    for start in stride(from: 0, to: bytes.count, by: step) {
      operations.appendSlice(
        MemorySlice(baseAddress: base + start, count: min(step, bytes.count - start)))
    }
    let token = nextToken()
    operations.endWrite(to: file, offset: offset, from: first, token: token)
    return wait(for: token)
  }

  /// Reads at most `count` bytes; nil when that failed.
  public mutating func read(_ file: Descriptor, offset: UInt64, count: Int) -> [UInt8]? {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
    defer { memory.deallocate() }
    guard let base = memory.baseAddress else { return nil }
    let token = nextToken()
    operations.append(
      .file(.read(file, offset: offset, into: MutableMemorySlice(baseAddress: base, count: count))),
      token: token)
    guard case .transferred(let taken) = wait(for: token) else { return nil }
    return Array(memory[..<taken])
  }

  /// Closes a file or directory.
  public mutating func close(_ descriptor: Descriptor) -> Bool {
    let token = nextToken()
    operations.append(.close(descriptor), token: token)
    if case .done = wait(for: token) { return true }
    return false
  }

  /// Takes the port out.
  public consuming func takePort() -> Port { port }
}

extension FileEvent {
  /// The descriptor of an opened file.
  public var descriptor: Descriptor? {
    if case .opened(let descriptor, _) = self { descriptor } else { nil }
  }

  /// Why it failed.
  public var failure: IOError.Kind? {
    if case .failed(let error) = self { error.kind } else { nil }
  }

  /// Whether it is done.
  public var isDone: Bool {
    if case .done = self { true } else { false }
  }

  /// Bytes transferred.
  public var transferred: Int? {
    if case .transferred(let count) = self { count } else { nil }
  }
}
