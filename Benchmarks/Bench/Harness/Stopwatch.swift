import Baseline
import BenchKit
import Glibc

/// What this process took since a moment: time, processor time, calls to the C heap, bytes to the
/// block device. For scenarios that run within the bench.
struct Stopwatch {
  private let flash: UInt64?
  private let heap: UInt64
  private let processor: UInt64
  private let began: UInt64

  /// Begins now; the process's peak of memory is counted anew.
  init() {
    // What takes long, or memory, comes first.
    ProcessFigures.resetPeakMemory()
    flash = ProcessFigures.writtenBytes(of: nil)
    heap = baseline_heap_calls()
    processor = Self.nanoseconds(CLOCK_PROCESS_CPUTIME_ID)
    began = Self.monotonicNanoseconds()
  }

  /// Seconds since then.
  var seconds: Double { Double(Self.monotonicNanoseconds() - began) / 1e9 }

  /// Fills in what it took a message since then. Peak and flash only where asked for.
  func fill(_ figure: inout Figure, messages: Int, storage: Bool = false) {
    let seconds = seconds
    let processor = Self.nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - processor
    let heap = baseline_heap_calls() - heap
    let count = Double(max(messages, 1))
    figure.messagesPerSecond = Double(messages) / seconds
    figure.processorNanoseconds = Double(processor) / count
    figure.heapCalls = Double(heap) / count
    guard storage else { return }
    figure.peakMemoryBytes = ProcessFigures.peakMemoryBytes(of: nil)
    if let before = flash, let after = ProcessFigures.writtenBytes(of: nil) {
      figure.flashBytes = Double(after - before) / count
    }
  }

  /// CLOCK_MONOTONIC.
  static func monotonicNanoseconds() -> UInt64 { nanoseconds(CLOCK_MONOTONIC) }

  static func nanoseconds(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    guard unsafe clock_gettime(clock, &time) == 0 else { return 0 }
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
