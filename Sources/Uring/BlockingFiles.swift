import Bytes
import CLinux
public import IOPort

/// Files behind ``IOPort`` by ordinary calls, which block: for commands that look at files and do
/// nothing else. It needs no io_uring, so that a copied directory can be read on any machine.
///
/// It knows no sockets: asking for one ends with `notSupported`, or with nothing at all. Every
/// operation is done when it is submitted.
public struct BlockingFiles: IOPort, ~Copyable {
  private enum Held: BitwiseCopyable {
    case file(FileEvent)
    case closed
  }

  let isReadOnly: Bool
  var descriptors = DescriptorTable()
  private var held: [(token: Token, what: Held)] = []
  private var heldStart = 0
  /// The monotonic clock, as of the last `wait`.
  public private(set) var now = Clock.monotonic()
  private var timeOfDay = TimeOfDay()

  /// A port for files. One that `isReadOnly` refuses everything that would change the disk, with
  /// the error `readOnly`, and makes no directory.
  public init(isReadOnly: Bool) { self.isReadOnly = isReadOnly }

  deinit { for open in descriptors.openFileDescriptors() { Sockets.close(open) } }

  /// The time of day, Unix milliseconds, as of the last `wait`.
  public var unixMilliseconds: UInt64 { timeOfDay.unixMilliseconds }

  /// CLOCK_BOOTTIME, as of the last `wait`.
  public var bootMilliseconds: UInt64 { timeOfDay.bootMilliseconds }

  /// Whether the kernel calls the time of day synchronised.
  public var isClockSynchronised: Bool { timeOfDay.isSynchronised }

  /// Nothing: no sockets, and waits that do not wait.
  public var statistics: PortStatistics { PortStatistics() }

  /// One that nobody can ring.
  public var doorbell: Doorbell { Doorbell(rawValue: -1) }

  /// Always the error `notSupported`.
  public mutating func listen(
    on address: SocketAddress
  ) throws(IOError) -> (descriptor: Descriptor, bound: SocketAddress) {
    throw IOError(.notSupported)
  }

  /// Opens a directory that exists.
  public mutating func openDirectory(_ path: String) throws(IOError) -> Descriptor {
    try DirectoryReading.open(path, in: &descriptors)
  }

  /// The files of a directory with their sizes, by name.
  public mutating func files(
    in directory: Descriptor
  ) throws(IOError) -> [(name: FileName, bytes: UInt64)] {
    guard let place = descriptors.place(of: directory) else { throw IOError(.cancelled) }
    return try DirectoryReading.files(in: descriptors[place].fileDescriptor)
  }

  /// Does every operation, in order.
  public mutating func submit(_ operations: inout OperationQueue) {
    for entry in operations.entries {
      switch entry.operation {
      case .file(let operation):
        let event = perform(
          operation, slices: operations.slices.span, names: operations.names.span)
        held.append((entry.token, .file(event)))
      case .close(let descriptor):
        if let place = descriptors.place(of: descriptor) {
          Sockets.close(descriptors[place].fileDescriptor)
          descriptors.remove(place)
        }
        held.append((entry.token, .closed))
      default: break
      }
    }
    operations.removeAll()
  }

  /// Looks at the clocks.
  public mutating func wait(until deadline: Instant) {
    now = Clock.monotonic()
    _ = timeOfDay.read(at: now)
  }

  /// What became of an operation.
  public mutating func next() -> Completion? {
    guard heldStart < held.count else {
      held.removeAll(keepingCapacity: true)
      heldStart = 0
      return nil
    }
    heldStart += 1
    let (token, what) = held[heldStart - 1]
    return switch what {
    case .file(let event): Completion(token: token, event: .file(event))
    case .closed: Completion(token: token, event: .closed)
    }
  }
}
