/// A text with places for what differs between devices: `{device}` is the device's name and
/// `{number}` its number, from 1. `{{` and `}}` are literal braces.
struct DeviceTemplate: Equatable {
  private enum Piece: Equatable {
    case text(String)
    case device
    case number
  }

  private var pieces: [Piece] = []

  /// Reads a template; what is wrong with it is told in a sentence for the user.
  init(_ text: String) throws(ArgumentError) {
    var literal = ""
    var rest = Substring(text)
    while let character = rest.popFirst() {
      switch character {
      case "{" where rest.first == "{", "}" where rest.first == "}":
        literal.append(character)
        rest.removeFirst()
      case "{":
        guard let end = rest.firstIndex(of: "}") else {
          throw ArgumentError(message: "\(text) has a { without its }")
        }
        if !literal.isEmpty { pieces.append(.text(literal)) }
        literal = ""
        pieces.append(try Self.field(rest[..<end], in: text))
        rest = rest[rest.index(after: end)...]
      case "}": throw ArgumentError(message: "\(text) has a } without its {")
      default: literal.append(character)
      }
    }
    if !literal.isEmpty { pieces.append(.text(literal)) }
  }

  private static func field(
    _ name: Substring, in text: String
  ) throws(ArgumentError) -> Piece {
    switch name {
    case "device": return .device
    case "number": return .number
    default:
      throw ArgumentError(
        message: "\(text) has {\(name)}; there are {device} and {number}, and {{ for a brace")
    }
  }

  /// The text for a device of this name and number (from 0; printed from 1).
  func filled(device name: String, number: Int) -> String {
    var result = ""
    for piece in pieces {
      switch piece {
      case .text(let text): result += text
      case .device: result += name
      case .number: result += "\(number + 1)"
      }
    }
    return result
  }
}
