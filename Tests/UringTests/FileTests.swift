import Foundation
import IOPort
import Simulator
import Testing

@testable import Uring

@Suite("Files through the kernel", .timeLimit(.minutes(1)))
struct FileTests {
  /// A directory that is removed with the value.
  private final class Scratch {
    let path = FileManager.default.temporaryDirectory.path + "/uring-files-\(UUID().uuidString)"
    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  @Test("Files keep the contract of operations, and nothing stays open")
  func contract() throws {
    let scratch = Scratch()
    var bench = FileBench(port: try Uring())
    #expect(try FileContract.violations(&bench, path: scratch.path + "/a/b") == [])
    #expect(bench.port.openDescriptorCount == 0)
  }

  @Test("Files by ordinary calls keep the same contract, and one that only reads writes nothing")
  func blocking() throws {
    let scratch = Scratch()
    try FileManager.default.createDirectory(
      atPath: scratch.path + "/a", withIntermediateDirectories: true)
    var bench = FileBench(port: BlockingFiles(isReadOnly: false))
    #expect(try FileContract.violations(&bench, path: scratch.path + "/a") == [])
    var reading = FileBench(port: BlockingFiles(isReadOnly: true))
    let directory = try reading.port.openDirectory(scratch.path + "/a")
    let name = try #require(FileName("new"))
    #expect(reading.open(name, in: directory, .create)?.failure == .readOnly)
    #expect(throws: IOError.self) { _ = try reading.port.openDirectory(scratch.path + "/none") }
    #expect(!FileManager.default.fileExists(atPath: scratch.path + "/none"))
  }

  @Test("More slices than one call takes are written in part, and the count says so")
  func manySlices() throws {
    let scratch = Scratch()
    var bench = FileBench(port: try Uring())
    let directory = try bench.port.openDirectory(scratch.path)
    let name = try #require(FileName("many"))
    let file = try #require(bench.open(name, in: directory, .create)?.descriptor)
    let bytes = (0..<1_500).map { UInt8(truncatingIfNeeded: $0) }
    #expect(bench.write(bytes, to: file, offset: 0, slices: 1_500)?.transferred == 1_024)
    #expect(bench.read(file, offset: 0, count: 2_000) == Array(bytes[..<1_024]))
  }

  @Test(
    "A full file system is told as such",
    .enabled(if: FileManager.default.isWritableFile(atPath: "/dev/full")))
  func fullDevice() throws {
    var bench = FileBench(port: try Uring())
    let directory = try bench.port.openDirectory("/dev")
    let name = try #require(FileName("full"))
    let event = bench.open(name, in: directory, .update)
    // It is no regular file: that is refused before anything could be written to it.
    #expect(event?.failure == .other)
    #expect(bench.port.openDescriptorCount == 1)
  }

  @Test("Links and directories are no files; names too long for a FileName are left out")
  func strangeNames() throws {
    let scratch = Scratch()
    var bench = FileBench(port: try Uring())
    let directory = try bench.port.openDirectory(scratch.path)
    let manager = FileManager.default
    try manager.createDirectory(atPath: scratch.path + "/sub", withIntermediateDirectories: true)
    try manager.createSymbolicLink(
      atPath: scratch.path + "/link", withDestinationPath: "/etc/hostname")
    try Data([1, 2]).write(to: URL(fileURLWithPath: scratch.path + "/file"))
    try Data().write(
      to: URL(fileURLWithPath: scratch.path + "/" + String(repeating: "x", count: 32)))
    let found = try bench.port.files(in: directory)
    #expect(found.map(\.name.description) == ["file"] && found.map(\.bytes) == [2])
    let link = try #require(FileName("link"))
    #expect(bench.open(link, in: directory, .read)?.failure != nil)
  }

  @Test("A directory that can't be made says why")
  func noDirectory() throws {
    var port = try Uring()
    #expect(throws: IOError.self) { _ = try port.openDirectory("/proc/nowhere/spool") }
  }
}
