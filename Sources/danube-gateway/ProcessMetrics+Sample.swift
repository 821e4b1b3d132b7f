import Gateway
import Metrics
import Uring

extension ProcessMetrics {
  /// Reads what the process takes from the system now; what can't be read stays as it is.
  func sample() {
    if let bytes = ProcessUsage.residentMemoryBytes() { residentMemoryBytes.set(bytes) }
    if let count = ProcessUsage.openDescriptorCount() { openDescriptors.set(count) }
    if let limit = ProcessUsage.descriptorLimit() { descriptorLimit.set(limit) }
    if let time = ProcessUsage.processorNanoseconds() { processorTime.advance(to: time) }
    for loop in loopClocks {
      if let time = ProcessUsage.processorNanoseconds(clock: loop.clock) {
        loop.counter.advance(to: time)
      }
    }
  }
}
