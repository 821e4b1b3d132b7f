import Bytes
import IOPort

/// The disk of a host. It outlives the ports there: a new process finds what the one before left,
/// after a ``losePower()`` only what was durable.
///
/// Model: a write is seen by readers when it completes. A sync makes durable what had completed
/// when the sync was asked for, and perhaps more. Without power every sector (512 bytes) of what is
/// not durable is kept or lost on its own; so are changes of a directory's names.
public final class SimulatedDisk {
  /// What goes wrong from now on.
  public var faults = DiskFaults()
  /// How often what went wrong.
  public internal(set) var faultCounts = DiskFaultCounts()
  /// Bytes of all files at most.
  public var capacityBytes = Int.max
  /// While set every write, allocation and change of names fails with `readOnly`.
  public var isReadOnly = false
  /// Operations that took effect so far, or failed.
  public private(set) var operationCount = 0
  /// Bytes that writes took.
  public private(set) var writtenBytes = 0
  /// Syncs that succeeded.
  public internal(set) var syncCount = 0
  /// Is called before and after each operation takes effect: number 2n before the n-th, 2n + 1
  /// after it, before its owner hears of it. A test may stop processes and power there.
  public var onOperation: ((Int) -> Void)?

  var directories: [String: SimulatedDirectory] = [:]
  private(set) var sequence: UInt64 = 0
  private var random: SplitMix64

  init(seed: UInt64) { random = SplitMix64(seed: seed ^ 0x6469_736b) }

  /// Bytes of all files that readers see.
  public var usedBytes: Int {
    directories.values.reduce(0) { $0 + $1.files.values.reduce(0) { $0 + $1.bytes } }
  }

  /// How many files of a directory have such a name, and their bytes.
  public func fileCount(
    in path: String, _ matches: (String) -> Bool
  ) -> (count: Int, bytes: Int) {
    var result = (count: 0, bytes: 0)
    for (name, file) in directories[path]?.files ?? [:] where matches(name.description) {
      result.count += 1
      result.bytes += file.bytes
    }
    return result
  }

  /// The names that readers see, in order.
  public func names(in path: String) -> [FileName] {
    (directories[path]?.files.keys).map { names in
      names.sorted { $0.description < $1.description }
    } ?? []
  }

  /// What readers see of a file; nil when there is none.
  public func content(of name: FileName, in path: String) -> [UInt8]? {
    directories[path]?.files[name]?.content
  }

  /// Puts a file there, durable: for damaged copies and fixtures.
  public func put(_ content: [UInt8], as name: FileName, in path: String) {
    let directory = directory(path)
    sequence += 1
    let file = SimulatedFile()
    file.write(content, at: 0, sequence: sequence)
    file.sync(upTo: sequence)
    directory.change(.add(name, file), sequence: sequence)
    directory.sync(upTo: sequence)
  }

  /// Removes a file, durably, as a person might.
  public func discard(_ name: FileName, in path: String) {
    sequence += 1
    directories[path]?.change(.remove(name), sequence: sequence)
    directories[path]?.sync(upTo: sequence)
  }

  /// Flips a bit of a file.
  public func flip(bit: Int, ofByte index: Int, of name: FileName, in path: String) {
    faultCounts.flippedBits += 1
    directories[path]?.files[name]?.flip(bit: bit, ofByte: index)
  }

  /// Power is gone: what was not durable is lost, whole or in part. The host's ports are to be
  /// killed as well.
  public func losePower() {
    // In the order of names: that of a dictionary differs from run to run.
    for path in directories.keys.sorted() {
      guard let directory = directories[path] else { continue }
      var files: [SimulatedFile] = []
      for name in directory.files.keys.sorted(by: { $0.description < $1.description }) {
        if let file = directory.files[name] { files.append(file) }
      }
      faultCounts.lostNames += directory.losePower(random: &random)
      // Files whose removal was lost come back; they lose what was not durable, too.
      for name in directory.files.keys.sorted(by: { $0.description < $1.description }) {
        if let file = directory.files[name], !files.contains(where: { $0 === file }) {
          files.append(file)
        }
      }
      for file in files {
        let (lost, garbled) = file.losePower(
          random: &random, garbledPerMille: faults.garbledPerMille)
        faultCounts.lostSectors += lost
        faultCounts.flippedBits += garbled
      }
    }
  }

  func directory(_ path: String) -> SimulatedDirectory {
    if let directory = directories[path] { return directory }
    let directory = SimulatedDirectory(path: path)
    directories[path] = directory
    return directory
  }

  /// Makes the disk's next number.
  func nextSequence() -> UInt64 {
    sequence += 1
    return sequence
  }

  func happens(_ perMille: Int) -> Bool {
    perMille > 0 && Int.random(in: 0..<1_000, using: &random) < perMille
  }

  func draw(in range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

  func count(written bytes: Int) { writtenBytes += bytes }

  /// An operation is about to take effect.
  func willOperate() { onOperation?(2 * operationCount) }

  /// An operation took effect.
  func didOperate() {
    operationCount += 1
    onOperation?(2 * operationCount - 1)
  }
}
