import Bytes
import IOPort
import Records

// What good blocks tell, and what is wrong between them.
extension LogRecovery {
  /// Learns from a good block: up to where segments were synced, and the topics of new lanes.
  mutating func note(_ header: BlockHeader) {
    note(synced: header.syncedPosition)
    guard header.runs.contains(where: { topics[$0.lane] == nil }) else { return }
    let start = Int(UInt64(header.position.offset) - windowOffset) + header.headerBytes
    do throws(SpoolFormatError) {
      let content = try BlockContent(
        header, payload: buffer.bytes.extracting(droppingFirst: start))
      for index in header.runs.indices where topics[header.runs[index].lane] == nil {
        topics[header.runs[index].lane] = content.firstRecord(ofRun: index) { record in
          RecordElement.topic(of: record)
        }
      }
    } catch {
      // Its checksum was right: it was written so. Its lanes stay unknown, and unread.
    }
  }

  mutating func note(synced: SpoolPosition) {
    syncedEnds[synced.segment] = max(syncedEnds[synced.segment] ?? 0, synced.offset)
    result.synced = max(result.synced, synced)
  }

  /// Tells damage from writes that never ended, now that all blocks are known.
  mutating func judge() {
    for entry in scanned {
      var footer = SegmentFooter(number: entry.segment, identity: result.identity?.first ?? 0)
      var end = UInt32(SegmentHeader.encodedBytes)
      var places: [LaneHash: Int] = [:]
      var damageFrom: UInt32?
      items: for item in entry.items {
        switch item {
        case .block(let header):
          if let from = damageFrom {
            footer.damagedBytes += UInt64(header.position.offset - from)
            damageFrom = nil
          }
          footer.add(header, places: &places) { topics[$0] ?? [] }
          end = header.position.offset + UInt32(header.totalBytes)
        case .bad(let from, let isBlank):
          guard from < syncedEnds[entry.segment] ?? 0, plantedFault != .cutsAtDamage else {
            // Space that was reserved and not written is as it was left.
            if !isBlank { result.cutSegments += 1 }
            break items
          }
          result.damagedPlaces += 1
          damageFrom = from
        }
      }
      if let from = damageFrom {
        footer.damagedBytes += UInt64((syncedEnds[entry.segment] ?? from) - from)
      }
      result.damagedBytes += footer.damagedBytes
      result.segments.append(
        RecoveredLog.Segment(
          footer: footer, fileBytes: entry.bytes, isSealed: false, end: end))
    }
    result.segments.sort { $0.footer.number < $1.footer.number }
  }
}
