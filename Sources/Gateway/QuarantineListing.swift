import Admin
import Bytes
import Logs
import Records

/// What is in quarantine of a topic.
public struct QuarantineListing {
  /// The Danube topic.
  public let topic: [UInt8]
  /// Records that were set aside.
  public private(set) var records: UInt64 = 0
  /// Their bytes before compression.
  public private(set) var bytes: UInt64 = 0
  /// When the first of them was set aside, Unix milliseconds; nil when nobody knew the time.
  public private(set) var oldest: UInt64?
  /// What the broker said of the last of them.
  public private(set) var lastReason: [UInt8] = []

  /// The lane of the spool that holds what is in quarantine of a topic, which may be named itself.
  public static func lane(of topic: String) -> String {
    let name = Array(topic.utf8)
    guard !QuarantineTopic.isName(name) else { return topic }
    return String(decoding: QuarantineTopic.name(of: name), as: UTF8.self)
  }

  /// The topic of a lane of the spool; nil when that is no quarantine.
  public static func topic(ofLane name: [UInt8]) -> [UInt8]? { QuarantineTopic.topic(of: name) }

  /// Nothing yet.
  public init(topic: [UInt8]) { self.topic = topic }

  /// Counts a record.
  public mutating func note(_ element: RawSpan) {
    records += 1
    bytes += UInt64(element.byteCount)
    guard let record = RecordElement(element), let known = QuarantinedRecord(record) else { return }
    lastReason = known.reason
    guard let time = known.unixMilliseconds else { return }
    oldest = min(oldest ?? .max, time)
  }

  /// For people.
  public static func table(_ listings: [QuarantineListing]) -> String {
    guard !listings.isEmpty else { return "nothing is in quarantine\n" }
    var text = ""
    for listing in listings {
      let time = listing.oldest.map { UTCTime(unixMilliseconds: $0).text } ?? "an unknown time"
      text += "\(RecordLine.printable(listing.topic)): \(listing.records) records, "
      text += "\(listing.bytes) bytes, since \(time); the last one: "
      text += "\(RecordLine.printable(listing.lastReason))\n"
    }
    return text
  }

  /// For machines.
  public static func json(_ listings: [QuarantineListing]) -> [UInt8] {
    var text = JSONText()
    text.beginObject()
    text.beginArray("quarantine")
    for listing in listings {
      text.beginObject()
      text.member("topic", String(decoding: listing.topic, as: UTF8.self))
      text.member("records", listing.records)
      text.member("record_bytes", listing.bytes)
      if let oldest = listing.oldest { text.member("oldest_ms", oldest) }
      text.member("last_reason", String(decoding: listing.lastReason, as: UTF8.self))
      text.endObject()
    }
    text.endArray()
    text.endObject()
    return text.bytes + [0x0a]
  }
}
