import Foundation

/// Where things are: all from the package's root, or from the environment.
enum Paths {
  static let packageRoot = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  static func gateway() throws -> String {
    try executable(
      variable: "DANUBE_GATEWAY_BINARY", fallback: ".build/debug/danube-gateway",
      remedy: "build it with `swift build --product danube-gateway`")
  }

  static func device() throws -> String {
    try executable(
      variable: "DANUBE_DEVICE_BINARY", fallback: ".build/debug/danube-device",
      remedy: "build it with `swift build --product danube-device`")
  }

  static func python() throws -> String {
    try executable(
      variable: "DANUBE_PYTHON", fallback: ".venv/bin/python3",
      remedy: "make the environment with `scripts/install-deps --test`")
  }

  /// Prometheus' own checker: in `.tools`, or where the system has it.
  static func promtool() throws -> String {
    let installed = "/usr/bin/promtool"
    if FileManager.default.isExecutableFile(atPath: installed) { return installed }
    return try executable(
      variable: "DANUBE_PROMTOOL", fallback: ".tools/promtool",
      remedy: "fetch it with `scripts/install-deps --test`")
  }

  static func peer(_ name: String) -> String {
    packageRoot.appending(path: "Tests/EndToEndTests/Peers/\(name).py").path
  }

  private static func executable(
    variable: String, fallback: String, remedy: String
  ) throws -> String {
    let path =
      ProcessInfo.processInfo.environment[variable] ?? packageRoot.appending(path: fallback).path
    guard FileManager.default.isExecutableFile(atPath: path) else {
      throw EndToEndError("there is no program at \(path): \(remedy), or set \(variable)")
    }
    return path
  }
}

/// A folder of its own, gone with its owner.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory
      .appending(path: "danube-gateway-test-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(at: url)
  }

  func path(_ name: String) -> String {
    url.appending(path: name).path
  }

  func write(_ text: String, to name: String) throws -> String {
    try Data(text.utf8).write(to: url.appending(path: name))
    return path(name)
  }
}
