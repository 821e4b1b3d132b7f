import Bytes
import IOPort

// What `spool ls` tells of a directory.
extension SpoolInspection where Port: ~Copyable {
  /// Lanes, segments and damage. It reads the headers of few blocks.
  public mutating func listing() -> SpoolListing {
    let index = LogIndex(log, segmentBytes: 0)
    var listing = SpoolListing(index: index, lanes: state.lanes)
    listing.hasCursors = hasCursors || log.segments.isEmpty
    listing.report.damagedBytes = log.damagedBytes
    listing.report.damagedPlaces = log.damagedPlaces
    listing.report.cutSegments = log.cutSegments
    listing.report.foreignFiles = log.unreadableSegments.count
    listing.report.damagedCursorCopies = damagedCursorCopies
    listing.report.segments = log.segments.count
    for place in listing.segments.indices {
      let footer = log.segments[place].footer
      guard let first = footer.blocks.first, let last = footer.blocks.last else { continue }
      listing.segments[place].firstTime = time(of: first, in: footer.number)
      listing.segments[place].lastTime = time(of: last, in: footer.number)
    }
    for place in listing.lanes.indices {
      guard let known = lane(topic: listing.lanes[place].topic),
        let block = oldestWaiting(state.lanes[known])
      else { continue }
      listing.lanes[place].oldestWaiting = time(of: block.block, in: block.segment)
    }
    return listing
  }

  /// The block with the first record that some cursor of a lane has not got.
  private func oldestWaiting(
    _ lane: LaneCursors
  ) -> (segment: UInt32, block: SegmentFooter.Block)? {
    var lowest: (sequence: UInt64, segment: UInt32, block: SegmentFooter.Block)?
    for segment in log.segments {
      let footer = segment.footer
      guard let place = footer.lanes.firstIndex(where: { $0.topic == lane.topic }) else {
        continue
      }
      for run in footer.runs where Int(run.lane) == place {
        let end = run.firstSequence &+ UInt64(run.recordCount)
        let first = max(run.firstSequence, lane.firstSequence)
        guard first < lowest?.sequence ?? .max, first < end else { continue }
        for cursor in lane.cursors where cursor.delivered.missingCount(in: first..<end) > 0 {
          lowest = (first, footer.number, footer.blocks[Int(run.block)])
        }
      }
    }
    return lowest.map { ($0.segment, $0.block) }
  }

  /// When a block was written; nil when that is not known.
  private mutating func time(of block: SegmentFooter.Block, in segment: UInt32) -> UInt64? {
    do throws(IOError) {
      let file = try open(SegmentHeader.fileName(segment))
      defer { close(file) }
      let count = min(Int(block.totalBytes), SegmentScan.mostHeaderBytes)
      try read(file, at: UInt64(block.offset), count: count)
    } catch {
      return nil
    }
    do throws(SpoolFormatError) {
      return try BlockHeader(decoding: buffer.bytes).clock.unixMilliseconds
    } catch {
      return nil
    }
  }
}
