import Admin
import Delivery
import IOPort
import Settings
import Spool

extension StatusReport {
  /// The `spool` object.
  func write(_ spool: SpoolStatus, to text: inout JSONText) {
    text.beginObject("spool")
    text.member("mode", gateway.configuration.spool.mode.rawValue)
    text.member("state", spool.state.rawValue)
    switch spool.state {
    case .none, .unavailable: break
    default:
      text.member("used_bytes", spool.usedBytes)
      text.member("limit_bytes", spool.limitBytes)
      text.member("segments", spool.segments)
      text.member("records", spool.records)
      text.member("record_bytes", spool.total.bytes)
      text.member("oldest_ms", spool.total.ageMilliseconds)
      text.member("kept_records", spool.total.keptRecords)
      text.member("kept_record_bytes", spool.total.keptBytes)
      text.member("oldest_unsafe_ms", spool.oldestUnsafeMilliseconds)
      text.member("drain_records_per_second", spool.drainRate)
      if let seconds = spool.secondsToEmpty { text.member("seconds_to_empty", seconds) }
      text.member("lane_count", spool.waitingLanes)
      text.member("refusing_lane_count", spool.room.refusing)
      text.member("replay_bytes", spool.replayBytes)
      text.member("lanes_without_memory", spool.lanesWithoutMemory)
      text.beginArray("lanes")
      for lane in spool.lanes {
        text.beginObject()
        text.member("topic", String(decoding: lane.topic, as: UTF8.self))
        text.member("records", lane.records)
        text.member("record_bytes", lane.bytes)
        text.member("oldest_ms", lane.ageMilliseconds)
        text.member("kept_records", lane.keptRecords)
        text.endObject()
      }
      text.endArray()
      write(spool.quarantine, spool.quarantines, to: &text)
      write(spool.recovered, milliseconds: spool.recoveryMilliseconds, to: &text)
    }
    text.member("last_error", spool.lastError?.text ?? "")
    text.endObject()
  }

  private func write(
    _ total: SpoolStatus.Lane, _ lanes: [SpoolStatus.Lane], to text: inout JSONText
  ) {
    text.beginObject("quarantine")
    text.member("records", total.records)
    text.member("disk_bytes", total.bytes)
    text.member("oldest_ms", total.ageMilliseconds)
    text.beginArray("lanes")
    for lane in lanes {
      text.beginObject()
      text.member("topic", String(decoding: lane.topic, as: UTF8.self))
      text.member("records", lane.records)
      text.member("oldest_ms", lane.ageMilliseconds)
      text.endObject()
    }
    text.endArray()
    text.endObject()
  }

  private func write(
    _ report: SpoolRecoveryReport, milliseconds: Int, to text: inout JSONText
  ) {
    text.beginObject("recovery")
    text.member("ms", milliseconds)
    text.member("segments", report.segments)
    text.member("damaged_bytes", report.damagedBytes)
    text.member("damaged_places", report.damagedPlaces)
    text.member("cut_segments", report.cutSegments)
    text.member("unreadable_files", report.unreadFiles.count)
    text.member("foreign_files", report.foreignFiles)
    text.member("damaged_cursor_copies", report.damagedCursorCopies)
    text.endObject()
  }
}
