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
    listing.report.foreignSegments = log.strangers(among: state.segments)
    listing.report.unreadFiles = log.unreadSegments + log.missing(of: state.segments)
    listing.report.damagedCursorCopies = damagedCursorCopies
    listing.laterVersions = laterVersions
    listing.report.segments = log.segments.count
    for place in listing.segments.indices {
      let footer = log.segments[place].footer
      guard let first = footer.blocks.first, let last = footer.blocks.last else { continue }
      listing.segments[place].firstTime = time(of: first, in: footer.number)
      listing.segments[place].lastTime = time(of: last, in: footer.number)
    }
    let waiting = oldestWaiting()
    for place in listing.lanes.indices {
      guard let block = waiting[listing.lanes[place].topic] else { continue }
      listing.lanes[place].oldestWaiting = time(of: block.block, in: block.segment)
    }
    return listing
  }

  private typealias FirstWaiting = (
    sequence: UInt64, segment: UInt32, block: SegmentFooter.Block
  )

  /// By topic, the block with the first record that some cursor of the lane has not got. O(runs).
  private func oldestWaiting() -> [[UInt8]: FirstWaiting] {
    var books: [[UInt8]: Int] = [:]
    for (place, lane) in state.lanes.enumerated() { books[lane.topic] = place }
    var found: [Int: FirstWaiting] = [:]
    for segment in log.segments {
      let footer = segment.footer
      let places = footer.lanes.map { books[$0.topic] }
      for run in footer.runs {
        guard let place = places[Int(run.lane)] else { continue }
        let lane = state.lanes[place]
        let end = run.firstSequence &+ UInt64(run.recordCount)
        let first = max(run.firstSequence, lane.firstSequence)
        guard first < found[place]?.sequence ?? .max, first < end else { continue }
        for cursor in lane.cursors where cursor.delivered.missingCount(in: first..<end) > 0 {
          found[place] = (first, footer.number, footer.blocks[Int(run.block)])
        }
      }
    }
    var byTopic: [[UInt8]: FirstWaiting] = [:]
    for (place, first) in found { byTopic[state.lanes[place].topic] = first }
    return byTopic
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
