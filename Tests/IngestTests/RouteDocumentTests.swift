import Foundation
import Settings
import Testing

@testable import Ingest

/// What docs/routes.md says, tried out.
@Suite("docs/routes.md")
struct RouteDocumentTests {
  /// A fenced block and the lines of the table that follows it.
  private struct Block {
    var kind: String
    var text: String
    var rows: [[String]] = []
  }

  private static let page = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "docs/routes.md")

  /// Listeners and routes of both kinds, so that an example can have one of them.
  private static let frame = """

    [[route]]
    mqtt = "$example"
    to = "/default/example"
    [[route]]
    webhook = "/example"
    to = "/default/example"
    [[listen]]
    [[listen]]
    kind = "webhook"
    address = "127.0.0.1:2"

    """

  private static func blocks() throws -> [Block] {
    var blocks: [Block] = []
    var isInside = false
    var isTable = false
    for line in try String(contentsOf: page, encoding: .utf8).components(separatedBy: "\n") {
      if line.hasPrefix("```") {
        if !isInside { blocks.append(Block(kind: String(line.dropFirst(3)), text: "")) }
        isInside.toggle()
      } else if isInside {
        blocks[blocks.count - 1].text += line + "\n"
      } else if !line.hasPrefix("|") {
        isTable = false
      } else if line.hasPrefix("| message |") {
        isTable = true
      } else if isTable, let last = blocks.last, last.kind == "toml" {
        let cells = line.split(separator: "|", omittingEmptySubsequences: false)
        let trimmed = cells.dropFirst().dropLast().map {
          $0.trimmingCharacters(in: .whitespaces)
        }
        if trimmed.count == 4, trimmed[0].hasPrefix("`") {
          blocks[blocks.count - 1].rows.append(trimmed)
        }
      }
    }
    return blocks
  }

  private static func load(_ text: String) throws(SettingsErrors) -> GatewayConfiguration {
    try GatewayConfiguration.load(
      path: "routes.md", contents: Array((text + frame).utf8), defaultName: "edge-1")
  }

  private static func resolve(_ message: String, _ bench: RouteBench) -> Resolved? {
    guard message.hasPrefix("POST ") else {
      return bench.resolve(.mqtt, message, PlayedValues(clientID: "dev-1"))
    }
    let target = message.dropFirst(5).split(separator: "?", maxSplits: 1).map(String.init)
    var values = PlayedValues(headers: ["x-kind": "push"])
    for parameter in (target.count == 2 ? target[1] : "").split(separator: "&") {
      let parts = parameter.split(separator: "=").map(String.init)
      values.query[parts[0]] = parts[1]
    }
    return bench.resolve(.webhook, target[0], values)
  }

  @Test("Every configuration loads, and every line of its table comes true")
  func examples() throws {
    var rowCount = 0
    for block in try Self.blocks() where block.kind == "toml" {
      let configuration = try Self.load(block.text)
      let bench = RouteBench(configuration.routes)
      #expect(!block.rows.isEmpty, "\(block.text)")
      for row in block.rows {
        rowCount += 1
        let cells = row.map { $0.split(separator: "`").map(String.init).filter { $0 != " " } }
        let resolved = Self.resolve(cells[0][0], bench)
        switch cells[1].first {
        case "no route"?: #expect(resolved == nil, "\(row)")
        case "refused: "?: #expect(resolved?.refusal?.label == cells[1].last, "\(row)")
        default:
          #expect(resolved?.topic == cells[1].first, "\(row)")
          #expect(resolved?.key == cells[2].first ?? "", "\(row)")
          let expected = cells[3].flatMap { text -> [UInt8] in
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            return attribute(parts[0], parts.count == 2 ? parts[1] : "")
          }
          #expect(resolved?.attributes == expected, "\(row)")
        }
      }
    }
    #expect(rowCount >= 20)
  }

  @Test("Every configuration that is refused is so in the words of the page")
  func refusals() throws {
    let blocks = try Self.blocks()
    var count = 0
    for (index, block) in blocks.enumerated() where block.kind == "toml refused" {
      count += 1
      try #require(index + 1 < blocks.count && blocks[index + 1].kind == "text")
      let error = #expect(throws: SettingsErrors.self) { try Self.load(block.text) }
      let expected = blocks[index + 1].text.dropLast()
      #expect(error?.errors.count == 1, "\(block.text)")
      #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
    }
    #expect(count >= 3)
  }

  @Test("The page names every reason, placeholder and key of a route")
  func completeness() throws {
    let text = try String(contentsOf: Self.page, encoding: .utf8)
    for refusal in RouteRefusal.allCases { #expect(text.contains("| `\(refusal.label)` |")) }
    for entry in ConfigurationReference.entries where entry.section == "route" {
      #expect(
        text.contains("`\(entry.name)`") || text.contains("`\(entry.name) = "), "\(entry.name)")
    }
    for loss in [IngestMetrics.Drop.refused, .shutdown] {
      #expect(text.contains("`\(loss.label)`"))
    }
  }
}
