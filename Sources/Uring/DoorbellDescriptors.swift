import CLinux
import Synchronization

/// The eventfds behind the doorbells of this process.
///
/// They are never closed, only handed on to the next port: whoever rings the bell of a port that
/// has ended writes to an eventfd still, and not to what the kernel gave its number to meanwhile.
enum DoorbellDescriptors {
  private static let idle = Mutex<[Int32]>([])

  /// An eventfd for a new port.
  static func take() throws(UringError) -> Int32 {
    if let known = idle.withLock({ $0.popLast() }) { return known }
    // Blocking: io_uring answers EAGAIN for what it finds in non-blocking mode.
    let fresh = eventfd(0, Int32(EFD_CLOEXEC))
    guard fresh >= 0 else {
      throw UringError(call: "eventfd", code: clinux_errno(), sysctl: nil)
    }
    return fresh
  }

  /// The port has ended.
  static func giveBack(_ fileDescriptor: Int32) {
    idle.withLock { $0.append(fileDescriptor) }
  }

  /// Adds one to the count that the port reads. By a plain call: it wakes the other thread at once,
  /// and through the ring a write to a blocking eventfd goes to a kernel thread.
  static func ring(_ fileDescriptor: Int32) {
    var one: UInt64 = 1
    // It can't fail short of 2^64 - 2 rings nobody heard, and a heard one is enough.
    _ = unsafe write(fileDescriptor, &one, 8)
  }
}
