import Admin
import IOPort
public import Spool

/// What is damaged in a spool, as lines for people and as JSON.
public enum SpoolVerificationText {
  /// File, place, what is wrong, what is lost.
  public static func description(of damage: SpoolDamage) -> String {
    var text = "\(damage.file) at \(damage.offset)"
    if damage.bytes > 0 { text += ", \(damage.bytes) bytes" }
    text += ": \(words(damage))"
    switch damage.kind {
    case .block:
      let lost = damage.lost.map { lost in
        let topic = lost.topic.isEmpty ? "a lane" : RecordLine.printable(lost.topic)
        let range = lost.sequences
        return "\(topic) \(range.lowerBound)-\(range.upperBound - 1) (\(range.count) records)"
      }
      text += lost.isEmpty ? "what was in it is not known" : lost.joined(separator: ", ")
    default: break
    }
    return text
  }

  private static func words(_ damage: SpoolDamage) -> String {
    switch damage.kind {
    case .block: "damaged; lost: "
    case .segmentHeader where damage.bytes == SegmentHeader.encodedBytes:
      "the header is damaged; its blocks are read all the same"
    case .segmentHeader: "this is no segment of this spool, or its header is damaged: not read"
    case .footer: "the footer is damaged; nothing is lost, the segment is gone through instead"
    case .missingFooter:
      "there is no footer: what was behind this place is lost if the file was cut, as by a copy"
        + " that was interrupted"
    case .emptyFile: "there is nothing in it: a start gives up the records that were"
    case .cursors: "this copy of the cursor file is damaged, or its last write was interrupted"
    case .laterVersion(let later):
      "no damage: \(SpoolVersionText.description(of: later)); not read"
    case .unreadableFile(let error): "can't be read: \(error.text)"
    }
  }

  /// JSON: counts, and `damage` as a list.
  public static func json(_ result: SpoolVerification) -> [UInt8] {
    var text = JSONText()
    text.beginObject()
    text.member("is_whole", result.damage.isEmpty)
    text.member("segments", result.segments)
    text.member("blocks", result.blocks)
    text.member("records", result.records)
    text.member("raw_bytes", result.rawBytes)
    text.member("cursor_copies", result.cursorCopies)
    text.member("interrupted_writes", result.interruptedWrites)
    text.beginArray("damage")
    for damage in result.damage {
      text.beginObject()
      text.member("file", damage.file.description)
      text.member("offset", damage.offset)
      text.member("bytes", damage.bytes)
      text.member("what", words(damage))
      text.beginArray("lost")
      for lost in damage.lost {
        text.beginObject()
        text.member("topic", String(decoding: lost.topic, as: UTF8.self))
        text.member("first_sequence", lost.sequences.lowerBound)
        text.member("last_sequence", lost.sequences.upperBound - 1)
        text.endObject()
      }
      text.endArray()
      text.endObject()
    }
    text.endArray()
    text.endObject()
    return text.bytes + [0x0a]
  }
}
