import Foundation

/// A Python program of `Peers/`: commands go in and events come out as JSON lines.
final class PythonPeer {
  /// What a peer says; which fields there are depends on the event.
  struct Event: Decodable {
    let event: String
    var client: String?
    var reason: Int?
    var reasons: [Int]?
    var payload: String?
    var fromServer: Bool?
    var sessionPresent: Bool?
    var sent: Int?
    var acknowledged: [String]?
    var outOfOrder: Int?
    var properties: [String: JSONValue]?
    var code: String?
    var details: String?
    var topic: String?
    var offset: UInt64?
    var attributes: [String: String]?
    var routingKey: String?
    var publishTime: Int64?
    var receivedTime: Int64?
    var producer: String?
    var subscription: String?
  }

  /// A value of an MQTT property.
  enum JSONValue: Decodable, Equatable {
    case number(Int)
    case text(String)
    case other

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let number = try? container.decode(Int.self) {
        self = .number(number)
      } else if let text = try? container.decode(String.self) {
        self = .text(text)
      } else {
        self = .other
      }
    }
  }

  let process: ChildProcess

  init(_ script: String, _ arguments: [String], title: String? = nil) throws {
    process = try ChildProcess(
      title ?? script, [try Paths.python(), "-u", Paths.peer(script)] + arguments)
  }

  func send(_ command: [String: Any]) throws {
    let line = try JSONSerialization.data(withJSONObject: command)
    try process.write(String(decoding: line, as: UTF8.self) + "\n")
  }

  func nextEvent(_ deadline: Deadline = Deadline()) throws -> Event {
    try Self.decode(process.nextLine(deadline))
  }

  /// The next event, which has to be this one.
  @discardableResult
  func expect(_ name: String, _ deadline: Deadline = Deadline()) throws -> Event {
    let event = try nextEvent(deadline)
    guard event.event == name else {
      throw EndToEndError("\(process.title): expected \(name), got \(event)")
    }
    return event
  }

  /// The events that are there already.
  func takeEvents() throws -> [Event] {
    var events: [Event] = []
    while let line = process.takeLine() { events.append(try Self.decode(line)) }
    return events
  }

  private static func decode(_ line: String) throws -> Event {
    do {
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      return try decoder.decode(Event.self, from: Data(line.utf8))
    } catch {
      throw EndToEndError("not an event: \(line)")
    }
  }
}
