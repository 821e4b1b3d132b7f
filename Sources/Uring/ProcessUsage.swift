import CLinux
import Glibc

/// What the process takes from the system, as the kernel counts it.
public enum ProcessUsage {
  /// Memory of the process that is in RAM, bytes; nil where it can't be read.
  public static func residentMemoryBytes() -> Int? {
    // Its second number counts pages (proc(5)). Where there is no /proc there is no number either.
    guard let bytes = try? FileReading.readFile("/proc/self/statm", limitBytes: 256) else {
      return nil
    }
    let words = bytes.split(separator: UInt8(ascii: " "))
    guard words.count > 1, let pages = Int(String(decoding: words[1], as: UTF8.self)) else {
      return nil
    }
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
  }

  /// Descriptors that are open; nil where they can't be counted. O(descriptors).
  public static func openDescriptorCount() -> Int? {
    guard let folder = unsafe opendir("/proc/self/fd") else { return nil }
    defer { unsafe closedir(folder) }
    var count = 0
    while unsafe readdir(folder) != nil { count += 1 }
    // Not "." and "..", nor the one that was used to look.
    return max(count - 3, 0)
  }

  /// Descriptors that may be open.
  public static func descriptorLimit() -> Int? {
    var limit = rlimit()
    guard unsafe clinux_get_descriptor_limit(&limit) == 0 else {
      return nil
    }
    return Int(clamping: limit.rlim_cur)
  }

  /// Processor time of the process, user and system, nanoseconds.
  public static func processorNanoseconds() -> UInt64? {
    processorNanoseconds(clock: CLOCK_PROCESS_CPUTIME_ID)
  }

  /// The clock of the calling thread's processor time, for any thread to read; 0 for none.
  public static func threadClock() -> Int32 {
    var clock = clockid_t()
    return unsafe pthread_getcpuclockid(pthread_self(), &clock) == 0 ? clock : 0
  }

  /// What a clock of processor time shows, nanoseconds; nil when its thread has ended.
  public static func processorNanoseconds(clock: Int32) -> UInt64? {
    var time = timespec()
    guard clock != 0, unsafe clock_gettime(clock, &time) == 0 else { return nil }
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
