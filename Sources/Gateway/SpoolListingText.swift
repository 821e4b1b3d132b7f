import Admin
import IOPort
import Logs
public import Spool

/// What a spool holds, as tables for people and as JSON.
public enum SpoolListingText {
  /// JSON: `lanes`, `segments`, `damage` and sums. Times are Unix milliseconds, and left out where
  /// they are not known.
  public static func json(_ listing: SpoolListing, at now: UInt64) -> [UInt8] {
    var text = JSONText()
    text.beginObject()
    text.member("bytes", listing.fileBytes)
    text.member("has_cursors", listing.hasCursors)
    text.beginArray("lanes")
    for lane in listing.lanes { write(lane, at: now, to: &text) }
    text.endArray()
    text.beginArray("segments")
    for segment in listing.segments { write(segment, to: &text) }
    text.endArray()
    text.beginArray("later_versions")
    for later in listing.laterVersions {
      text.beginObject()
      text.member("file", later.file.description)
      text.member("part", later.part.rawValue)
      text.member("version", Int(later.version))
      text.member("known_version", Int(later.known))
      text.endObject()
    }
    text.endArray()
    text.beginObject("damage")
    text.member("bytes", listing.report.damagedBytes)
    text.member("places", listing.report.damagedPlaces)
    text.member("interrupted_writes", listing.report.cutSegments)
    text.member("unreadable_files", listing.report.unreadFiles.count)
    text.member("foreign_files", listing.report.foreignFiles)
    text.member("cursor_copies", listing.report.damagedCursorCopies)
    text.endObject()
    text.endObject()
    return text.bytes + [0x0a]
  }

  private static func write(
    _ lane: SpoolListing.Lane, at now: UInt64, to text: inout JSONText
  ) {
    text.beginObject()
    text.member("topic", String(decoding: lane.topic, as: UTF8.self))
    text.member("first_sequence", lane.firstSequence)
    text.member("next_sequence", lane.nextSequence)
    if let stored = lane.stored {
      text.member("lowest_stored", stored.lowerBound)
      text.member("highest_stored", stored.upperBound)
    }
    text.member("records", lane.records)
    text.member("raw_bytes", lane.rawBytes)
    text.member("stored_bytes", lane.storedBytes)
    if let since = lane.oldestWaiting {
      text.member("oldest_waiting_ms", since)
      text.member("oldest_waiting_age_ms", now - min(now, since))
    }
    text.beginArray("cursors")
    for reader in lane.readers {
      text.beginObject()
      text.member("kind", reader.name.isEmpty ? "uplink" : "subscription")
      text.member("name", String(decoding: reader.name, as: UTF8.self))
      text.member("is_exclusive", reader.isExclusive)
      text.beginArray("consumers")
      for name in reader.consumers { text.element(String(decoding: name, as: UTF8.self)) }
      text.endArray()
      text.member("next_sequence", reader.next)
      text.member("waiting", reader.waitingRecords)
      text.endObject()
    }
    text.endArray()
    text.endObject()
  }

  private static func write(_ segment: SpoolListing.Segment, to text: inout JSONText) {
    text.beginObject()
    text.member("number", segment.number)
    text.member("file", SegmentHeader.fileName(segment.number).description)
    text.member("bytes", segment.fileBytes)
    text.member("stored_bytes", segment.storedBytes)
    text.member("raw_bytes", segment.rawBytes)
    text.member("records", segment.records)
    text.member("is_sealed", segment.isSealed)
    if let time = segment.firstTime { text.member("first_ms", time) }
    if let time = segment.lastTime { text.member("last_ms", time) }
    text.member("damaged_bytes", segment.damagedBytes)
    text.endObject()
  }

  // MARK: Tables

  /// Tables for people.
  public static func tables(_ listing: SpoolListing, at now: UInt64) -> String {
    var text =
      "\(listing.lanes.count) lanes, \(listing.segments.count) segments, "
      + "\(bytes(listing.fileBytes)) on the disk\n"
    for later in listing.laterVersions { text += "\(SpoolVersionText.refusal(later))\n" }
    text += damage(listing)
    if !listing.lanes.isEmpty { text += "\n" + lanes(listing.lanes, at: now) }
    if !listing.segments.isEmpty { text += "\n" + segments(listing.segments) }
    return text
  }

  private static func damage(_ listing: SpoolListing) -> String {
    let report = listing.report
    var text = ""
    if report.damagedBytes > 0 {
      text += "damage: \(report.damagedBytes) bytes of the log that were safe can't be read\n"
    }
    for file in report.unreadFiles {
      text += "damage: \(file.name) can't be read: \(file.reason)\n"
    }
    for segment in report.foreignSegments {
      text +=
        "warning: \(SegmentHeader.fileName(segment)) is of another spool, or damaged: it is left "
        + "alone; move it to a folder of its own\n"
    }
    if report.damagedCursorCopies > 0 {
      text += "damage: \(report.damagedCursorCopies) of the two cursor files can't be read\n"
    }
    if !listing.hasCursors {
      text += "damage: who has got what is not known: everything would be sent again\n"
    }
    if report.cutSegments > 0 {
      text += "\(report.cutSegments) segments end with an interrupted write, which is no damage\n"
    }
    return text
  }

  private static func lanes(_ lanes: [SpoolListing.Lane], at now: UInt64) -> String {
    var rows = [
      [
        "TOPIC", "CURSOR", "STORED", "NEXT", "RECORDS", "BYTES", "RATIO", "WAITING", "OLDEST",
        "CONSUMERS",
      ]
    ]
    for lane in lanes {
      let stored = lane.stored.map { "\($0.lowerBound)-\($0.upperBound)" } ?? "-"
      let topic = lane.topic.isEmpty ? "(unknown)" : RecordLine.printable(lane.topic)
      let start = [
        topic, "", stored, "\(lane.nextSequence)", "\(lane.records)", bytes(lane.rawBytes),
        ratio(lane.rawBytes, lane.storedBytes),
      ]
      let age = lane.oldestWaiting.map { duration(now - min(now, $0)) } ?? "-"
      if lane.readers.isEmpty { rows.append(start + ["-", age, "-"]) }
      for (index, reader) in lane.readers.enumerated() {
        var row = index == 0 ? start : Array(repeating: "", count: start.count)
        row[1] = reader.name.isEmpty ? "(uplink)" : RecordLine.printable(reader.name)
        let consumers = reader.consumers.map { RecordLine.printable($0) }.joined(separator: ",")
        rows.append(
          row + [
            "\(reader.waitingRecords)", index == 0 ? age : "", consumers.isEmpty ? "-" : consumers,
          ])
      }
    }
    return table(rows)
  }

  private static func segments(_ segments: [SpoolListing.Segment]) -> String {
    var rows = [["SEGMENT", "BYTES", "RECORDS", "RATIO", "SEALED", "FROM", "TO", "DAMAGED"]]
    for segment in segments {
      let times = [segment.firstTime, segment.lastTime].map { time in
        time.map { UTCTime(unixMilliseconds: $0).text } ?? "-"
      }
      rows.append(
        [
          SegmentHeader.fileName(segment.number).description, bytes(segment.fileBytes),
          "\(segment.records)", ratio(segment.rawBytes, segment.storedBytes),
          segment.isSealed ? "yes" : "no",
        ] + times + [segment.damagedBytes > 0 ? bytes(segment.damagedBytes) : "-"])
    }
    return table(rows)
  }

  /// Columns as wide as their widest entry, two blanks apart.
  static func table(_ rows: [[String]]) -> String {
    var widths: [Int] = []
    for row in rows {
      for (column, entry) in row.enumerated() {
        if column == widths.count { widths.append(0) }
        widths[column] = max(widths[column], entry.count)
      }
    }
    var text = ""
    for row in rows {
      var line = ""
      for (column, entry) in row.enumerated() {
        line += entry
        if column + 1 < row.count {
          line += String(repeating: " ", count: widths[column] - entry.count + 2)
        }
      }
      text += line + "\n"
    }
    return text
  }

  static func bytes(_ count: UInt64) -> String {
    for (unit, name) in [(UInt64(1) << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
    where count >= unit {
      return tenths(count, of: unit) + " \(name)"
    }
    return "\(count) B"
  }

  private static func ratio(_ raw: UInt64, _ stored: UInt64) -> String {
    raw > 0 && stored > 0 ? tenths(raw, of: stored) : "-"
  }

  private static func tenths(_ count: UInt64, of unit: UInt64) -> String {
    let (whole, rest) = count.quotientAndRemainder(dividingBy: unit)
    return "\(whole).\(UInt64(Double(rest) / Double(unit) * 10))"
  }

  static func duration(_ milliseconds: UInt64) -> String {
    let seconds = milliseconds / 1_000
    switch seconds {
    case 0..<60: return "\(seconds)s"
    case 60..<3_600: return "\(seconds / 60)m\(seconds % 60)s"
    case 3_600..<86_400: return "\(seconds / 3_600)h\(seconds / 60 % 60)m"
    default: return "\(seconds / 86_400)d\(seconds / 3_600 % 24)h"
    }
  }
}
