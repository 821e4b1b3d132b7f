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

  /// A segment has its footer on the disk: everything before that is durable.
  mutating func add(_ footer: SegmentFooter, at offset: UInt32, fileBytes: UInt64) {
    result.segments.append(
      RecoveredLog.Segment(
        footer: footer, fileBytes: fileBytes, isSealed: true, end: offset))
    result.synced = max(
      result.synced, SpoolPosition(segment: footer.number, offset: offset))
    note(synced: footer.syncedBefore)
    result.damagedBytes += footer.damagedBytes
  }

  /// Notes what a later version of the program wrote in the segment at hand.
  mutating func noteLater(_ part: SpoolLaterVersion.Part, _ version: UInt32) {
    let name = SegmentHeader.fileName(current.number)
    // One of a kind tells enough of a file.
    guard !result.laterVersions.contains(where: { $0.file == name && $0.part == part }) else {
      return
    }
    result.laterVersions.append(SpoolLaterVersion(part, version, in: name))
  }

  /// A segment without a header and without a block that is good.
  struct LostSegment: BitwiseCopyable {
    let number: UInt32
    let bytes: UInt64
    /// Whether it is nothing but zeros behind the header.
    let isBlank: Bool
  }

  /// Whether the cursor file wants a segment to be there: it was durable, at least its header.
  func isListed(_ segment: UInt32) -> Bool { listed.contains { $0.contains(segment) } }

  /// Tells segments that are damaged from one to the other end from those that were being made when
  /// power ended.
  private mutating func judgeLost() {
    let header = UInt32(SegmentHeader.encodedBytes)
    for segment in lost {
      let synced = max(syncedEnds[segment.number] ?? 0, header)
      guard synced > header || isListed(segment.number) else {
        result.blankSegments.append(segment.number)
        continue
      }
      // All that may have been something stays for a look.
      let end = UInt32(clamping: min(segment.bytes, SegmentScan.mostFileBytes))
      let last = segment.isBlank ? synced : max(synced, end)
      var footer = SegmentFooter(number: segment.number, identity: result.identity?.first ?? 0)
      footer.damagedBytes = UInt64(max(last - header, header))
      result.damagedPlaces += 1
      result.damagedBytes += footer.damagedBytes
      result.segments.append(
        RecoveredLog.Segment(
          footer: footer, fileBytes: segment.bytes, isSealed: false, end: header))
    }
  }

  /// Tells damage from writes that never ended, now that all blocks are known.
  mutating func judge() {
    judgeLost()
    for entry in scanned {
      var footer = SegmentFooter(number: entry.segment, identity: result.identity?.first ?? 0)
      var end = UInt32(SegmentHeader.encodedBytes)
      var places: [LaneHash: Int] = [:]
      var damageFrom: UInt32?
      var isCut = false
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
            isCut = true
            break items
          }
          result.damagedPlaces += 1
          damageFrom = from
        }
      }
      let synced = syncedEnds[entry.segment] ?? 0
      if damageFrom == nil, !isCut, end < synced {
        // The file is shorter than it was.
        result.damagedPlaces += 1
        damageFrom = end
      }
      if let from = damageFrom { footer.damagedBytes += UInt64(max(synced, from) - from) }
      result.damagedBytes += footer.damagedBytes
      result.segments.append(
        RecoveredLog.Segment(
          footer: footer, fileBytes: entry.bytes, isSealed: false, end: end))
    }
    result.segments.sort { $0.footer.number < $1.footer.number }
  }
}
