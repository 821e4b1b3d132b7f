import Foundation

/// A device of MQTT 5 that publishes all it has with QoS 1 and counts its answers. It never waits:
/// the thread that drives it may have brokers to drive as well.
final class PublishingDevice {
  private let socket: RawSocket
  private let packets: [UInt8]
  private let count: Int
  private var input: [UInt8] = []
  private var isGreeted = false
  /// Messages that were answered, whatever the answer is.
  private(set) var answeredCount = 0

  /// Connects and says who it is.
  init(port: Int, name: String, messages: [(topic: String, payload: [UInt8])]) throws {
    socket = try RawSocket(port: port)
    count = messages.count
    packets = messages.enumerated().flatMap { number, message in
      Self.packet(
        0x32,
        Self.text(message.topic) + Self.number(UInt16(number + 1)) + [0] + message.payload)
    }
    socket.send(
      Self.packet(0x10, Self.text("MQTT") + [5, 2, 0, 0, 0] + Self.text(name)))
  }

  var isDone: Bool { answeredCount == count }

  /// Reads what there is.
  func turn() throws {
    input += try socket.receiveWhatIsThere()
    while let (type, byteCount) = nextPacket() {
      input.removeFirst(byteCount)
      switch type >> 4 {
      case 2:
        isGreeted = true
        socket.send(packets)
      case 4: answeredCount += 1
      default: throw EndToEndError("a device was sent a packet of type \(type >> 4)")
      }
    }
  }

  private func nextPacket() -> (type: UInt8, byteCount: Int)? {
    guard input.count >= 2 else { return nil }
    // Nothing that a device gets is as long as two bytes of length.
    let byteCount = 2 + Int(input[1])
    return input.count >= byteCount ? (input[0], byteCount) : nil
  }

  private static func packet(_ type: UInt8, _ body: [UInt8]) -> [UInt8] {
    var length: [UInt8] = []
    var rest = body.count
    repeat {
      length.append(UInt8(rest % 128) | (rest >= 128 ? 0x80 : 0))
      rest /= 128
    } while rest > 0
    return [type] + length + body
  }

  private static func number(_ value: UInt16) -> [UInt8] {
    [UInt8(value >> 8), UInt8(value & 0xff)]
  }

  private static func text(_ text: String) -> [UInt8] {
    number(UInt16(text.utf8.count)) + Array(text.utf8)
  }
}
