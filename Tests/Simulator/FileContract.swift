import Bytes
import IOPort

/// What every port promises about files, as steps that answer what went against it: the kernel and
/// the simulator are held to the same words.
public enum FileContract {
  /// Goes through the contract in an empty directory at `path`; the answer is empty when all is as
  /// promised.
  public static func violations<Port: IOPort & ~Copyable>(
    _ bench: inout FileBench<Port>, path: String
  ) throws -> [String] {
    var wrong: [String] = []
    func expect(_ isSo: Bool, _ what: String) { if !isSo { wrong.append(what) } }
    guard let one = FileName("one"), let two = FileName("two") else { return ["names"] }
    let directory = try bench.port.openDirectory(path)
    expect(try bench.port.files(in: directory).isEmpty, "a new directory is empty")
    expect(
      bench.open(one, in: directory, .read)?.failure == .notFound, "no file, no reading")
    guard case .opened(let file, 0) = bench.open(one, in: directory, .create) else {
      return wrong + ["a new file opens with 0 bytes"]
    }
    expect(
      bench.open(one, in: directory, .create)?.failure == .alreadyExists, "a file is made once")
    expect(bench.work(.allocate(file, bytes: 10_000))?.isDone == true, "space is reserved")
    let bytes = (0..<3_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    expect(
      bench.write(bytes, to: file, offset: 5_000, slices: 7)?.transferred == 3_000,
      "slices are written as one")
    expect(bench.read(file, offset: 5_000, count: 3_000) == bytes, "what was written is read")
    expect(
      bench.read(file, offset: 4_990, count: 12) == Array(repeating: 0, count: 10) + bytes[..<2],
      "reserved space reads as zeros")
    expect(bench.read(file, offset: 9_990, count: 100)?.count == 10, "a read ends with the file")
    expect(bench.read(file, offset: 10_000, count: 100) == [], "behind the end is nothing")
    expect(bench.work(.sync(file))?.isDone == true, "content is made durable")
    expect(bench.work(.sync(directory))?.isDone == true, "names are made durable")
    expect(bench.rename(one, to: two, in: directory)?.isDone == true, "a file is renamed")
    expect(
      try bench.port.files(in: directory).map(\.name) == [two]
        && bench.port.files(in: directory).map(\.bytes) == [10_000],
      "names and sizes are listed")
    expect(bench.read(file, offset: 5_000, count: 3) == Array(bytes[..<3]), "it stays open")
    expect(bench.close(file), "a file is closed")
    guard case .opened(let again, 10_000) = bench.open(two, in: directory, .update) else {
      return wrong + ["a file opens again with its size"]
    }
    expect(
      bench.write([1, 2, 3], to: again, offset: 12_000)?.transferred == 3, "a file grows")
    expect(bench.read(again, offset: 11_999, count: 10) == [0, 1, 2, 3], "holes are zeros")
    expect(bench.work(.truncate(again, bytes: 12_002))?.isDone == true, "a file is cut")
    expect(bench.read(again, offset: 12_000, count: 9) == [1, 2], "what was cut off is gone")
    expect(bench.write([3], to: again, offset: 12_002)?.transferred == 1, "it grows again")
    expect(bench.remove(two, from: directory)?.isDone == true, "a name is removed")
    expect(bench.read(again, offset: 12_000, count: 3) == [1, 2, 3], "an open file stays readable")
    expect(bench.remove(two, from: directory)?.failure == .notFound, "a name is removed once")
    expect(try bench.port.files(in: directory).isEmpty, "nothing is left")
    expect(bench.close(again) && bench.close(directory), "all is closed")
    return wrong
  }
}
