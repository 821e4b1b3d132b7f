import Bytes
import IOPort

// The first part of a start: the ends of all segments' files, many at once.
//
// A probe only ever takes a segment whose footer is whole and belongs there. All others it leaves
// to be looked at one by one, with everything that may be wrong with them; which those are does
// not depend on the order in which reads end.
extension LogRecovery {
  /// Files whose ends are read at the same time. More gain nothing: flash answers that many at
  /// once.
  static var probeCount: Int { 16 }
  /// Bytes that are read of the end of a file: the summary of a footer with a hundred lanes.
  static var endBytes: Int { 8 << 10 }
  /// The largest part of a footer that is read beside others; larger ones are read one by one, so
  /// that all probes together have at most 1 MiB.
  static var restBytes: Int { 64 << 10 }

  /// Begins as many probes as there may be, or goes on when all segments had theirs.
  mutating func probe(operations: inout OperationQueue) {
    // Without a cursor file the identity comes from the first segment that has a header.
    let most = result.identity == nil ? 1 : Self.probeCount
    while probes.count - idleProbes.count < most, let number = unprobed.popLast() {
      let id = idleProbes.popLast() ?? probes.insert(FooterProbe())
      probes[id].phase = .opening
      probes[id].number = number
      operations.open(
        SegmentHeader.fileName(number), in: directory, .read, token: probeToken(id))
    }
    guard probes.count == idleProbes.count else { return }
    for id in idleProbes { _ = probes.remove(id) }
    idleProbes = []
    left.sort { $0.number > $1.number }
    openNext(operations: &operations)
  }

  private func probeToken(_ id: SlotID) -> Token {
    Token(owner: token.owner, verb: token.verb, slot: id)
  }

  mutating func handleProbe(
    _ id: SlotID, _ completion: consuming Completion, operations: inout OperationQueue
  ) {
    guard probes.contains(id) else { return }
    switch consume completion.event {
    case .file(let event): handleProbe(id, event, operations: &operations)
    case .closed: end(id, operations: &operations)
    default: break
    }
  }

  private mutating func handleProbe(
    _ id: SlotID, _ event: FileEvent, operations: inout OperationQueue
  ) {
    switch (probes[id].phase, event) {
    case (.opening, .opened(let descriptor, let bytes)):
      probes[id].file = descriptor
      probes[id].fileBytes = bytes
      if bytes < UInt64(SegmentHeader.encodedBytes + SegmentFooter.trailerBytes) {
        return leave(id, operations: &operations)
      }
      // The first header tells of a later version in any case.
      if result.identity == nil || !hasReadHeader {
        hasReadHeader = true
        probes[id].phase = .readingHeader
        return read(id, from: 0, SegmentHeader.encodedBytes, operations: &operations)
      }
      readEnd(id, operations: &operations)
    case (.opening, _):
      left.append((probes[id].number, 0))
      end(id, operations: &operations)
    case (_, .transferred(let count)):
      probes[id].buffer.advance(count)
      if count > 0, probes[id].buffer.count < probes[id].wanted {
        return readOn(id, operations: &operations)
      }
      take(id, operations: &operations)
    default:
      leave(id, operations: &operations)
    }
  }

  /// The segment is none that a probe can take.
  private mutating func leave(_ id: SlotID, operations: inout OperationQueue) {
    left.append((probes[id].number, 0))
    close(id, operations: &operations)
  }

  private mutating func close(_ id: SlotID, operations: inout OperationQueue) {
    probes[id].phase = .closing
    operations.append(.close(probes[id].file), token: probeToken(id))
  }

  private mutating func end(_ id: SlotID, operations: inout OperationQueue) {
    probes[id].phase = .idle
    idleProbes.append(id)
    probe(operations: &operations)
  }

  // MARK: Reading

  private mutating func readEnd(_ id: SlotID, operations: inout OperationQueue) {
    probes[id].phase = .readingEnd
    let count = min(UInt64(Self.endBytes), probes[id].fileBytes)
    read(id, from: probes[id].fileBytes - count, Int(count), operations: &operations)
  }

  private mutating func read(
    _ id: SlotID, from offset: UInt64, _ count: Int, operations: inout OperationQueue
  ) {
    probes[id].offset = offset
    probes[id].wanted = count
    probes[id].buffer.reset(room: max(count, Self.endBytes))
    readOn(id, operations: &operations)
  }

  private mutating func readOn(_ id: SlotID, operations: inout OperationQueue) {
    operations.append(
      .file(
        .read(
          probes[id].file, offset: probes[id].offset + UInt64(probes[id].buffer.count),
          into: probes[id].buffer.target(upTo: probes[id].wanted))),
      token: probeToken(id))
  }

  // MARK: Content

  private mutating func take(_ id: SlotID, operations: inout OperationQueue) {
    // A file that ends earlier than it said.
    guard probes[id].buffer.count == probes[id].wanted else {
      return leave(id, operations: &operations)
    }
    switch probes[id].phase {
    case .readingHeader: takeHeader(id, operations: &operations)
    case .readingEnd, .readingRest: takeEnd(id, operations: &operations)
    default: preconditionFailure("nothing was read")
    }
  }

  private mutating func takeHeader(_ id: SlotID, operations: inout OperationQueue) {
    do throws(SpoolFormatError) {
      let header = try probes[id].header()
      guard header.number == probes[id].number,
        result.identity == nil || result.identity == header.identity
      else { return leave(id, operations: &operations) }
      result.identity = header.identity
    } catch {
      return leave(id, operations: &operations)
    }
    readEnd(id, operations: &operations)
    probe(operations: &operations)
  }

  private mutating func takeEnd(_ id: SlotID, operations: inout OperationQueue) {
    let fileBytes = probes[id].fileBytes
    guard let place = probes[id].place else { return leave(id, operations: &operations) }
    let wanted = keepsLists ? UInt64(place.offset) : place.summary
    guard wanted >= probes[id].offset else {
      guard probes[id].phase == .readingEnd, fileBytes - wanted <= UInt64(Self.restBytes) else {
        return leave(id, operations: &operations)
      }
      probes[id].phase = .readingRest
      return read(id, from: wanted, Int(fileBytes - wanted), operations: &operations)
    }
    do throws(SpoolFormatError) {
      let footer = try probes[id].footer(from: wanted, keepsLists: keepsLists, topics: &topics)
      guard footer.number == probes[id].number, footer.identity == result.identity?.first,
        place.offset >= UInt32(SegmentHeader.encodedBytes)
      else { return leave(id, operations: &operations) }
      add(footer, at: place.offset, fileBytes: fileBytes)
    } catch {
      return leave(id, operations: &operations)
    }
    close(id, operations: &operations)
  }
}
