import Bytes
import Testing

@testable import Ingest

@Suite("Ids of records")
struct RecordIDsTests {
  private func next(_ ids: inout RecordIDs) -> [UInt8] {
    var output = GrowableBytes()
    ids.append(to: &output)
    return [UInt8](copying: output.bytes)
  }

  @Test("An id is the start in hexadecimal digits and a count, as one entry of the map")
  func form() {
    var ids = RecordIDs(start: 0x0123_4567_89ab_cdef, isOn: true)
    let name = Array("gateway.record_id".utf8)
    let value = Array("0123456789abcdef-000000000001".utf8)
    #expect(
      next(&ids) == [0x3a, UInt8(4 + name.count + value.count), 0x0a, UInt8(name.count)] + name
        + [0x12, UInt8(value.count)] + value)
  }

  @Test("The digits count, and carry")
  func count() {
    var ids = RecordIDs(start: 1, isOn: true)
    for number in 1...70_000 {
      let digits = String(number, radix: 16)
      let text = String(decoding: next(&ids).suffix(12), as: UTF8.self)
      #expect(text == String(repeating: "0", count: 12 - digits.count) + digits)
    }
  }

  @Test("Without ids nothing is appended")
  func off() {
    var ids = RecordIDs(start: 1, isOn: false)
    #expect(next(&ids).isEmpty)
  }
}
