import Foundation
import FuzzEntries

/// The files of `Tests/FuzzTests`, found from where this one was compiled.
enum Corpus {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent()

  /// The inputs of a target, with their paths from the folder.
  static func inputs(of target: FuzzTarget) throws -> [(path: String, bytes: [UInt8])] {
    let inputs = folder.appending(path: "Corpus/\(target.rawValue)")
    return try FileManager.default.contentsOfDirectory(atPath: inputs.path).sorted().map { name in
      let data = try Data(contentsOf: inputs.appending(path: name))
      return ("Corpus/\(target.rawValue)/\(name)", Array(data))
    }
  }

  /// The lines of `coverage-floor.txt`: a target and the edges that its corpus has to reach.
  static func floors() throws -> [(target: String, edges: Int)] {
    let text = try String(
      contentsOf: folder.appending(path: "coverage-floor.txt"), encoding: .utf8)
    return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
      let words = line.split(separator: " ")
      return (String(words[0]), words.count == 2 ? Int(words[1]) ?? 0 : 0)
    }
  }
}
