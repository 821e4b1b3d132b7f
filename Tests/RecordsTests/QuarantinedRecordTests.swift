import Bytes
import DanubeProtocol
import Records
import Testing

@Suite("Records as they lie in quarantine")
struct QuarantinedRecordTests {
  private static let lane = QuarantineTopic.name(of: Array("/default/t".utf8))

  private static func setAside(
    _ bytes: [UInt8], reason: [UInt8], time: UInt64?
  ) throws -> [UInt8]? {
    var output = GrowableBytes()
    guard let record = RecordElement(bytes.span.bytes) else { return nil }
    let isWritten = QuarantinedRecord.append(
      record, lane: lane, reason: reason, unixMilliseconds: time, to: &output)
    return isWritten ? [UInt8](copying: output.bytes) : nil
  }

  @Test(
    "The record comes out as it went in, with the reason and the time",
    arguments: [
      nil, 1_763_000_000_000,
    ] as [UInt64?])
  func roundTrip(time: UInt64?) throws {
    let original = ReplayTests.element(payload: Array("21.5".utf8), key: Array("dev-1".utf8))
    let reason = Array("OUT_OF_RANGE: too large".utf8)
    let bytes = try #require(try Self.setAside(original, reason: reason, time: time))
    let topic = RecordElement.topic(of: bytes.span.bytes)
    #expect(topic == Self.lane)
    guard let element = RecordElement(bytes.span.bytes), let known = QuarantinedRecord(element)
    else { return _ = Issue.record("it is none") }
    #expect(known.reason == reason && known.unixMilliseconds == time)
    var back = GrowableBytes()
    known.appendOriginal(of: element, to: &back)
    #expect([UInt8](copying: back.bytes) == original)
  }

  @Test("A long reason is cut, and a record that would become too large is not taken")
  func limits() throws {
    let original = ReplayTests.element(payload: [1])
    let long = [UInt8](repeating: 0x61, count: 5_000)
    let bytes = try #require(try Self.setAside(original, reason: long, time: nil))
    guard let element = RecordElement(bytes.span.bytes), let known = QuarantinedRecord(element)
    else { return _ = Issue.record("it is none") }
    #expect(known.reason.count == QuarantinedRecord.reasonLimit)
    let large = ReplayTests.element(
      payload: [UInt8](repeating: 0, count: BatchStore.maximumBodyBytes - 100))
    #expect(try Self.setAside(large, reason: long, time: nil) == nil)
  }

  @Test("Other records, and what is no message, are none")
  func others() {
    for bytes in [ReplayTests.element(payload: [1]), ReplayTests.element([0xff, 0xff])] {
      guard let element = RecordElement(bytes.span.bytes) else { continue }
      #expect(QuarantinedRecord(element) == nil)
    }
    #expect(QuarantineTopic.topic(of: Array("/default/quarantine:".utf8)) == nil)
    #expect(QuarantineTopic.topic(of: Array("quarantine:".utf8)) == nil)
  }
}
