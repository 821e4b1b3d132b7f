import Bytes
import Records

// Protobuf by hand: what a test expects is not written by the code under test.

func varint(_ value: Int) -> [UInt8] {
  var rest = value
  var bytes: [UInt8] = []
  while rest >= 0x80 {
    bytes.append(UInt8(rest & 0x7f) | 0x80)
    rest >>= 7
  }
  return bytes + [UInt8(rest)]
}

func field(_ number: UInt8, _ value: [UInt8]) -> [UInt8] {
  [number << 3 | 2] + varint(value.count) + value
}

func field(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

func attribute(_ name: String, _ value: String) -> [UInt8] {
  field(7, field(1, name) + field(2, value))
}

/// The fields of a message in the order of their numbers and, within, of their place: their order
/// on the wire has no meaning.
func sortedFields(_ bytes: [UInt8]) -> [[UInt8]] {
  var fields: [(number: UInt8, bytes: [UInt8])] = []
  var index = 0
  func readVarint() -> Int {
    var value = 0
    var shift = 0
    while index < bytes.count {
      let byte = bytes[index]
      index += 1
      value |= Int(byte & 0x7f) << shift
      if byte < 0x80 { break }
      shift += 7
    }
    return value
  }
  while index < bytes.count {
    let start = index
    let tag = readVarint()
    let length = readVarint()
    if tag & 7 == 2 { index += length }
    fields.append((UInt8(tag >> 3), Array(bytes[start..<min(index, bytes.count)])))
  }
  return fields.sorted { $0.number < $1.number }.map(\.bytes)
}

extension BatchStore {
  func body(_ batch: BatchID, _ index: UInt32) -> [UInt8] {
    var result: [UInt8] = []
    messageBody(of: RecordRef(batch: batch, index: index)).withBytes { span in
      span.withUnsafeBytes { result = Array($0) }
    }
    return result
  }
}

/// A record as a consumer reads it.
struct Record: Equatable {
  var payload: [UInt8] = []
  var key = ""
  /// Of one name the last counts, as in any map of protobuf.
  var attributes: [String: String] = [:]
  /// Its id, which is no part of `attributes` here.
  var id = ""
  /// Entries of `attributes` as they were written.
  var attributeCount = 0

  var text: String { String(decoding: payload, as: UTF8.self) }

  init(_ body: [UInt8]) {
    for bytes in sortedFields(body) {
      switch bytes[0] >> 3 {
      case 3: payload = Record.value(bytes)
      case 10: key = String(decoding: Record.value(bytes), as: UTF8.self)
      case 7:
        var name = ""
        var value = ""
        for part in sortedFields(Record.value(bytes)) {
          let text = String(decoding: Record.value(part), as: UTF8.self)
          if part[0] >> 3 == 1 { name = text } else { value = text }
        }
        // Every record has another one.
        if name == "gateway.record_id" {
          id = value
        } else {
          attributes[name] = value
          attributeCount += 1
        }
      default: break
      }
    }
  }

  /// What follows the tag and the length.
  private static func value(_ field: [UInt8]) -> [UInt8] {
    var index = 1
    while field[index] >= 0x80 { index += 1 }
    return Array(field[(index + 1)...])
  }
}
