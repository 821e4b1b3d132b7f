import Bytes
import DanubeProtocol
import Records
import Testing

@Suite("Publish times from before the clock was set")
struct PublishTimesTests {
  private static let wall: UInt64 = 1_790_000_000_000

  private static func message(at time: UInt64) -> [UInt8] {
    var message = StreamMessage()
    message.messageID = MessageID(topicName: Array("/default/t".utf8))
    message.publishTimeMilliseconds = time
    message.payload = [1, 2, 3]
    var bytes = GrowableBytes()
    message.encode(into: &bytes)
    return [UInt8](copying: bytes.bytes)
  }

  /// A clock that was not set, and was `shift` later, a second and a half after the start.
  private static func times(_ shift: Int64, upTo boot: UInt64 = 1_000_000) -> PublishTimes {
    var history = ClockHistory()
    history.include(ClockSetting(sinceMilliseconds: 0, offsetMilliseconds: 0, isTrusted: false))
    history.include(
      ClockSetting(sinceMilliseconds: 100_000, offsetMilliseconds: shift, isTrusted: true))
    return PublishTimes(history, latestMilliseconds: boot)
  }

  @Test("A time from before the clock was set moves with it; a right one stays")
  func shift() {
    let times = Self.times(1_780_000_000_000)
    #expect(times.corrected(12_345) == 1_780_000_012_345)
    #expect(times.corrected(0) == 1_780_000_000_000)
    #expect(times.corrected(PublishTimes.earliestMilliseconds) == nil)
    #expect(times.corrected(1_780_000_200_000) == nil)
    // A shift that leads to another time which nobody set, or to none, helps nobody.
    #expect(Self.times(5_000).corrected(1) == nil)
    #expect(Self.times(-5_000).corrected(1) == nil)
    #expect(Self.times(.min).corrected(1) == nil)
    #expect(Self.times(.max).corrected(1_000) == nil)
    #expect(PublishTimes(latestMilliseconds: Self.wall).corrected(7) == Self.wall)
    #expect(PublishTimes(latestMilliseconds: 7).corrected(7) == nil)
    #expect(PublishTimes(latestMilliseconds: Self.wall).corrected(.max) == nil)
  }

  @Test("The time of a message is found, and the last one counts")
  func message() throws {
    let times = Self.times(1_780_000_000_000)
    let body = Self.message(at: 500)
    #expect(times.corrected(in: body.span.bytes) == 1_780_000_000_500)
    #expect(times.corrected(in: Self.message(at: Self.wall).span.bytes) == nil)
    #expect(times.corrected(in: [UInt8]().span.bytes) == 1_780_000_000_000)
    #expect(times.corrected(in: [0xff].span.bytes) == nil)
    var tail = GrowableBytes()
    tail.append(contentsOf: body)
    PublishTimes.field(1_780_000_000_500, into: &tail)
    #expect(tail.count - body.count <= PublishTimes.fieldBytes)
    let read = try StreamMessage(decoding: tail.bytes)
    #expect(read.publishTimeMilliseconds == 1_780_000_000_500 && read.payload == [1, 2, 3])
    #expect(times.corrected(in: tail.bytes) == nil)
  }

  @Test("A record that is sent again has the right time behind the stored one")
  func replay() throws {
    let store = BatchStore(
      limits: ReplayTests.limits, replay: ReplayLimits(batches: 2, memoryBytes: 1 << 16))
    let stored = ReplayTests.element(Self.message(at: 77))
    let batch = try #require(
      store.openReplay(
        lane: ReplayTests.lane, byteCount: stored.count + PublishTimes.fieldBytes + 2))
    guard let element = RecordElement(stored.span.bytes) else {
      Issue.record("no element")
      return
    }
    let appended = store.appendReplay(
      element, keyHash: 7, sequence: 3, publishTimeMilliseconds: Self.wall, to: batch)
    let record = try #require(appended)
    let body = unsafe store.messageBody(of: record).withBytes { [UInt8](copying: $0) }
    let message = try StreamMessage(decoding: body.span.bytes)
    #expect(message.publishTimeMilliseconds == Self.wall && message.payload == [1, 2, 3])
    let isElement = store.withElement(of: record) { ReplayTests.isElement([UInt8](copying: $0)) }
    #expect(isElement)
    #expect(store.sequence(of: record) == 3)
  }
}
