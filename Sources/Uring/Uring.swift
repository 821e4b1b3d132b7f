import CLinux
public import IOPort

/// The kernel behind ``IOPort``: one io_uring with its buffers, sockets and doorbell.
///
/// It is made, used and ended on one thread: the kernel refuses any other
/// (IORING_SETUP_SINGLE_ISSUER). In steady state a turn costs one system call, which hands over
/// what was submitted and waits; nothing is allocated.
public struct Uring: IOPort, ~Copyable {
  var ring: KernelRing
  var buffers: BufferPool
  var operations = OperationTable()
  var descriptors = DescriptorTable()
  /// Completions that the port made itself, in order; they go before what the kernel has next.
  var held: [HeldCompletion] = []
  var heldStart = 0
  let limits: UringLimits
  var signals: SignalWatch?
  private let bell: Int32
  /// The monotonic clock, as of the last `wait`.
  public private(set) var now: Instant
  private var timeOfDay = TimeOfDay()

  /// Time spent in waits that were allowed to wait.
  private var waitedNanoseconds: UInt64 = 0

  /// The group of the provided buffers; a port has one.
  static var bufferGroup: UInt16 { 0 }

  /// Sets a ring up, tries out what the gateway needs of it, and takes a doorbell. The calling
  /// thread is the one that uses the port.
  public init(limits: UringLimits = UringLimits()) throws(UringError) {
    try self.init(limits: limits, modes: KernelRing.modes)
  }

  init(limits: UringLimits, modes: [UInt32]) throws(UringError) {
    var ring = try KernelRing(limits: limits, modes: modes)
    if let missing = ring.missingFeature() { throw .tooOld(feature: missing) }
    guard
      var buffers = BufferPool(
        count: limits.receiveBufferCount, bufferBytes: limits.receiveBufferBytes)
    else { throw .outOfMemory }
    let code = -ring.register(
      bufferRing: buffers.ringAddress, entries: buffers.count, group: Self.bufferGroup)
    if code != 0 {
      throw UringError(
        call: "IORING_REGISTER_PBUF_RING", code: code, sysctl: FileReading.ioUringDisabled())
    }
    _ = buffers.publishMore()
    try Self.probeMultishotReceive(&ring, &buffers)
    bell = try DoorbellDescriptors.take()
    self.ring = ring
    self.buffers = buffers
    self.limits = limits
    now = Clock.monotonic()
    self.ring.readCount(bell, userData: InternalData.doorbell)
  }

  deinit {
    Self.end(ring, operations: operations, descriptors: descriptors)
    if let signals { Sockets.close(signals.fileDescriptor) }
    DoorbellDescriptors.giveBack(bell)
  }

  /// What other ports ring to wake this one: token `.max` (all bits set) comes with `rung`.
  public var doorbell: Doorbell { Doorbell(rawValue: bell) }

  /// The time of day, Unix milliseconds, as of the last `wait`.
  public var unixMilliseconds: UInt64 { timeOfDay.unixMilliseconds }

  /// CLOCK_BOOTTIME, as of the last `wait`.
  public var bootMilliseconds: UInt64 { timeOfDay.bootMilliseconds }

  /// Whether the kernel calls the time of day synchronised, as of the last second.
  public var isClockSynchronised: Bool { timeOfDay.isSynchronised }

  /// What was done so far.
  public var counters: UringCounters { ring.counters }

  /// What was done so far, and how full the port is. What the kernel does for the port in a call
  /// that may wait counts as waiting.
  public var statistics: PortStatistics {
    var statistics = PortStatistics()
    statistics.waitedNanoseconds = waitedNanoseconds
    statistics.receiveBuffers = buffers.publishedCount
    statistics.receiveBufferLimit = buffers.count
    statistics.receiveBufferShortages = ring.counters.bufferShortages
    statistics.systemCalls =
      ring.counters.enterCalls &+ ring.counters.otherCalls &+ ring.counters.clockCalls
    return statistics
  }

  /// Sockets open now.
  public var openDescriptorCount: Int { descriptors.count }

  /// Received buffers that were not given back yet.
  public var heldBufferCount: Int { buffers.heldCount }

  /// Opens a listening TCP socket (SO_REUSEADDR; an IPv6 wildcard takes IPv4 too). Port 0 takes a
  /// free one; the bound address is returned.
  public mutating func listen(
    on address: SocketAddress
  ) throws(IOError) -> (descriptor: Descriptor, bound: SocketAddress) {
    let listener = try Sockets.listen(on: address, limits: limits)
    ring.counters.otherCalls &+= 6
    guard let place = descriptors.insert(listener.fileDescriptor) else {
      Sockets.close(listener.fileDescriptor)
      throw IOError(.resourcesExhausted)
    }
    return (descriptors.descriptor(of: place), listener.bound)
  }

  /// Hands submitted work over and waits until there is a completion or `deadline` has passed.
  /// With a deadline in the past it only looks, and makes no call when there is nothing to hand
  /// over. A signal ends the wait early.
  public mutating func wait(until deadline: Instant) {
    let isReady = heldStart < held.count || ring.hasCompletion
    let current = isReady ? now : Clock.monotonic()
    let mayWait = !isReady && current < deadline
    if mayWait || ring.wantsEnter {
      let nanoseconds: UInt64? =
        mayWait && deadline != .distantFuture ? deadline.nanoseconds(since: current) : nil
      let answer = ring.enter(minimum: mayWait ? 1 : 0, nanoseconds: nanoseconds)
      precondition(
        answer != -EEXIST, "a port is used by the thread that made it, and by no other")
    }
    now = Clock.monotonic()
    if mayWait { waitedNanoseconds &+= now.nanoseconds(since: current) }
    if timeOfDay.read(at: now) { ring.counters.clockCalls &+= 1 }
  }

  /// Rings a doorbell from a thread without a port of its own. The port that owns it may have
  /// ended: then at most another port wakes for nothing.
  public static func ring(_ doorbell: Doorbell) {
    DoorbellDescriptors.ring(doorbell.rawValue)
  }
}

/// User data of entries that stand for no operation of the port's owner.
enum InternalData {
  /// Completions that tell nothing: cancels, closes of what the owner never saw.
  static var ignored: UInt64 { .max }
  /// The read of our doorbell.
  static var doorbell: UInt64 { .max - 1 }
  /// The poll of the signal descriptor.
  static var signals: UInt64 { .max - 2 }
  /// The receive that tries out the kernel.
  static var probe: UInt64 { .max - 3 }

  /// Whether user data is one of these.
  static func contains(_ userData: UInt64) -> Bool { userData >> 63 == 1 }
}
