import Foundation
import Settings
import Testing

private let edgeTOML = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("edge.toml")

@Suite("edge.toml")
struct EdgeTOMLTests {
  @Test("The committed file is the one that the table of keys renders")
  func committedFileIsRendered() throws {
    let rendered = ConfigurationReference.renderEdgeTOML()
    if ProcessInfo.processInfo.environment["UPDATE_EDGE_TOML"] == "1" {
      try rendered.write(to: edgeTOML, atomically: true, encoding: .utf8)
    }
    let committed = try String(contentsOf: edgeTOML, encoding: .utf8)
    #expect(
      committed == rendered,
      "run UPDATE_EDGE_TOML=1 swift test --filter EdgeTOMLTests, and look at the difference")
  }

  @Test("Every key stands in the file with its default and its documentation")
  func everyKeyIsDocumented() throws {
    let text = try String(contentsOf: edgeTOML, encoding: .utf8)
    let entries = ConfigurationReference.entries
    #expect(entries.count >= 30)
    for entry in entries {
      let line = "\n\(entry.isActive ? "" : "#")\(entry.name) = \(entry.example)\n"
      #expect(text.contains(line), "\(entry.section).\(entry.name)")
      for documentation in entry.documentation.split(separator: "\n") {
        #expect(text.contains("# \(documentation)\n"), "\(entry.section).\(entry.name)")
      }
      if let defaultText = entry.defaultText {
        let unwrapped = text.replacingOccurrences(of: "\n# ", with: " ")
        #expect(unwrapped.contains("default: \(defaultText)."), "\(entry.section).\(entry.name)")
      }
    }
    for line in text.split(separator: "\n") { #expect(line.count <= 100, "\(line)") }
  }

  @Test("The file serves as it is, and sets nothing but defaults and the sample route")
  func fileServesAsItIs() throws {
    let loaded = try GatewayConfiguration.load(
      path: "edge.toml", contents: Array(Data(contentsOf: edgeTOML)), defaultName: "gateway")
    let route = try RouteConfiguration(
      mqtt: "sensors/+/temperature", to: "/default/temperature", key: "{client_id}",
      attributes: [(name: "room", template: "{1}")])
    #expect(loaded == GatewayConfiguration(routes: [route]))
  }

  @Test(
    "With the comment signs before all keys of a kind removed the file still loads",
    arguments: ListenerConfiguration.Kind.allCases)
  func fileServesUncommented(kind: ListenerConfiguration.Kind) throws {
    var text = try String(contentsOf: edgeTOML, encoding: .utf8)
      .replacing("kind = \"mqtt\"\n", with: "kind = \"\(kind.rawValue)\"\n")
    if kind == .webhook {
      text = text.replacing("\nmqtt = ", with: "\n#mqtt = ")
        .replacing("\n#webhook = ", with: "\nwebhook = ")
        .replacing("\"{client_id}\"\n", with: "\"{path.device}\"\n")
        .replacing("\"{1}\" }\n", with: "\"{path.device}\" }\n")
    }
    let condition = "kind = \"\(kind.rawValue)\""
    // Keys of the other kind, and where secrets and certificates are kept and whose they are: that
    // depends on the machine.
    let others = ConfigurationReference.entries.filter {
      ($0.condition ?? condition) != condition || $0.isSecret || $0.name.hasSuffix("_file")
        || $0.name == "tls_server_name"
        || $0.section == "route" && $0.name == (kind == .mqtt ? "webhook" : "mqtt")
    }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      let isKey = line.first == "#" && line.dropFirst().first?.isLowercase == true
      let isOther = others.contains { line.hasPrefix("#\($0.name) = ") }
      return isKey && !isOther ? line.dropFirst() : line
    }
    let uncommented = lines.joined(separator: "\n")
    let loaded = try load(uncommented)
    #expect(loaded.gateway.name == "edge-1")
    var expected = try load(text)
    expected.gateway.name = "edge-1"
    expected.broker.namespaces = ["plant-7"]
    if kind == .webhook {
      expected.listeners[0].trustedProxies = [try AddressPrefix(parsing: "127.0.0.1")]
    }
    #expect(loaded == expected)
    for entry in ConfigurationReference.entries where !others.contains(entry) {
      #expect(uncommented.contains("\n\(entry.name) = "))
    }
  }

  @Test("Two thousand mutations of the file load or are refused with a place, and never crash")
  func mutationsNeverCrash() throws {
    let original = Array(try Data(contentsOf: edgeTOML))
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    let pieces: [[UInt8]] = [
      "[", "]", "[[", "{", "}", ".", "=", "\"", "'", "\"\"\"", "\n", "#", "\\u", "1e999",
      "99999999999999999999", "é", "\u{3000}", "\u{202E}", "[a.b]", "a.b = 1\n", "[[route]]\n",
    ].map { Array($0.utf8) }
    for round in 0..<2000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.removeSubrange(place..<min(place + 20, bytes.count - 1))
        case 2: bytes.insert(contentsOf: pieces.randomElement(using: &generator) ?? [], at: place)
        case 3:
          let from = Int.random(in: 0..<bytes.count, using: &generator)
          bytes.insert(contentsOf: Array(bytes[from..<min(from + 80, bytes.count)]), at: place)
        default: bytes.removeSubrange(max(place, 1)...)
        }
      }
      do throws(SettingsErrors) {
        let loaded = try GatewayConfiguration.load(
          path: "edge.toml", contents: bytes, defaultName: "host")
        #expect(!loaded.listeners.isEmpty && !loaded.routes.isEmpty, "seed \(seed) round \(round)")
      } catch {
        let lineCount = bytes.count { $0 == UInt8(ascii: "\n") } + 1
        #expect(!error.errors.isEmpty, "seed \(seed) round \(round)")
        for item in error.errors {
          #expect(item.position.column >= 1, "seed \(seed) round \(round): \(item)")
          #expect(
            (1...lineCount).contains(item.position.line), "seed \(seed) round \(round): \(item)")
        }
      }
    }
  }
}
