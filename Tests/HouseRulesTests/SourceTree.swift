import Foundation

/// The checked-out package, found from where this file was compiled.
enum SourceTree {
  /// The package's folder, without a slash at the end.
  static let root: String = {
    var components = #filePath.split(separator: "/")
    components.removeLast(3)
    return "/" + components.joined(separator: "/")
  }()

  /// Paths, from the root, of what git tracks or would track; all files where there is no git.
  static let files: [String] = (gitFiles() ?? walkedFiles()).sorted()

  /// The folders of `Sources`: one a module.
  static let modules: [String] = Set(
    files.filter { $0.hasPrefix("Sources/") }.map { String($0.split(separator: "/")[1]) }
  ).sorted()

  static func files(under folder: String, endingIn suffixes: String...) -> [String] {
    files.filter { path in
      path.hasPrefix(folder + "/") && suffixes.contains { path.hasSuffix($0) }
    }
  }

  /// The file's text; bytes that are not UTF-8 become U+FFFD.
  static func text(_ path: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(filePath: root + "/" + path)), as: UTF8.self)
  }

  static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: root + "/" + path)
  }

  private static func gitFiles() -> [String]? {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      "git", "-C", root, "ls-files", "-co", "--exclude-standard", "--deduplicate",
    ]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { return nil }
    // A file deleted but not yet staged is still listed.
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
      .filter(exists)
  }

  private static func walkedFiles() -> [String] {
    let enumerator = FileManager.default.enumerator(atPath: root)
    var found: [String] = []
    while let path = enumerator?.nextObject() as? String {
      let top = path.split(separator: "/").first ?? ""
      if top.hasPrefix(".build") || [".git", ".venv", ".swiftpm", "data"].contains(top) {
        enumerator?.skipDescendants()
        continue
      }
      var isFolder: ObjCBool = false
      let exists = FileManager.default.fileExists(
        atPath: root + "/" + path, isDirectory: &isFolder)
      if exists, !isFolder.boolValue { found.append(path) }
    }
    return found
  }
}
