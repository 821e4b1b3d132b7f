import Foundation
import Testing

extension EndToEnd {
  /// `scripts/crash-test` in short; docs/durability.md has its figures over many rounds.
  @Suite("Kills under load")
  struct CrashTests {
    @Test(
      "Nothing acknowledged is missing after kill -9, and each key is in order",
      arguments: ["up", "down", "flapping", "full", "embedded"])
    func killed(mode: String) throws {
      let script = Paths.packageRoot.appending(path: "scripts/crash-test").path
      let test = try ChildProcess(
        "crash-test \(mode)",
        [
          try Paths.python(), script, "--binary", try Paths.gateway(), "--rounds", "2",
          "--scale", "0.5", "--mode", mode,
        ])
      let end = try test.wait(seconds: 110)
      // Where nothing can be mounted no file system can be filled without harm to others.
      if mode == "full", end == .exited(77) { return }
      #expect(end == .exited(0), "\(test.output)\(test.errorOutput)")
      let figures = test.output.split(separator: "\n").first { $0.hasPrefix("{") }
      let line = try #require(figures, "\(test.output)\(test.errorOutput)")
      let values = try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      #expect(values["missing"] as? Int == 0)
      #expect(values["out_of_order"] as? Int == 0)
      // A load that was never on would lose nothing either.
      #expect(try #require(values["acknowledged"] as? Int) > 1_000)
      #expect(try #require(values["kills"] as? Int) >= 2)
    }
  }
}
