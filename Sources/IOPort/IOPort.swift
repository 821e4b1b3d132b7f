/// The one place where the gateway meets the world: the kernel (`Uring`) or a seeded simulator.
///
/// Deciders never see a port: they fill an ``OperationQueue`` and are fed with ``Completion``s and
/// the time. A loop owns one port and belongs to one thread.
public protocol IOPort: ~Copyable {
  /// The monotonic clock, as of the last `wait`.
  var now: Instant { get }
  /// The time of day, Unix milliseconds, as of the last `wait`.
  var unixMilliseconds: UInt64 { get }
  /// Since the machine was started, also while it slept, milliseconds, as of the last `wait`. How
  /// much later something happened is what this says, whatever the time of day is set to.
  var bootMilliseconds: UInt64 { get }
  /// Whether the kernel calls the time of day right: somebody synchronises it, or did lately.
  var isClockSynchronised: Bool { get }
  /// What was done so far, and how full the port is. Cheap enough for every turn.
  var statistics: PortStatistics { get }
  /// What other ports ring to wake this one.
  var doorbell: Doorbell { get }

  /// Opens a listening TCP socket. Port 0 takes a free one; the bound address is returned.
  mutating func listen(
    on address: SocketAddress
  ) throws(IOError) -> (descriptor: Descriptor, bound: SocketAddress)

  /// Opens a directory; it and its parents are made where they are missing.
  mutating func openDirectory(_ path: String) throws(IOError) -> Descriptor

  /// The files of a directory with their sizes, by name. Names that no ``FileName`` can hold are
  /// left out, and so are directories. It blocks, and allocates: for the start only.
  mutating func files(
    in directory: Descriptor
  ) throws(IOError) -> [(name: FileName, bytes: UInt64)]

  /// Takes every operation of the queue and empties it.
  mutating func submit(_ operations: inout OperationQueue)

  /// Hands submitted work over and waits until there is a completion or `deadline` has passed.
  /// With a deadline in the past it only looks.
  mutating func wait(until deadline: Instant)

  /// The next completion, nil when there is none now.
  mutating func next() -> Completion?
}
